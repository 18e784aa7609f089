"""Network in network."""

from __future__ import annotations

from fastcnn import nn


class NIN(nn.Sequential):
    """Three convolutions, each followed by two of 1x1, and the classes as averages over maps.

    Lin, Chen and Yan, "Network in network" (2014), as the authors' cuda-convnet file NIN/cifar-10_def has it
    (1x1 convolutions are its "cccp" layers). Reads (n, 3, 32, 32), returns logits (n, num_classes); 966,986
    parameters for 10 classes. Weights start as N(0, 0.05), biases as 0.
    """

    input_shape = (3, 32, 32)

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__(
            {
                **_stage(1, nn.Conv2d(3, 192, 5, padding=2), 160, 96),
                "pool1": nn.MaxPool2d(3, stride=2, ceil_mode=True),
                "dropout1": nn.Dropout(0.5),
                **_stage(2, nn.Conv2d(96, 192, 5, padding=2), 192, 192),
                "pool2": nn.MaxPool2d(3, stride=2, ceil_mode=True),
                "dropout2": nn.Dropout(0.5),
                **_stage(3, nn.Conv2d(192, 192, 3, padding=1), 192, num_classes),
                "poolg": nn.AdaptiveAvgPool2d((1, 1)),
                "flatten": nn.Flatten(),
            }
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.normal_(module.weight, std=0.05)
                nn.init.zeros_(module.bias)


def _stage(number: int, conv: nn.Conv2d, hidden: int, c_out: int) -> dict[str, nn.Module]:
    first, second = f"cccp{2 * number - 1}", f"cccp{2 * number}"
    return {
        f"conv{number}": conv,
        f"relu{number}": nn.ReLU(),
        first: nn.Conv2d(conv.out_channels, hidden, 1),
        f"{first}_relu": nn.ReLU(),
        second: nn.Conv2d(hidden, c_out, 1),
        f"{second}_relu": nn.ReLU(),
    }


def nin(num_classes: int = 10) -> NIN:
    """Network in network for images (n, 3, 32, 32)."""
    return NIN(num_classes)
