"""From stored images to what a network reads."""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fastcnn.data._augment import scale_and_shift
from fastcnn.data._resize import resize_bilinear
from fastcnn.data.image_files import ImageFiles, sample_images

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
FloatArray = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Preprocessing:
    """Makes network inputs of images, in training and in prediction alike.

    x = (resize(image) / 255 - mean) / std, resized bilinearly, or cropped in the middle; a grey image is the
    same in each channel. An image that has the network's size already, such as what augmentation cropped, is
    left at it.

    Attributes:
        image_size: (height, width) of the stored images, in pixels.
        input_shape: (channels, height, width) that the network reads.
        mean, std: of the training images, in units of full white = 1; a number, or one per channel.
        crop: the centre of the network's size is taken of an image that is larger, instead of the whole
        resized.
    """

    image_size: tuple[int, int]
    input_shape: tuple[int, int, int]
    mean: float | tuple[float, ...] = 0.0
    std: float | tuple[float, ...] = 1.0
    crop: bool = False

    @classmethod
    def fit(
        cls, images: Bytes | ImageFiles, input_shape: tuple[int, int, int], *, crop: bool = False
    ) -> Preprocessing:
        """Normalises each channel with the mean and standard deviation of `images`, uint8 (n, height, width)
        or (n, channels, height, width); of images that stay in their files, with those of 1000 of them.
        """
        *_, height, width = images.shape
        sample = sample_images(images) if isinstance(images, ImageFiles) else images
        statistics = (
            [_mean_and_std(sample[:, c]) for c in range(sample.shape[1])]
            if sample.ndim == 4
            else [_mean_and_std(sample)]
        )
        mean, std = ((m[0] if len(m) == 1 else m) for m in zip(*statistics, strict=True))
        return cls((height, width), input_shape, mean, std, crop)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Preprocessing:
        """The inverse of to_dict; KeyError, TypeError or ValueError where fields are missing or wrong."""
        height, width = map(int, fields["image_size"])
        channels, input_height, input_width = map(int, fields["input_shape"])
        return cls(
            (height, width),
            (channels, input_height, input_width),
            _numbers(fields["mean"]),
            _numbers(fields["std"]),
            bool(fields.get("crop", False)),
        )

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON types."""
        return asdict(self)

    def __call__(self, images: Bytes | FloatArray) -> FloatArray:
        """uint8, or float32 from 0 to 255, (n, height, width) or (n, channels, height, width) -> float32
        (n, channels, height, width) of the network's size, its channels last in memory, as the engine has
        them.

        Raises:
            ValueError: images of another size than these settings are for, or of other colours.
        """
        channels, height, width = self.input_shape
        size, colours = images.shape[-2:], images.shape[1:-2]
        if size not in (self.image_size, (height, width)) or colours not in ((), (1,), (channels,)):
            raise ValueError(
                f"images are {images.shape}, expected (n, {self.image_size[0]}, {self.image_size[1]}) or "
                f"(n, {channels}, {self.image_size[0]}, {self.image_size[1]})"
            )
        x: Any = images if images.ndim == 4 else images[:, None]
        top, left = (size[0] - height) // 2, (size[1] - width) // 2
        if self.crop and top >= 0 and left >= 0:
            x = x[:, :, top : top + height, left : left + width]
        elif size != (height, width):
            x = resize_bilinear(x.reshape(-1, *size), height, width).reshape(*x.shape[:2], height, width)
        mean, std = np.asarray(self.mean), np.asarray(self.std)
        scale = np.broadcast_to(1 / (255 * std), channels).astype(np.float32)
        shift = np.broadcast_to(-mean / std, channels).astype(np.float32)
        return scale_and_shift(
            np.ascontiguousarray(x),
            scale,
            np.broadcast_to(shift[:, None, None], (len(x), channels, height, width)),
            True,
        )


def _mean_and_std(plane: Bytes) -> tuple[float, float]:
    """Mean and standard deviation, in units of full white; without spread 1 for the latter."""
    counts = np.zeros(256, np.int64)
    for start in range(0, len(plane), 1024):  # bincount makes int64 of its input
        counts += np.bincount(plane[start : start + 1024].reshape(-1), minlength=256)
    if not counts.any():
        return 0.0, 1.0
    levels = np.arange(256) / 255
    mean = float(np.average(levels, weights=counts))
    return mean, float(np.average((levels - mean) ** 2, weights=counts)) ** 0.5 or 1.0


def _numbers(value: Any) -> float | tuple[float, ...]:
    return tuple(map(float, value)) if isinstance(value, list | tuple) else float(value)


@dataclass(frozen=True)
class MeanImage:
    """Makes network inputs of images as cuda-convnet does: x = image - mean, from 0 to 255, not resized.

    Attributes:
        mean: of the training images, pixel by pixel, float32 (channels, height, width).
    """

    mean: FloatArray

    @classmethod
    def fit(cls, images: Bytes | ImageFiles) -> MeanImage:
        """The mean of `images`, uint8 (n, height, width) or (n, channels, height, width); of images that stay
        in their files, of 1000 of them."""
        sample = sample_images(images) if isinstance(images, ImageFiles) else images
        mean = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
        return cls(mean.reshape(-1, *mean.shape[-2:]))

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> MeanImage:
        """The inverse of to_dict; KeyError, TypeError or ValueError where fields are missing or wrong."""
        numbers = np.frombuffer(base64.b64decode(fields["mean_image"]), "<f4").astype(np.float32)
        return cls(numbers.reshape(fields["input_shape"]))

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON types: the mean's bytes as base64."""
        numbers = base64.b64encode(self.mean.astype("<f4").tobytes()).decode()
        return {"input_shape": list(self.input_shape), "mean_image": numbers}

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) that the network reads."""
        channels, height, width = self.mean.shape
        return channels, height, width

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the stored images, in pixels."""
        return self.input_shape[1:]

    def __call__(self, images: Bytes | FloatArray) -> FloatArray:
        """uint8, or float32 from 0 to 255, (n, height, width) or (n, channels, height, width) -> float32
        (n, channels, height, width), its channels last in memory, as the engine has them.

        Raises:
            ValueError: images of another shape than the mean.
        """
        shaped: Any = images[:, None] if images.ndim == 3 else images
        if shaped.shape[1:] != self.mean.shape:
            raise ValueError(
                f"images are {images.shape}, expected (n, {', '.join(map(str, self.mean.shape))})"
            )
        shift = np.broadcast_to(-self.mean, shaped.shape)
        return scale_and_shift(np.ascontiguousarray(shaped), np.ones(len(self.mean), np.float32), shift, True)


def preprocessing_from_dict(fields: dict[str, Any]) -> Preprocessing | MeanImage:
    """What a `to_dict` wrote; KeyError, TypeError or ValueError where fields are missing or wrong."""
    kind: type[Preprocessing] | type[MeanImage] = MeanImage if "mean_image" in fields else Preprocessing
    return kind.from_dict(fields)
