"""Layers that prepare images."""

from __future__ import annotations

import math

import numpy as np

from fastcnn import nn
from fastcnn.convnet.layer import Built, Image, Layer


def blur(layer: Layer) -> Built:
    """Each map convolved with a Gaussian, zeros around it."""
    image = layer.only_image()
    size = layer.section.integer("filterSize", least=1)
    if size not in (3, 5, 7, 9):
        raise layer.error(f"filterSize is {size}, expected 3, 5, 7 or 9", "filterSize")
    if size > image.height:
        raise layer.error(f"filterSize is {size}, more than images of {image.height} pixels", "filterSize")
    stdev = layer.section.real("stdev")
    if not stdev > 0:
        raise layer.error(f"stdev is {stdev}, expected above 0", "stdev")
    return Built(nn.GaussianBlur(size, stdev), [image], image)


def crop(layer: Layer) -> Built:
    """sizeX x sizeX pixels from row startY (startX) and column startX on."""
    section = layer.section
    image = layer.only_image()
    left = section.integer("startX", least=0)
    top = section.integer("startY", left, least=0)
    size = section.integer("sizeX", least=1)
    if max(left, top) + size > image.height:
        raise layer.error(f"sizeX is {size}, reaches out of images of {image.height} pixels", "sizeX")
    return Built(nn.Crop2d(top, left, size, size), [image], Image(image.channels, size, size))


def href(layer: Layer) -> Built:
    """Images mirrored, left to right."""
    image = layer.only_image()
    numbers = np.arange(math.prod(image)).reshape(image)
    mirrored = nn.GatherChannels(numbers[:, :, ::-1].reshape(-1))
    return Built(mirrored, [(numbers.size,)], (numbers.size,))


def nailbed(layer: Layer) -> Built:
    """Every stride-th pixel of every stride-th row, centred in the image."""
    image = layer.only_image()
    stride = layer.section.integer("stride", least=1)
    outputs = math.ceil(image.height / stride)
    start = (image.height - stride * (outputs - 1)) // 2
    module = nn.AvgPool2d(1, stride, start=start, output_size=outputs)
    return Built(module, [image], Image(image.channels, outputs, outputs))


def resize(layer: Layer) -> Built:
    """Images reduced `scale` times, bilinearly."""
    image = layer.only_image()
    scale = layer.section.real("scale")
    if not 0.5 <= scale <= 2:
        raise layer.error(f"scale is {scale}, expected 0.5 to 2", "scale")
    size = math.floor(image.height / scale)
    return Built(nn.ConvnetResize(scale), [image], Image(image.channels, size, size))


def rgb2yuv(layer: Layer) -> Built:
    """Red, green and blue as Y, U and V."""
    return _of_colours(layer, nn.RGBToYUV())


def rgb2lab(layer: Layer) -> Built:
    """Red, green and blue from 0 to 1 as L*, a* and b*; center subtracts 50 from L*."""
    return _of_colours(layer, nn.RGBToLab(layer.section.flag("center", False)))


def _of_colours(layer: Layer, module: nn.Module) -> Built:
    layer.only_input()
    layer.section.ignore("channels")  # always 3
    image = layer.image(3)
    return Built(module, [image], image)
