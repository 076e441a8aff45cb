"""Spatial transformers (Jaderberg et al. 2015): a network looks where it chooses before it classifies."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resexp.models.parts import Parts, as_images

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def look(x: Tensor, theta: Tensor, patch: Sequence[int]) -> Tensor:
    """Sample a patch on an affine grid, bilinearly.

    Coordinates run from -1 to 1 over the whole image, from edge to edge of its outer pixels (torch's
    align_corners=False); what lies outside is 0.

    Args:
        x: (batch, channels, height, width).
        theta: (batch, 2, 3): (x, y, 1) in the patch -> (x, y) in the image.
        patch: height and width of what is sampled.
    Returns:
        (batch, channels, *patch), float32.
    Source: Jaderberg et al. 2015 (arXiv:1506.02025), equations 1 and 5. Departure: coordinates are torch's.
    """
    with torch.autocast(x.device.type, enabled=False):  # bfloat16 is a tenth of a pixel off
        grid = F.affine_grid(theta.float(), [len(x), x.shape[1], *patch], align_corners=False)
        return F.grid_sample(x.float(), grid, mode="bilinear", padding_mode="zeros", align_corners=False)


class Pose(nn.Module):
    """The last layer of a localization network: features -> theta, the identity at the start.

    Not an nn.Linear: initializations draw those anew. Nor is it decayed, which would shrink what it looks at.
    """

    weight_decay = False

    def __init__(self, features: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(len(IDENTITY), features))
        self.bias = nn.Parameter(torch.tensor(IDENTITY))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias).view(-1, 2, 3)


class SpatialTransformer(nn.Module):
    """Localization network, affine grid, sampler.

    Args:
        c_in, size: channels and (height, width) of the input.
        patch: (height, width) of the output; channels stay.
        hidden: units of the localization network's hidden layers.
        parts: normalization and activation of these.
    """

    def __init__(
        self, c_in: int, size: Sequence[int], patch: Sequence[int], *, hidden: Sequence[int], parts: Parts
    ):
        super().__init__()
        self.patch = tuple(patch)
        layers: list[nn.Module] = [nn.Flatten()]
        features = c_in * torch.Size(size).numel()
        for units in hidden:
            layers += [nn.Linear(features, units), parts.norm(units), parts.activation(units)]
            features = parts.activated(units)
        self.localization = nn.Sequential(*layers)
        self.pose = Pose(features)

    def theta(self, x: Tensor) -> Tensor:
        """Where it looks: (batch, 2, 3)."""
        return self.pose(self.localization(x))

    def forward(self, x: Tensor) -> Tensor:
        return look(x, self.theta(x), self.patch)


class SpatialTransformerNetwork(nn.Module):
    """Spatial transformers side by side, their patches as channels of a classifier's input.

    Input (batch, c_in, height, width) for parts.dims=2, (batch, c_in, length) for dims=1, which becomes an
    image of one row; output logits of the classifier.

    Args:
        depth, width: of the classifier.
        transformers: 0: the classifier alone; each of several looks at all channels.
        patch: size of what each looks at, (height, width) or (length,), and of the classifier's input.
        hidden: units of the hidden layers of each localization network.
        c_in, size: channels and size of the input, (height, width) or (length,).
        classifier: (depth=, width=, c_in=) -> a network for inputs of size `patch`.
        parts: as in ResNet.
    Raises:
        ValueError: transformers below 0, or none with a patch of another size than the input.
    Source: Jaderberg et al. 2015 (arXiv:1506.02025), sections 3 and 4.1, and appendix A.1 for two in
    parallel. Departures: normalization (norm=none leaves it out); the localization network is fully
    connected before any classifier.
    """

    def __init__(
        self,
        depth: int,
        *,
        width: int,
        transformers: int,
        patch: Sequence[int],
        hidden: Sequence[int],
        c_in: int,
        size: Sequence[int],
        classifier: Callable[..., nn.Module],
        parts: Parts,
    ):
        super().__init__()
        if transformers < 0:
            raise ValueError(f"model.transformers must be at least 0, got {transformers}")
        if not transformers and list(patch) != list(size):
            raise ValueError(
                f"model.transformers=0 leaves inputs as they are: model.patch must be {list(size)}, the size"
                f" of the input, got {list(patch)}"
            )
        # sequences are images of one row
        shapes = [(1, *sizes) if len(sizes) == 1 else sizes for sizes in (size, patch)]
        self.transformers = nn.ModuleList(
            SpatialTransformer(c_in, *shapes, hidden=hidden, parts=parts) for _ in range(transformers)
        )
        self.classifier = classifier(depth=depth, width=width, c_in=c_in * max(1, transformers))

    @property
    def blocks(self) -> nn.ModuleList:
        """The classifier's."""
        return self.classifier.blocks

    def attended(self, x: Tensor) -> Tensor:
        """What the classifier receives."""
        x = as_images(x)
        return torch.cat([one(x) for one in self.transformers], dim=1) if self.transformers else x

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.attended(x))
