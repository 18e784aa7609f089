"""Changes of images that a network learns not to mind.

Each is called as augmentation(images, labels, draws) and returns images and labels: images (n, c, h, w),
uint8 or float32 from 0 to 255, and a `Draws` that decides what happens to each sample. Where bytes would need
rounding, the result is float32. The kernels release the GIL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from fastcnn.data._augment import crop, erase, jitter, scale_and_shift
from fastcnn.data._resize import resize_bilinear
from fastcnn.data.draws import Draws
from fastcnn.data.image_files import ImageFiles, sample_images

Array = np.ndarray[Any, Any]

Augmentation: TypeAlias = Callable[[Array, Array, Draws], tuple[Array, Array]]
Size: TypeAlias = "int | tuple[int, int]"


@dataclass(frozen=True)
class RandomCrop:
    """A window of the image, anywhere, after `padding` pixels of `fill` were put around it.

    Args:
        size: of the window: height and width, or one number for both.

    Raises:
        ValueError: the padded image is smaller than the window.
    """

    size: Size
    padding: int = 0
    fill: float = 0.0

    def __call__(self, images: Array, labels: Array, draws: Draws) -> tuple[Array, Array]:
        height, width = _pair(self.size)
        rows, columns = _room(self, images, self.padding)
        top, left = draws.integers(rows + 1) - self.padding, draws.integers(columns + 1) - self.padding
        return crop(images, top, left, _no(images), height, width, self.fill), labels


@dataclass(frozen=True)
class CenterCrop:
    """The window in the middle of the image.

    Raises:
        ValueError: the image is smaller than the window.
    """

    size: Size

    def __call__(self, images: Array, labels: Array, draws: Draws) -> tuple[Array, Array]:  # noqa: ARG002
        height, width = _pair(self.size)
        rows, columns = _room(self, images, 0)
        top, left = (np.full(len(images), room // 2, np.intp) for room in (rows, columns))
        return crop(images, top, left, _no(images), height, width, 0), labels


@dataclass(frozen=True)
class RandomHorizontalFlip:
    """Left and right exchanged, with probability `p`."""

    p: float = 0.5

    def __call__(self, images: Array, labels: Array, draws: Draws) -> tuple[Array, Array]:
        flip = (draws.uniform()[:, 0] < self.p).astype(np.uint8)
        corner = np.zeros(len(images), np.intp)
        return crop(images, corner, corner, flip, images.shape[2], images.shape[3], 0), labels


@dataclass(frozen=True)
class Resize:
    """The image resized bilinearly, so that its shorter side has `size` pixels; float32.

    Shrinking does not smooth.
    """

    size: int

    def __call__(self, images: Array, labels: Array, draws: Draws) -> tuple[Array, Array]:  # noqa: ARG002
        n, c, height, width = images.shape
        shorter = min(height, width)
        target = (round(height * self.size / shorter), round(width * self.size / shorter))
        return resize_bilinear(images.reshape(n * c, height, width), *target).reshape(n, c, *target), labels


@dataclass(frozen=True)
class Cutout:
    """A square of the image filled, its centre anywhere in the image, so that it may reach over the edge
    [DeVries and Taylor, "Improved regularization of convolutional neural networks with cutout", 2017].

    Args:
        size: of the square.
        fill: a level from 0 to 255, or one per channel. The paper's is the mean of the data.
    """

    size: int
    fill: float | Sequence[float] = 0.0

    def __call__(self, images: Array, labels: Array, draws: Draws) -> tuple[Array, Array]:
        _, c, height, width = images.shape
        fill = np.broadcast_to(np.asarray(self.fill), c).astype(images.dtype)
        top, left = draws.integers(height) - self.size // 2, draws.integers(width) - self.size // 2
        return erase(images, top, left, self.size, self.size, fill), labels


@dataclass(frozen=True)
class ColorJitter:
    """Other brightness, contrast and saturation, in this order, of images in red, green and blue; float32.

    Each is a blend v' = other + f (v - other), clipped to 0 to 255, with f drawn uniformly from 1 - amount to
    1 + amount: with black, with the mean level of the image in grey, and with the pixel in grey [Haeberli and
    Voorhies, "Image processing by interpolation and extrapolation", 1994].

    Args:
        brightness, contrast, saturation: the amounts, from 0, which leaves it as it is, to 1.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    def __call__(self, images: Array, labels: Array, draws: Draws) -> tuple[Array, Array]:
        _need_colours(self, images)
        amounts = np.array((self.brightness, self.contrast, self.saturation))
        factors = 1 + amounts * draws.uniform(-1, 1, 3)
        return jitter(images, factors.astype(np.float32)), labels


