import numpy as np
from numpy.typing import NDArray

def resize_bilinear(
    images: NDArray[np.uint8] | NDArray[np.float32], height: int, width: int
) -> NDArray[np.float32]:
    """Resize a batch of images by bilinear interpolation with half-pixel centres.

    images: (n, h, w) or (n, h, w, c), uint8 or float32. Returns float32 of shape (n, height, width[, c])
    in the units of the input (bytes stay 0 to 255). Output pixel i lies at (i + 1/2) h / height - 1/2 of
    the input, clamped to the edge: PyTorch's interpolate(mode="bilinear", align_corners=False), which
    does not smooth when it shrinks. The GIL is released.

    Raises ValueError for another rank, an image without pixels or a size below 1, TypeError for another
    dtype.
    """
