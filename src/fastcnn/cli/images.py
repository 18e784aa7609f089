"""Image files as a network's stored images; needs Pillow, an extra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fastcnn.cli.parser import CommandError


def read_images(
    paths: list[Path], size: tuple[int, int], invert: bool
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Image files as uint8 (n, height, width) of the data's size, grey, 255 white.

    `invert` turns dark ink on a light ground into the data's light ink on black. Transparent parts are
    ground. Shrinking averages, so a large scan comes out smooth.

    Raises:
        CommandError: Pillow is missing, or a file is missing or is no image.
    """
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError as error:
        raise CommandError("predict reads images with Pillow: pip install 'fastcnn[images]'") from error
    height, width = size
    ground = "white" if invert else "black"
    images = np.empty((len(paths), height, width), np.uint8)
    for image, path in zip(images, paths, strict=True):
        try:
            with Image.open(path) as opened:
                upright = ImageOps.exif_transpose(opened).convert("RGBA")
        except FileNotFoundError as error:
            raise CommandError(f"{path}: no such file") from error
        except UnidentifiedImageError as error:
            raise CommandError(f"{path}: not an image that Pillow knows") from error
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise CommandError(f"{path}: broken image: {error}") from error
        grey = Image.alpha_composite(Image.new("RGBA", upright.size, ground), upright).convert("L")
        image[:] = np.asarray(grey.resize((width, height), Image.Resampling.BILINEAR))
    return 255 - images if invert else images