@dataclass(frozen=True)
class PCANoise:
    """A colour added to all pixels of the image: along each principal component of the data's colours,
    normally distributed with `std` times the standard deviation that the data has along it; float32, not
    clipped [Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural
    networks", 2012, section 4.1; the paper says eigenvalues, cuda-convnet2 has their square roots, as here].

    Args:
        components: (3, 3), a column of red, green and blue per component, as long as the standard deviation
            of the data along it, in levels from 0 to 255. `PCANoise.fit` finds them.
    """

    components: Sequence[Sequence[float]]
    std: float = 0.1

    @classmethod
    def fit(cls, images: Array | ImageFiles, std: float = 0.1) -> PCANoise:
        """For images like these, uint8 (n, 3, height, width); looks at up to 1000 of them.

        Raises:
            ValueError: they aren't in colour.
        """
        sample = sample_images(images)
        _need_colours(cls, sample)
        variances, vectors = np.linalg.eigh(np.cov(sample.transpose(1, 0, 2, 3).reshape(3, -1)))
        largest = np.take_along_axis(vectors, np.abs(vectors).argmax(0)[None], axis=0)
        vectors *= np.copysign(1, largest)  # a component's sign is anyone's choice
        return cls(tuple(map(tuple, (vectors * np.sqrt(np.maximum(variances, 0))).tolist())), std)

    def __call__(self, images: Array, labels: Array, draws: Draws) -> tuple[Array, Array]:
        _need_colours(self, images)
        colours = self.std * draws.normal(3) @ np.asarray(self.components).T
        shift = np.broadcast_to(colours.astype(np.float32)[:, :, None, None], images.shape)
        return scale_and_shift(images, np.ones(3, np.float32), shift, False), labels


@dataclass(frozen=True)
class Mixup:
    """Each image mixed with another one of the batch, and their labels, too, which become distributions:
    float32 (n, num_classes), as nn.CrossEntropyLoss takes them. One share per batch, from Beta(alpha, alpha)
    [Zhang, Cissé, Dauphin and Lopez-Paz, "mixup: beyond empirical risk minimization", 2018].
    """

    num_classes: int
    alpha: float = 0.2

    def __call__(self, images: Array, labels: Array, draws: Draws) -> tuple[Array, Array]:
        generator = draws.generator()
        share = np.float32(generator.beta(self.alpha, self.alpha))
        other = generator.permutation(len(images))
        targets = np.eye(self.num_classes, dtype=np.float32)[labels]
        return _mix(images.astype(np.float32, copy=False), other, share), _mix(targets, other, share)


def _mix(values: Array, other: Array, share: np.float32) -> Array:
    mixed: Array = values * share
    mixed += values[other] * (np.float32(1) - share)
    return mixed


def _pair(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def _room(augmentation: RandomCrop | CenterCrop, images: Array, padding: int) -> tuple[int, int]:
    """Rows and columns that are left over beside the window."""
    height, width = _pair(augmentation.size)
    rows, columns = images.shape[2] + 2 * padding - height, images.shape[3] + 2 * padding - width
    if rows < 0 or columns < 0:
        raise ValueError(f"{augmentation}: images are {images.shape[2:]}, smaller than the window")
    return rows, columns


def _no(images: Array) -> Array:
    return np.zeros(len(images), np.uint8)


def _need_colours(augmentation: object, images: Array) -> None:
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"{augmentation}: images are {images.shape}, expected (n, 3, height, width)")
