"""Normalisation: rnorm and cnorm within maps, cmrnorm across them.

The parameter file says `scale` and `pow`; older files have them beside the layer, and `sizeX` for `size`.
"""

from __future__ import annotations

from fastcnn import nn
from fastcnn.convnet.layer import Built, Layer


def rnorm(layer: Layer) -> Built:
    """x / (minDiv + scale / size² · sum of x² over size x size pixels)^pow."""
    size, scale, power, least = _read(layer)
    return _built(layer, nn.SpatialResponseNorm(size, alpha=scale, beta=power, k=least))


def cnorm(layer: Layer) -> Built:
    """As rnorm, with the sum of squared differences to the mean of the window around each pixel."""
    size, scale, power, least = _read(layer)
    return _built(layer, nn.ContrastNorm(size, alpha=scale, beta=power, k=least))


def cmrnorm(layer: Layer) -> Built:
    """x / (minDiv + scale / size · sum of x² over `size` maps)^pow; blocked: over blocks of so many maps."""
    size, scale, power, least = _read(layer)
    blocked = layer.section.flag("blocked", False)
    return _built(layer, nn.LocalResponseNorm(size, alpha=scale, beta=power, k=least, blocked=blocked))


def _read(layer: Layer) -> tuple[int, float, float, float]:
    section, params = layer.section, layer.params
    size = section.integer("sizeX" if section.has("sizeX") else "size", least=1)
    scale, power = (
        (section if section.has(key) and not params.has(key) else params).real(key, least=0.0)
        for key in ("scale", "pow")
    )
    section.ignore("blocked")
    return size, scale, power, params.real("minDiv", 1.0)


def _built(layer: Layer, module: nn.Module) -> Built:
    image = layer.only_image()
    return Built(module, [image], image)
