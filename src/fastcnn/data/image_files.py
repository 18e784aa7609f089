"""Image files as arrays; needs Pillow, the extra `images`."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastcnn import _core
from fastcnn.data.idx import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

Bytes = np.ndarray[Any, np.dtype[np.uint8]]

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm", ".pgm", ".tif", ".tiff"))
_MAX_BYTES = 2 << 30  # of images held in memory
_CHUNK = 64  # images that a thread decodes at a time
_MODES = {1: "L", 3: "RGB"}


class ImageFiles:
    """Images that stay in their files and are decoded when asked for.

    Reads like an array uint8 (n, channels, height, width), in which indices give decoded images: `files[3]`
    one, `files[[3, 1]]` two. An image of another size is resized, smoothly, until it covers the size, and its
    centre is taken.

    Args:
        paths: of the files.
        size: (height, width) of the images it gives.
        channels: 3 for red, green and blue, 1 for grey.

    Raises:
        ImportError: Pillow is missing.
        ValueError: other channels.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, paths: Sequence[Path], size: tuple[int, int], channels: int = 3) -> None:
        if channels not in (1, 3):
            raise ValueError(f"channels is {channels}, expected 1 or 3")
        _import_pillow()
        self.paths = list(paths)
        self.size = size
        self.channels = channels

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (len(self.paths), self.channels, *self.size)

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, indices: slice | np.ndarray[Any, Any]) -> ImageFiles:
        """The files at `indices`, not decoded."""
        return ImageFiles([self.paths[i] for i in np.arange(len(self))[indices]], self.size, self.channels)

    def __getitem__(self, index: Any) -> Bytes:
        """Decoded images.

        Raises:
            OSError: a file is missing or can't be read.
            DataError: a file is no image, or a broken one.
        """
        chosen = np.arange(len(self))[index]
        images = np.empty((chosen.size, *self.shape[1:]), np.uint8)
        for image, i in zip(images, chosen.reshape(-1), strict=True):
            image[:] = _planes(_fit(_open(self.paths[i], self.channels, self.size), self.size))
        return images.reshape(*chosen.shape, *self.shape[1:])


def read_images(paths: Sequence[Path], size_of_unlike: int) -> Bytes | ImageFiles:
    """All images in memory, decoded in parallel, where they are of one size and take at most 2 GiB: uint8
    (n, height, width) if all are grey, else (n, 3, height, width). Otherwise they stay in their files and
    give squares of `size_of_unlike` pixels.

    Raises:
        ImportError: Pillow is missing.
        OSError, DataError: a file can't be read, or is no image.
    """
    _import_pillow()
    first = _open(paths[0], None)
    for channels in (1, 3) if first.mode == "L" else (3,):
        shape = (len(paths), channels, first.height, first.width)
        images = _read_alike(paths, shape) if math.prod(shape) <= _MAX_BYTES else None
        if images is not None:
            return images[:, 0] if channels == 1 else images
    return ImageFiles(paths, (size_of_unlike, size_of_unlike))


def sample_images(images: Bytes | ImageFiles, count: int = 1000) -> Bytes:
    """Images from all over the set, `count` at most."""
    chosen: Bytes = images[np.linspace(0, max(len(images) - 1, 0), min(count, len(images))).astype(np.intp)]
    return chosen


def _read_alike(paths: Sequence[Path], shape: tuple[int, int, int, int]) -> Bytes | None:
    """The images as one array, or None where one isn't of its shape; grey ones may be among coloured."""
    _, channels, height, width = shape
    images = np.empty(shape, np.uint8)

    def read(start: int) -> bool:
        chunk = slice(start, start + _CHUNK)
        for image, path in zip(images[chunk], paths[chunk], strict=True):
            opened = _open(path, None if channels == 1 else 3)
            if opened.size != (width, height) or (channels == 1 and opened.mode != "L"):
                return False
            image[:] = _planes(opened)
        return True

    with ThreadPoolExecutor(_core.num_threads()[0]) as pool:
        chunks = [pool.submit(read, start) for start in range(0, len(paths), _CHUNK)]
        try:
            alike = all(chunk.result() for chunk in chunks)
        finally:
            for chunk in chunks:
                chunk.cancel()
    return images if alike else None


def _open(path: Path, channels: int | None, size: tuple[int, int] | None = None) -> Image:
    """The image upright, with its transparent parts black: mode "L" or "RGB" by `channels`, or as it is
    stored where that is None. A JPEG that is larger than `size` may come at a fraction that still covers
    it."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            if size is not None:
                opened.draft(None, (max(size), max(size)))
            ImageOps.exif_transpose(opened, in_place=True)
            if opened.mode[0] in "IF":
                raise ValueError(f"pixels of mode {opened.mode}, expected 8 bits per channel")
            if channels is None:
                channels = 1 if opened.mode in ("1", "L") else 3
            image: Image.Image = opened
            if opened.has_transparency_data:
                image = Image.new("RGBA", opened.size, "black")
                image.alpha_composite(opened.convert("RGBA"))
            return image.convert(_MODES[channels])
    except UnidentifiedImageError as error:
        raise DataError(f"{path}: not an image that Pillow knows") from error
    except OSError as error:
        if error.filename is not None:  # the system's, not Pillow's
            raise
        raise DataError(f"{path}: unreadable image: {error}") from error
    except (SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: unreadable image: {error}") from error


def _fit(image: Image, size: tuple[int, int]) -> Image:
    """Resized until it covers (height, width), and the centre of that."""
    from PIL import Image

    height, width = size
    if (image.height, image.width) == size:
        return image
    scale = min(image.height / height, image.width / width)
    left, top = (image.width - width * scale) / 2, (image.height - height * scale) / 2
    box = (left, top, left + width * scale, top + height * scale)
    return image.resize((width, height), Image.Resampling.BILINEAR, box=box)


def _planes(image: Image) -> Bytes:
    """uint8 (channels, height, width)."""
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _import_pillow() -> None:
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise ImportError("image files are read with Pillow: pip install 'fastcnn[images]'") from error
