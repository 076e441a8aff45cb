"""Images with joints: the dataset, and mirroring of both."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from resexp.data.dense import Dense


@dataclass(frozen=True)
class Posed(Dense):
    """As Dense, with joints as targets, (examples, joints, 4), float32.

    Of each: x and y in pixels, the first pixel's centre at 0; visibility as in COCO (2: visible, 1: occluded,
    0: not annotated); reference length of the figure in pixels, by which distances are judged.
    """

    evaluation_batch, kind = 32, "joints"

    @property
    def classes(self) -> int:
        """Joints."""
        return self.targets.shape[1]


@dataclass(frozen=True)
class Mirror:
    """Left and right exchanged with probability 1/2, in the image and among the joints.

    Args:
        becomes: for each joint the one that its mirror image is: right wrist for left wrist, neck for neck.
    Raises:
        ValueError: it is not its own inverse.
    """

    becomes: Sequence[int]

    def __post_init__(self):
        count = len(self.becomes)
        if any(not 0 <= b < count or self.becomes[b] != a for a, b in enumerate(self.becomes)):
            raise ValueError(
                "the mirror image of each joint's mirror image must be the joint itself, got"
                f" {list(self.becomes)}"
            )

    def __call__(self, x: Tensor, joints: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Both mirrored alike: x (batch, channels, height, width), joints (batch, joints, 4)."""
        drawn = torch.rand(len(x), generator=generator, device=generator.device).to(x.device) < 0.5
        other = joints[:, list(self.becomes)].clone()
        other[:, :, 0] = x.shape[3] - 1 - other[:, :, 0]
        mirrored = torch.where(drawn[:, None, None, None], x.flip(3), x)
        return mirrored, torch.where(drawn[:, None, None], other, joints)
