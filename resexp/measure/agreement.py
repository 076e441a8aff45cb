"""One network, the mean of several, and unanimity of several (Falk et al. 2019; UDL figure 11.11)."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from resexp.measure.run import Run
from resexp.measure.whole import whole


@torch.no_grad()
def together(
    runs: Sequence[Run], *, batch_size: int, thresholds: Sequence[float], tile: int | None, side: int
) -> dict[str, pd.DataFrame]:
    """Each network, and each rule of all, on every test volume; three slices of the first for a figure.

    Args:
        runs: of segmentation networks on the same data, that differ in their seeds.
        batch_size: volumes at a time.
        thresholds: probabilities above which a voxel counts.
        tile: side of the tiles in which a volume is predicted, voxels; None: all at once.
        side: at most this many rows and columns of the slices are kept, the first ones.
    Returns:
        `scores`: volume, threshold, networks (that are asked: 1 or all), seed (of a network by itself), and
        the columns of `scores`; `slices`, by the last threshold: slice, kind (image, labels, one, mean, all:
        the regions of a rule; one is the first network), row, values (of the row's voxels, separated by
        blanks).
    Raises:
        ValueError: fewer than two runs, or runs on different data.
    Source: Falk et al. 2019 (doi:10.1038/s41592-018-0261-2) as in UDL figure 11.11: a voxel counts only where
    all five networks agree.
    """
    _refuse_different_data(runs)
    networks = [run.network() for run in runs]
    seeds = [run.config.get("seed", place) for place, run in enumerate(runs)]
    found, slices, volume = [], [], 0
    for x, y in runs[0].batches("test", batch_size):
        probabilities = np.stack([whole(network, x, tile).softmax(1)[:, 1].cpu() for network in networks])
        for index, (image, planes) in enumerate(zip(x[:, 0].cpu().numpy(), y.cpu().numpy(), strict=True)):
            mine, labels = probabilities[:, index], planes[2].astype(int)
            for threshold in thresholds:
                table = each_and_all(mine, seeds, planes[0] > 0, labels, threshold)
                found.append(table.assign(volume=volume, threshold=threshold))
            volume += 1
            slices = slices or list(_slices(image, labels, decisions(mine, thresholds[-1]), side))
    columns = ["volume", "threshold", *table.columns]
    return {"scores": pd.concat(found)[columns], "slices": pd.DataFrame(slices)}


def each_and_all(
    probabilities: np.ndarray, seeds: Sequence[int], inside: np.ndarray, there: np.ndarray, threshold: float
) -> pd.DataFrame:
    """Scores of each network by itself (rule `one`, with its seed), then of the rules of all.

    Args:
        probabilities: see decisions.
        seeds: of the networks.
        inside, there: see scores.
        threshold: see decisions.
    Returns:
        networks (that are asked), seed (of one by itself), and the columns of `scores`.
    """
    rules, tables = decisions(probabilities, threshold), []
    for seed, own in zip(seeds, probabilities > threshold, strict=True):
        tables.append(scores({"one": own}, inside, there).assign(networks=1, seed=seed))
    of_all = scores({rule: rules[rule] for rule in ("mean", "all")}, inside, there)
    tables.append(of_all.assign(networks=len(seeds), seed=None))
    table = pd.concat(tables, ignore_index=True).astype({"seed": "Int64"})
    return table[["networks", "seed", *of_all.columns]]


def decisions(probabilities: np.ndarray, threshold: float = 0.5) -> dict[str, np.ndarray]:
    """Which voxels count as foreground, by rule.

    Args:
        probabilities: of the foreground, (networks, *size).
        threshold: that a probability must exceed.
    Returns:
        `one`: the first network; `mean`: the mean probability; `all`: every network.
    """
    votes = probabilities > threshold
    return {"one": votes[0], "mean": probabilities.mean(0) > threshold, "all": votes.all(0)}


def variation_of_information(found: np.ndarray, there: np.ndarray) -> tuple[float, float]:
    """Conditional entropies in bits: of the true given the found regions (merges), and the reverse (splits).

    Args:
        found, there: region of each voxel, any numbers; voxels with there == 0 are left out.
    Source: Nunez-Iglesias et al. 2013 (doi:10.1371/journal.pone.0071715); scikit-image's
    metrics.variation_of_information gives both, in the other order.
    """
    joint = contingency(found, there)
    joint = joint / joint.sum()
    return _conditional_entropy(joint), _conditional_entropy(joint.T)


def rand_precision_recall(found: np.ndarray, there: np.ndarray) -> tuple[float, float]:
    """Precision and recall of pairs of voxels that lie in one region (Arganda-Carreras et al. 2015).

    Low precision: regions merged; low recall: regions split. Voxels with there == 0 are left out.
    """
    joint = contingency(found, there)
    both = (joint**2).sum()
    return float(both / (joint.sum(1) ** 2).sum()), float(both / (joint.sum(0) ** 2).sum())


def contingency(found: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Voxels that each pair of regions shares, (found, there)."""
    known = there.ravel() > 0
    a, b = (np.unique(x.ravel()[known], return_inverse=True)[1] for x in (found, there))
    joint = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(joint, (a, b), 1)
    return joint


