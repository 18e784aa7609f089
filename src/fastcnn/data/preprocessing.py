"""From stored images to what a network reads."""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fastcnn.data._resize import resize_bilinear

FloatArray = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Preprocessing:
    """Makes network inputs of images, in training and in prediction alike.

    x = (resize(image) / 255 - mean) / std, resized bilinearly; a grey image is the same in each channel.

    Attributes:
        image_size: (height, width) of the stored images, in pixels.
        input_shape: (channels, height, width) that the network reads.
        mean, std: of the training images, in units of full white = 1.
    """

    image_size: tuple[int, int]
    input_shape: tuple[int, int, int]
    mean: float = 0.0
    std: float = 1.0

    @classmethod
    def fit(
        cls, images: np.ndarray[Any, np.dtype[np.uint8]], input_shape: tuple[int, int, int]
    ) -> Preprocessing:
        """Normalises with the mean and standard deviation of all of `images`, uint8 (n, height, width) or
        (n, channels, height, width)."""
        counts = np.bincount(images.reshape(-1), minlength=256)
        levels = np.arange(256) / 255
        mean = float(np.average(levels, weights=counts)) if images.size else 0.0
        variance = float(np.average((levels - mean) ** 2, weights=counts)) if images.size else 0.0
        *_, height, width = images.shape
        return cls((height, width), input_shape, mean, variance**0.5 or 1.0)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Preprocessing:
        """The inverse of to_dict; KeyError, TypeError or ValueError where fields are missing or wrong."""
        height, width = map(int, fields["image_size"])
        channels, input_height, input_width = map(int, fields["input_shape"])
        return cls(
            (height, width),
            (channels, input_height, input_width),
            float(fields["mean"]),
            float(fields["std"]),
        )

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON types."""
        return asdict(self)

    def __call__(self, images: np.ndarray[Any, np.dtype[np.uint8]]) -> FloatArray:
        """uint8 (n, height, width) or (n, channels, height, width) -> float32 (n, channels, height, width) of
        the network's size.

        Raises:
            ValueError: images of another size than these settings are for, or of other colours.
        """
        channels, height, width = self.input_shape
        colours = images.shape[1:-2]
        if images.shape[-2:] != self.image_size or colours not in ((), (1,), (channels,)):
            raise ValueError(
                f"images are {images.shape}, expected (n, {self.image_size[0]}, {self.image_size[1]}) or "
                f"(n, {channels}, {self.image_size[0]}, {self.image_size[1]})"
            )
        planes = images.reshape(-1, *self.image_size)
        x = resize_bilinear(planes, height, width) if (height, width) != self.image_size else planes
        x = x * np.float32(1 / (255 * self.std))
        x -= np.float32(self.mean / self.std)
        x = x.reshape(len(images), -1, height, width)
        return np.repeat(x, channels, axis=1) if x.shape[1] < channels else x


@dataclass(frozen=True)
class MeanImage:
    """Makes network inputs of images as cuda-convnet does: x = image - mean, from 0 to 255, not resized.

    Attributes:
        mean: of the training images, pixel by pixel, float32 (channels, height, width).
    """

    mean: FloatArray

    @classmethod
    def fit(cls, images: np.ndarray[Any, np.dtype[np.uint8]]) -> MeanImage:
        """The mean of `images`, uint8 (n, height, width) or (n, channels, height, width)."""
        mean = images.mean(axis=0, dtype=np.float64).astype(np.float32)
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

    def __call__(self, images: np.ndarray[Any, np.dtype[np.uint8]]) -> FloatArray:
        """uint8 (n, height, width) or (n, channels, height, width) -> float32 (n, channels, height, width).

        Raises:
            ValueError: images of another shape than the mean.
        """
        shaped = images[:, None] if images.ndim == 3 else images
        if shaped.shape[1:] != self.mean.shape:
            raise ValueError(
                f"images are {images.shape}, expected (n, {', '.join(map(str, self.mean.shape))})"
            )
        return np.subtract(shaped, self.mean, dtype=np.float32)


def preprocessing_from_dict(fields: dict[str, Any]) -> Preprocessing | MeanImage:
    """What a `to_dict` wrote; KeyError, TypeError or ValueError where fields are missing or wrong."""
    kind: type[Preprocessing] | type[MeanImage] = MeanImage if "mean_image" in fields else Preprocessing
    return kind.from_dict(fields)
