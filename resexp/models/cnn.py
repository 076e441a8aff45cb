"""A small convolutional network with fully connected layers behind it, as before residual networks."""

from collections.abc import Sequence

from torch import Tensor, nn

from resexp.models.parts import Parts, as_images


class CNN(nn.Module):
    """Convolutions, each followed by max-pooling of 2, one hidden fully connected layer, classifier.

    Input (batch, c_in, height, width) for dims=2, (batch, c_in, length) for dims=1; output logits
    (batch, num_classes).

    Args:
        depth: weight layers: the convolutions and two.
        width: channels of the first convolution, doubled in each of the next.
        kernel_size: of the convolutions, odd.
        hidden: units of the hidden layer.
        c_in, num_classes, parts: as in ResNet.
        size: of the input, (height, width) or (length,).
    Raises:
        ValueError: depth below 3, an input that is too small for the pooling, or shortcuts.
    Source: the form of LeNet-5 (LeCun et al. 1998). Departures: one hidden layer, and the chosen parts.
    """

    def __init__(
        self,
        depth: int,
        *,
        width: int,
        kernel_size: int,
        hidden: int,
        c_in: int,
        size: Sequence[int],
        num_classes: int,
        parts: Parts,
    ):
        super().__init__()
        parts.refuse_shortcuts("cnn")
        convolutions = depth - 2
        if convolutions < 1 or min(size) < 2**convolutions:
            raise ValueError(
                f"model.depth must be at least 3, and inputs of size {list(size)} can be halved by"
                f" {min(size).bit_length() - 1} convolutions at most: depth {min(size).bit_length() + 1};"
                f" got {depth}"
            )
        self.blocks, channels = nn.ModuleList(), c_in
        for stage in range(convolutions):
            wide = width << stage
            layer = parts.conv(channels, wide, kernel_size=kernel_size, bias=True)
            pool = parts.pool("Max", 2, 2)
            self.blocks.append(nn.Sequential(layer, parts.norm(wide), parts.activation(wide), pool))
            channels = parts.activated(wide)
        for side in size:
            channels *= side >> convolutions
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels, hidden),
            parts.activation(hidden),
            nn.Linear(parts.activated(hidden), num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = as_images(x)
        for block in self.blocks:
            x = block(x)
        return self.head(x)
