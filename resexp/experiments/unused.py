"""Refuse settings that would name another run (its digest) and change none of its numbers."""

from resexp.config.catalog import default_of, option, options
from resexp.data.source import Source


def refuse_unused_rate(config: dict) -> None:
    """Check the optimizer's learning rate, which the schedule replaces before every step.

    Raises:
        ValueError: it is not the schedule's; or a divisor was typed for a schedule that never divides.
    """
    optimizer, schedule = config["optimizer"], config["schedule"]
    if optimizer.get("lr", schedule["learning_rate"]) != schedule["learning_rate"]:
        raise ValueError(
            f"optimizer.lr={optimizer['lr']} has no effect, as the schedule sets the learning rate of every"
            f" step: set schedule.learning_rate={optimizer['lr']}"
        )
    if not schedule["divide_at"] and schedule["divisor"] != _usual(schedule, "schedule", "divisor"):
        raise ValueError(
            f"schedule.divisor={schedule['divisor']} has no effect, as schedule={schedule['name']} never"
            " divides the learning rate: set schedule.divide_at=[0.5,0.75] or another list, or omit it"
        )


def refuse_unused_augmentation(settings: dict, source: Source) -> None:
    """Check the crops and flips of a dataset, whose batches may be augmented by themselves.

    Args:
        settings: `dataset` of a config.
        source: that they describe.
    Raises:
        ValueError: crops or flips that its batches do not have.
    """
    if (settings["crop_padding"] or settings["flip"]) and not source.crops:
        raise ValueError(
            f"dataset={settings['name']} is augmented in its own way, see dataset.load: omit"
            " dataset.crop_padding and dataset.flip"
        )


def refuse_unused_block(config: dict) -> None:
    """Check that a block is chosen only for networks that have blocks.

    Raises:
        ValueError: a block other than the default was chosen for a network without blocks.
    """
    model = config["model"]
    parts = [part for part in model.values() if isinstance(part, dict)]
    has_blocks = any("block" in part for part in (model, *parts))
    if not has_blocks and config["block"] != option("block", default_of("block")):
        raise ValueError(f"model={model['name']} has no residual blocks: omit block=...")


def sizes_that_matter(config: dict) -> list[str]:
    """The keys of a config that hold the size of the data's examples and must agree with it.

    They are those that the network or the task is made for, and a `dataset.size` that was typed. Where only a
    fully convolutional network reads the data, nothing else depends on the size.
    """
    data = config["dataset"]
    if "size" in config["task"]:
        return ["dataset.size", "task.size"]
    typed = data["size"] != _usual(data, "dataset", "size")
    return ["dataset.size"] if typed or "size" in config["model"] else []


def _usual(settings: dict, group: str, key: str) -> object:
    """What the file of the option says; under a name that no option has, what the settings say."""
    known = settings["name"] in options(group)
    return option(group, settings["name"])[key] if known else settings[key]
