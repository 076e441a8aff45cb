"""U-Net: an encoder and a decoder, joined at every scale."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from resexp.models import tiles
from resexp.models.blocks import BlockKind
from resexp.models.parts import Parts

CONNECTIONS, PADDINGS, ENCODERS = ("concat", "add", "none"), ("valid", "same"), ("plain", "residual")


class UNet(nn.Module):
    """Input (batch, c_in, *size) -> logits (batch, num_classes, *size or smaller).

    Down: two 3x3 convolutions, then 2x2 max-pooling, which doubles the channels. Up: a transposed 2x2
    convolution of stride 2, which halves them, joined with what the encoder had at this scale, then two 3x3
    convolutions. A 1x1 convolution at the end.

    Args:
        depth: weight layers, 5n + 3 with n poolings.
        width: channels at the finest scale.
        padding: valid: convolutions lose their margin, so that every output saw only true pixels, and what is
            joined is cropped; same: zeros around.
        connection: concat, add (the decoder's sum with the encoder's), or none.
        encoder: plain, or residual: a residual block instead of the two convolutions.
        c_in, num_classes, block, parts: as in resexp.models.resnet.ResNet; block is that of the encoder.
    Raises:
        ValueError: an unsupported depth or choice, or a residual encoder without padding.
    Source: Ronneberger et al. 2015 (arXiv:1505.04597), figure 1: depth 23, width 64, valid, concat; in three
    dimensions after Çiçek et al. 2016 (arXiv:1606.06650). Departures: norm=none gives the published network,
    otherwise each convolution is normalized instead of having a bias; no dropout; the 3-D network doubles
    channels behind each pooling, not before it.
    """

    kind = "planes"

    def __init__(
        self,
        depth: int,
        *,
        width: int,
        padding: str,
        connection: str,
        encoder: str,
        c_in: int,
        num_classes: int,
        block: BlockKind,
        parts: Parts,
    ):
        super().__init__()
        _check(padding, connection, encoder)
        self.padding, self.connection, levels = padding, connection, poolings(depth)
        widths = [width << level for level in range(levels + 1)]
        pairs = zip([c_in, *widths], widths, strict=False)
        if encoder == "residual":
            self.down = nn.ModuleList(_residual(parts, block, a, b) for a, b in pairs)
        else:
            self.down = nn.ModuleList(_two(parts, a, b, padding) for a, b in pairs)
        dims = parts.dims
        self.pool = {2: nn.MaxPool2d, 3: nn.MaxPool3d}[dims](2)
        transposed = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}[dims]
        self.up = nn.ModuleList(transposed(2 * w, w, 2, 2) for w in reversed(widths[:-1]))
        joined = 2 if connection == "concat" else 1
        self.merge = nn.ModuleList(_two(parts, joined * w, w, padding) for w in reversed(widths[:-1]))
        self.head = parts.conv(width, num_classes, kernel_size=1, bias=True)

    @property
    def blocks(self) -> nn.ModuleList:
        """The encoder's and the decoder's, in order."""
        return nn.ModuleList([*self.down, *self.merge])

    def forward(self, x: Tensor) -> Tensor:
        *_, finest = self.levels(x)
        return self.head(finest)

    def levels(self, x: Tensor) -> Iterator[Tensor]:
        """What the convolutions of each level give, down and up again.

        Raises:
            ValueError: a size that poolings do not divide, or too small a one.
        """
        _check_size(x.shape[2:], len(self.up), self.padding)
        passed = []
        for level, convolve in enumerate(self.down):
            x = convolve(self.pool(x) if level else x)
            passed.append(x)
            yield x
        for up, merge, before in zip(self.up, self.merge, reversed(passed[:-1]), strict=True):
            x = merge(self._joined(before, up(x)))
            yield x

    @torch.no_grad()
    def in_tiles(self, x: Tensor, tile: int) -> Tensor:
        """Logits for every pixel, tile by tile: memory is bounded by a tile's.

        With padding=valid the input is mirrored beyond its border (overlap-tile), and the result is that of
        one pass over the whole mirrored input; with padding=same it is that of one pass over the input.
        Poolings meet all tiles alike. With norm=group, layer or instance, whose statistics are of what the
        network receives, they become those of a tile, and results differ.

        Args:
            x: (batch, c_in, *size); with padding=same, sizes that the poolings divide.
            tile: side of a tile's input, pixels; 572 as published.
        Returns:
            (batch, num_classes, *size).
        Raises:
            ValueError: a tile that cannot be pooled, or of which nothing would be left.
        Source: Ronneberger et al. 2015 (arXiv:1505.04597), section 2 and figure 2; there tiles are 388 pixels
        apart, here the 384 that four poolings divide.
        """
        step = 1 << len(self.up)
        if self.padding == "valid":
            _check_size(torch.Size([tile]), len(self.up), "valid")
            side = sides(tile, 5 * len(self.up) + 3, "valid")[-1]
            place = {"tile": tile, "side": side, "step": side // step * step}
            predict = tiles.overlapping
        else:
            _check_size(x.shape[2:], len(self.up), "same")
            margin = 6 * step  # the zeros around a tile reach less: 2, then halved + 2, ..., doubled + 2
            place = {"side": tile // step * step - 2 * margin, "margin": margin}
            predict = tiles.within
        if place.get("step", place["side"]) < 1:
            raise ValueError(f"a tile of side {tile} is all margin for {len(self.up)} poolings: enlarge it")
        return predict(self, x, **place)

    def _joined(self, before: Tensor, x: Tensor) -> Tensor:
        if self.connection == "none":
            return x
        for axis, size in enumerate(x.shape[2:], start=2):
            before = before.narrow(axis, (before.shape[axis] - size) // 2, size)
        return before + x if self.connection == "add" else torch.cat([before, x], 1)


def poolings(depth: int) -> int:
    """n of depth = 5n + 3.

    Raises:
        ValueError: depth does not have this form.
    """
    n, rest = divmod(depth - 3, 5)
    if n < 1 or rest:
        raise ValueError(f"model.depth of a U-Net must be 5n+3 (8, 13, 18, 23, ...), got {depth}")
    return n


def sides(side: int, depth: int, padding: str) -> list[int]:
    """Sides of what each level gives, down and up again, for an input of this side.

    Raises:
        ValueError: a pooling would divide an odd side, or nothing would be left.
    """
    lost, found, levels = 4 if padding == "valid" else 0, [], poolings(depth)
    for level in range(levels + 1):
        if level:
            if side % 2:
                raise ValueError(f"side {side} at level {level} of the U-Net is odd and cannot be pooled")
            side //= 2
        side -= lost
        found.append(side)
    for _ in range(levels):
        side = 2 * side - lost
        found.append(side)
    if min(found) < 1:
        raise ValueError("nothing would be left of the input")
    return found


def _check_size(size: torch.Size, levels: int, padding: str) -> None:
    for side in size:
        try:
            sides(side, 5 * levels + 3, padding)
        except ValueError as error:
            raise ValueError(
                f"an input of side {side} cannot be pooled {levels} times with padding={padding}: {error}"
            ) from error


def _check(padding: str, connection: str, encoder: str) -> None:
    for key, value, allowed in (
        ("padding", padding, PADDINGS),
        ("connection", connection, CONNECTIONS),
        ("encoder", encoder, ENCODERS),
    ):
        if value not in allowed:
            raise ValueError(f"model.{key} must be one of {', '.join(allowed)}, got {value}")
    if encoder == "residual" and padding == "valid":
        raise ValueError("model.encoder=residual adds inputs of equal size: set model.padding=same")


def _two(parts: Parts, c_in: int, c_out: int, padding: str) -> nn.Sequential:
    """Two convolutions, each with normalization (or, without one, a bias) and activation."""
    layers: list[nn.Module] = []
    for channels in (c_in, c_out):
        norm = parts.norm(c_out)
        conv = parts.conv(channels, c_out, bias=isinstance(norm, nn.Identity))
        if padding == "valid":
            conv.padding = tuple(0 for _ in conv.padding)
        layers += [conv, norm, parts.activation(c_out)]
    return nn.Sequential(*layers)


def _residual(parts: Parts, block: BlockKind, c_in: int, c_out: int) -> nn.Module:
    made = block(parts, c_in, c_out, 1)
    return nn.Sequential(made, made.tail()) if made.tail else made