def scores(rules: Mapping[str, np.ndarray], inside: np.ndarray, there: np.ndarray) -> pd.DataFrame:
    """A row per rule.

    Connected regions of the voxels that count are extended to the nearest of the others, so that all rules
    part the same voxels.

    Args:
        rules: see decisions.
        inside: whether a voxel is truly foreground.
        there: true region of each voxel.
    Returns:
        rule, precision, recall (of voxels), regions, merges_bits, splits_bits, rand_precision, rand_recall.
    Raises:
        ValueError: scipy is not installed.
    """
    try:
        from scipy import ndimage
    except ImportError as error:
        raise ValueError("measure=agreement needs scipy: pip install 'resexp[segmentation]'") from error
    rows = []
    for rule, counted in rules.items():
        found, regions = ndimage.label(counted)
        if regions:
            nearest = ndimage.distance_transform_edt(found == 0, return_distances=False, return_indices=True)
            found = found[tuple(nearest)]
        right = (counted & inside).sum()
        row = {"rule": rule, "precision": right / max(counted.sum(), 1), "recall": right / inside.sum()}
        row["regions"] = regions
        row["merges_bits"], row["splits_bits"] = variation_of_information(found, there)
        row["rand_precision"], row["rand_recall"] = rand_precision_recall(found, there)
        rows.append(row)
    return pd.DataFrame(rows)


def _slices(
    image: np.ndarray, labels: np.ndarray, rules: Mapping[str, np.ndarray], side: int
) -> Iterator[dict]:
    """Rows of three slices at equal distances; regions are numbered anew, as far as they are seen."""
    from scipy import ndimage

    low, high = np.percentile(image, (0.5, 99.5))
    kinds = {"image": (255 * ((image - low) / (high - low)).clip(0, 1)).astype(int), "labels": labels}
    kinds |= {rule: ndimage.label(counted)[0] for rule, counted in rules.items()}
    places = (np.arange(1, 4) * len(image) // 4).tolist()
    for kind, volume in kinds.items():
        seen = volume[places, :side, :side]
        if kind != "image":
            seen = np.unique(np.append(0, seen), return_inverse=True)[1][1:].reshape(seen.shape)
        for z, plane in zip(places, seen, strict=True):
            for y, line in enumerate(plane.tolist()):
                yield {"slice": z, "kind": kind, "row": y, "values": " ".join(map(str, line))}


def _refuse_different_data(runs: Sequence[Run]) -> None:
    if len(runs) < 2:
        raise ValueError(f"measure=agreement needs at least two runs, run=... matches {len(runs)}")
    if len({str((run.config.get("dataset"), run.config.get("data"))) for run in runs}) > 1:
        raise ValueError("measure=agreement needs runs on the same data: select them with run=...")


def _conditional_entropy(joint: np.ndarray) -> float:
    """Of the columns given the rows, in bits."""
    rows = joint.sum(1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(joint > 0, joint * np.log2(joint / rows), 0)
    return float(-terms.sum())
