"""Build the model and the trainer of a config."""

import threading

import torch
from torch import nn

from resexp.config.instantiate import make
from resexp.experiments.checks import refuse_sizes_below_one
from resexp.experiments.data import batches, splits
from resexp.experiments.seeds import generator, seed_for
from resexp.experiments.sizes import network
from resexp.experiments.unused import refuse_unused_block
from resexp.models.stochastic import RandomLayer
from resexp.training.loop import Trainer
from resexp.training.parallel import ALONE, Alone, Together
from resexp.training.precision import autocast, channels_last
from resexp.training.sgd import parameter_groups

# The global generators are shared by all threads: they are seeded and restored under this lock alone.
_BUILDING = threading.Lock()


def build_model(config: dict, device: torch.device | str = "cpu") -> nn.Module:
    """The network of a resolved config, initialized from its seed.

    The global random state is left unchanged.
    """
    refuse_unused_block(config)
    refuse_sizes_below_one("model", config["model"])
    with torch.random.fork_rng(devices=[]):  # constructors draw before init overwrites the weights
        torch.default_generator.manual_seed(seed_for(config["seed"], "layers"))  # and no GPU's
        model = network(config)
    make(config["init"], "init")(model, generator(config["seed"], "init"))
    return model.to(device)


def trainer(config: dict, device: torch.device, processes: Alone | Together = ALONE) -> Trainer:
    """The Trainer of a run, at step 0. Thread-safe.

    Seeds the global generators, for layers that use them.

    Args:
        config: settled.
        device: of the network and the batches.
        processes: that train it together; see shards.check_shards, which says what they can train.
    """
    with _BUILDING:
        torch.manual_seed(config["seed"])
        made = _trainer(config, device, processes)
        if device.type == "cuda":  # threads on other streams may share the data
            torch.cuda.current_stream(device).synchronize()
        return made


def restore(trainer: Trainer, state: dict) -> None:
    """Trainer.load_state_dict, which also restores the global generators. Thread-safe."""
    with _BUILDING:
        trainer.load_state_dict(state)


def _trainer(config: dict, device: torch.device, processes: Alone | Together) -> Trainer:
    execution, alone = config["train"], processes.size == 1
    model = build_model(config, device)
    if not alone and execution["sync_batch_norm"]:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    layer_draws = generator(config["seed"], "layers", device)
    for module in model.modules():
        if isinstance(module, RandomLayer):
            module.generator = layer_draws
    last = channels_last(execution["channels_last"], config["precision"], device)
    if last:
        volumes = any(weight.dim() == 5 for weight in model.parameters())
        layout = torch.channels_last_3d if volumes else torch.channels_last
        model = model.to(memory_format=layout)
    return Trainer(
        model,
        make(config["task"], "task"),
        batches(config, device, processes),
        make(config["optimizer"], "optimizer")(parameter_groups(model)),
        make(config["schedule"], "schedule"),
        splits=splits(config, device, processes),
        autocast=autocast(config["precision"], device),
        draws=layer_draws,
        channels_last=last,
        compiled=execution["compile"],
        # a CPU has no kernels to save; and DistributedDataParallel calls the network itself
        cast_once=config["precision"] == "bfloat16" and device.type == "cuda" and alone,
        # a learning rate in a tensor requires the fused optimizer
        captured=execution["capture"]
        and device.type == "cuda"
        and config["optimizer"].get("fused", False)
        and alone,
        processes=processes,
    )
