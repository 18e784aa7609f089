"""Image files as a network's stored images; needs Pillow, an extra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fastcnn.cli.parser import CommandError


def read_images(
    paths: list[Path], size: tuple[int, int], channels: int, invert: bool
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Image files as uint8 (n, channels, height, width) of the data's size, 255 white; grey for one channel,
    RGB for three.

    `invert` turns dark ink on a light ground into the data's light ink on black. Transparent parts are
    ground. An image is resized until it covers the size, and its centre taken, as of folders of images;
    shrinking averages, so a large scan comes out smooth.

    Raises:
        CommandError: Pillow is missing; a file is missing or is no image of 8 bits per channel; another
            number of channels.
    """
    if channels not in (1, 3):
        raise CommandError(f"the network reads {channels} channels; image files have 1 or 3")
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError as error:
        raise CommandError("predict reads images with Pillow: pip install 'fastcnn[images]'") from error
    height, width = size
    ground = "white" if invert else "black"
    images = np.empty((len(paths), height, width, channels), np.uint8)
    for image, path in zip(images, paths, strict=True):
        try:
            with Image.open(path) as opened:
                if opened.mode[0] in "IF":
                    raise ValueError(f"pixels of mode {opened.mode}, expected 8 bits per channel")
                upright = ImageOps.exif_transpose(opened).convert("RGBA")
        except FileNotFoundError as error:
            raise CommandError(f"{path}: no such file") from error
        except UnidentifiedImageError as error:
            raise CommandError(f"{path}: not an image that Pillow knows") from error
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise CommandError(f"{path}: unreadable image: {error}") from error
        opaque = Image.alpha_composite(Image.new("RGBA", upright.size, ground), upright)
        flat = opaque.convert("L" if channels == 1 else "RGB")
        resized = ImageOps.fit(flat, (width, height), Image.Resampling.BILINEAR)
        image[:] = np.asarray(resized).reshape(height, width, channels)
    planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    return 255 - planes if invert else planes
