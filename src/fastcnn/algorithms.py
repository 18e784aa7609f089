"""Which convolution algorithms models may use."""

from __future__ import annotations

from fastcnn import _clock, _core


def conv_algorithms() -> list[str]:
    """Names of the algorithms that convolutions may use, in the order in which they are asked."""
    return _core.conv_algorithms().split(",")


def set_conv_algorithms(names: str) -> None:
    """Chooses what convolutions may use, in models that were called before, too.

    Winograd's algorithms round differently from a sum of products: "-winograd" forbids them. The
    environment variable FASTCNN_CONV says the same before the process starts.

    Args:
        names: "auto" for every algorithm; names, separated by commas, for these alone, or with a minus in
            front for all but these. The first part of a name stands for all that begin with it. Where
            none of them can do a layer, im2col does.

    Raises:
        ValueError: a name is unknown.
    """
    _core.set_conv_algorithms(names)
    _clock.tick()
