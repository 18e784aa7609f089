"""From stored images to what a network reads."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fastcnn.data._resize import resize_bilinear

FloatArray = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Preprocessing:
    """Makes network inputs of grey images, in training and in prediction alike.

    x = (resize(image) / 255 - mean) / std, resized bilinearly, the same in each channel.

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
        """Normalises with the mean and standard deviation of `images`, uint8 (n, height, width)."""
        counts = np.bincount(images.reshape(-1), minlength=256)
        levels = np.arange(256) / 255
        mean = float(np.average(levels, weights=counts)) if images.size else 0.0
        variance = float(np.average((levels - mean) ** 2, weights=counts)) if images.size else 0.0
        _, height, width = images.shape
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
        """uint8 (n, height, width) -> float32 (n, channels, height, width) of the network's size.

        Raises:
            ValueError: images of another size than these settings are for.
        """
        if images.ndim != 3 or images.shape[1:] != self.image_size:
            raise ValueError(
                f"images are {images.shape}, expected (n, {self.image_size[0]}, {self.image_size[1]})"
            )
        channels, height, width = self.input_shape
        x = resize_bilinear(images, height, width) if (height, width) != self.image_size else images
        x = x * np.float32(1 / (255 * self.std))
        x -= np.float32(self.mean / self.std)
        return np.repeat(x[:, None], channels, axis=1) if channels > 1 else x[:, None]
