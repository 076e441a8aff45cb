"""Batch normalization as noise: what an example's output owes to the batch that it falls into."""

from collections.abc import Iterable, Sequence

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resexp.measure.run import Run, spread

NOISE = ["logit_deviation", "relative_deviation", "flipped_percent", "error_percent"]


@torch.no_grad()
def drawn_outputs(model: nn.Module, x: Tensor, size: int, draws: int, generator: torch.Generator) -> Tensor:
    """Logits of each example in so many random batches, normalized as in training.

    Each draw deals all examples into batches; those of an incomplete last batch share it with some of the
    first ones.

    Args:
        model: its mode is that of training afterwards; its weights stay, running statistics move.
        x: examples, at least `size`.
        size: of the batches.
        draws: how many times the examples are dealt.
        generator: on the CPU.
    Returns:
        (draws, examples, classes).
    Raises:
        ValueError: fewer examples than a batch holds.
    """
    if size > len(x):
        raise ValueError(f"measure.sizes must not exceed the {len(x)} examples, got {size}")
    model.train()
    found = []
    for _ in range(draws):
        order = torch.randperm(len(x), generator=generator)
        dealt = torch.cat([order, order[: -len(x) % size]]).to(x.device)
        logits = torch.cat([model(x[part]) for part in dealt.split(size)])[: len(x)]
        found.append(torch.empty_like(logits).index_copy_(0, dealt[: len(x)], logits))
    return torch.stack(found)


def noise(model: nn.Module, x: Tensor, y: Tensor, size: int, draws: int, generator: torch.Generator) -> dict:
    """How much outputs depend on the batch.

    Args:
        x, y: examples and class numbers.
        model, size, draws, generator: see drawn_outputs.
    Returns:
        logit_deviation (over the draws: root of the unbiased variance, its mean over examples and classes;
        unitless), relative_deviation (over that of the logits over the examples, mean over the classes),
        flipped_percent (of the draws whose answer is not the example's most frequent one),
        error_percent (mean over the draws).
    """
    outputs = drawn_outputs(model, x, size, draws, generator).double()
    within = outputs.var(dim=0).mean().sqrt()
    between = outputs.mean(0).var(dim=0).mean().sqrt()
    answers = outputs.argmax(2)
    return {
        "logit_deviation": within.item(),
        "relative_deviation": (within / between).item(),  # infinite where examples do not differ
        "flipped_percent": 100 * (answers != answers.mode(0).values).double().mean().item(),
        "error_percent": 100 * (answers != y).double().mean().item(),
    }


@torch.no_grad()
def loss_and_error(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[float, float]:
    """Cross-entropy (nats) and error (percent) in evaluation mode."""
    model.eval()
    loss, wrong, examples = 0.0, 0, 0
    for x, y in batches:
        logits = model(x)
        loss += F.cross_entropy(logits, y, reduction="sum").item()
        wrong += int((logits.argmax(1) != y).sum())
        examples += len(y)
    return loss / examples, 100 * wrong / examples


def trained(
    run: Run,
    *,
    sizes: Sequence[int],
    draws: int,
    examples: int,
    gap_examples: int,
    batch_size: int,
    draw_seed: int,
) -> dict[str, pd.DataFrame]:
    """The spread of a trained network's outputs over batches, and its generalization gap.

    Args:
        run: its network normalizes over the batch, or parts of it.
        sizes: of the batches.
        draws: batches of each size that each example falls into, at least 2.
        examples: training examples, spread over the split and without augmentation, from which the batches
            are drawn without replacement.
        gap_examples: of the training and of the test split, spread over each.
        batch_size: of the gap's examples at a time; its numbers do not depend on it.
        draw_seed: of the batches.
    Returns:
        Both begin with trained_batch_size (0: not known, imported) and normalized_together (examples whose
        statistics were shared in training). `noise`: batch_size and the columns of noise. `gap`: train_loss
        (nats, evaluation mode), train_error_percent, loss_gap (test minus training), error_gap (points).
    Raises:
        ValueError: fewer than two draws, or outputs that do not depend on the batch.
    Source: UDL section 11.4 and Hoffer et al. 2017 (arXiv:1705.08741) name the noise; the measure is ours.
    """
    if draws < 2:
        raise ValueError(f"measure.draws must be at least 2, got {draws}")
    of_run = _batch_sizes(run.config)
    held_out = _gap(run, gap_examples, batch_size)
    x, y = spread(run, "train", examples)
    model = run.network().to(memory_format=torch.channels_last)

    def at(size: int) -> list[float]:
        generator = torch.Generator().manual_seed(draw_seed)
        for _ in range(draws * list(sizes).index(size)):  # those of the sizes before it
            torch.randperm(len(x), generator=generator)
        found = noise(model, x, y, size, draws, generator)
        return [found[column] for column in NOISE]

    found = pd.DataFrame(run.each("noise", sizes, at), columns=NOISE)
    if not found["logit_deviation"].any():
        raise ValueError(
            "measure=batch_noise needs outputs that depend on the batch: norm=batch or norm=ghost"
        )
    found = found.assign(**of_run, batch_size=list(sizes))[[*of_run, "batch_size", *NOISE]]
    return {"noise": found, "gap": pd.DataFrame([of_run | held_out])}


def _gap(run: Run, examples: int, batch_size: int) -> dict:
    model = run.network()
    found = []
    for split in ("train", "test"):
        x, y = spread(run, split, examples)
        found.append(loss_and_error(model, zip(x.split(batch_size), y.split(batch_size), strict=True)))
    (loss, error), (test_loss, test_error) = found
    return {
        "train_loss": loss,
        "train_error_percent": error,
        "loss_gap": test_loss - loss,
        "error_gap": test_error - error,
    }


def _batch_sizes(config: dict) -> dict:
    """Of training, and of what was normalized together then; 0 where it is not known."""
    batch = config.get("batch_size", 0)
    part = config.get("norm", {}).get("size", batch)
    return {"trained_batch_size": batch, "normalized_together": min(part, batch) or part}
