"""Pooling: pool within maps, cmpool across them."""

from __future__ import annotations

import math
from typing import Any

from fastcnn import nn
from fastcnn.convnet.layer import Built, Image, Layer


def pool(layer: Layer) -> Built:
    """Windows of sizeX pixels, from `start` on, as many as cover the image unless outputsX says how many.

    Means are over the part of a window in the image; with `sum` they are sums.
    """
    section = layer.section
    image = layer.only_image()
    kind = section.choice("pool", ("max", "maxabs", "avg"))
    size = section.integer("sizeX", least=1)
    stride = section.integer("stride", least=1)
    start = section.integer("start", 0)
    outputs = section.integer("outputsX", 0, least=0)
    sums = section.flag("sum", False)
    if size > image.height:
        raise layer.error(f"sizeX is {size}, more than images of {image.height} pixels", "sizeX")
    if stride > size:
        raise layer.error(f"stride is {stride}, more than sizeX, {size}", "stride")
    covering = math.ceil((image.height - start - size) / stride) + 1
    outputs = outputs or covering
    if start <= -size or outputs < 1 or start + (outputs - 1) * stride >= image.height:
        raise layer.error(f"a window lies outside of images of {image.height} pixels", "start")
    where: dict[str, Any] = {"start": start, "output_size": outputs}
    if (start, outputs) == (0, covering):
        where = {"ceil_mode": True}
    if kind == "max":
        module: nn.Module = nn.MaxPool2d(size, stride, **where)
    elif kind == "maxabs":
        module = nn.MaxAbsPool2d(size, stride, **where)
    elif sums:
        module = nn.SumPool2d(size, stride, **where)
    else:
        module = nn.AvgPool2d(size, stride, count_include_pad=False, **where)
    return Built(module, [image], Image(image.channels, outputs, outputs))


def cmpool(layer: Layer) -> Built:
    """The largest of `size` neighbouring maps at each place, from map `start` on, every `stride` maps."""
    section = layer.section
    image = layer.only_image()
    section.choice("pool", ("max",))
    size = section.integer("size", least=1)
    stride = section.integer("stride", least=1)
    start = section.integer("start", 0)
    outputs = section.integer("outputs", least=1)
    if size > image.channels:
        raise layer.error(f"size is {size}, more than {image.channels} maps", "size")
    if stride > size:
        raise layer.error(f"stride is {stride}, more than size, {size}", "stride")
    if start > 0 or start + (outputs - 1) * stride + size < image.channels:
        raise layer.error(f"the windows don't cover {image.channels} maps", "outputs")
    if start <= -size or start + (outputs - 1) * stride >= image.channels:
        raise layer.error(f"a window lies outside of {image.channels} maps", "outputs")
    module = nn.MaxPoolChannels(size, stride, start=start, output_size=outputs)
    return Built(module, [image], Image(outputs, image.height, image.width))
