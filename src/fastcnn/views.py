"""Several views of an image, and what a classifier makes of them together.

Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks" (2012),
section 4.1: the four corners and the centre of an image and their mirror images, ten views, over which the
network's probabilities are averaged. cuda-convnet calls that multiview testing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastcnn._arrays import Array, as_array
from fastcnn.engine.layout import is_images
from fastcnn.ops import softmax

__all__ = ["predict_views", "views"]


def views(x: Any, size: tuple[int, int], *, mirror: bool = True) -> Iterator[Array]:
    """Windows of `size` (height, width) out of images (n, c, h, w): top left, top right, bottom left, bottom
    right, centre, and with `mirror` the same five flipped left to right. They share the images' memory.

    Raises:
        ValueError: images of other axes, or smaller than the windows.
    """
    images = as_array(x, "x")
    height, width = size
    if not is_images(images.shape) or not (0 < height <= images.shape[2] and 0 < width <= images.shape[3]):
        raise ValueError(f"views: images {images.shape}, expected (n, c, h, w) of at least {size}")
    bottom, right = images.shape[2] - height, images.shape[3] - width
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right), (bottom // 2, right // 2)]
    for flipped in (False, True) if mirror else (False,):
        for top, left in corners:
            window = images[:, :, top : top + height, left : left + width]
            yield window[..., ::-1] if flipped else window


def predict_views(
    predict: Callable[[Array], Any], x: Any, size: tuple[int, int], *, mirror: bool = True
) -> Array:
    """Probabilities (n, classes), averaged over the ten `views` of each image, or five without `mirror`.

    Args:
        predict: gives logits (n, classes) of images (n, c, height, width), such as `Trainer.predict`.
        x, size, mirror: as `views` has them.
    """
    each = [softmax(predict(np.ascontiguousarray(view))) for view in views(x, size, mirror=mirror)]
    return np.mean(each, axis=0)  # type: ignore[no-any-return]
