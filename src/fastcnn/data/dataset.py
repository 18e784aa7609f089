"""What a dataset is: images and labels, for training and for testing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastcnn.data.augmentation import Augmentation
from fastcnn.data.idx import DataError
from fastcnn.data.image_files import ImageFiles
from fastcnn.data.loader import Loader
from fastcnn.data.preprocessing import MeanImage, Preprocessing
from fastcnn.data.split import stratified_split

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Split:
    """Images uint8 (n, height, width), 255 white, or in colour (n, channels, height, width), and integer
    labels (n). Images that stay in their files are an ImageFiles, which reads like an array."""

    images: np.ndarray[Any, np.dtype[np.uint8]] | ImageFiles
    labels: np.ndarray[Any, np.dtype[Any]]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Array | slice) -> Split:
        """The samples at `indices`."""
        images = self.images
        chosen = images.take(indices) if isinstance(images, ImageFiles) else images[indices]
        return Split(chosen, self.labels[indices])

    def hold_out(self, fraction: float, seed: int = 0) -> tuple[Split, Split]:
        """What is left, and a share of each class, as `stratified_split` chooses it."""
        kept, held = stratified_split(self.labels, fraction, seed)
        return self.take(kept), self.take(held)


@dataclass(frozen=True)
class Dataset:
    """Training and test images of one classification problem."""

    name: str
    train: Split
    test: Split
    class_names: tuple[str, ...]

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    def hold_out(self, fraction: float, seed: int = 0) -> tuple[Dataset, Split]:
        """This dataset without a share of each class's training images, and that share, for validation."""
        train, validation = self.train.hold_out(fraction, seed)
        return replace(self, train=train), validation

    def loaders(
        self, input_shape: tuple[int, int, int], batch_size: int = 64, *, seed: int = 0
    ) -> tuple[Loader, Loader]:
        """Training batches, shuffled, and test batches in order, for a network that reads `input_shape`.

        Both are normalised with the training images' mean and standard deviation.
        """
        return self.batches(Preprocessing.fit(self.train.images, input_shape), batch_size, seed=seed)

    def batches(
        self,
        prepare: Preprocessing | MeanImage,
        batch_size: int = 64,
        *,
        seed: int = 0,
        augment: Sequence[Augmentation] = (),
        balanced: bool = False,
        workers: int | None = None,
    ) -> tuple[Loader, Loader]:
        """As `loaders`, with images made inputs by `prepare`; augmentation and balance are of the training
        batches alone, and `Loader` says what they are."""
        train, test = self.train, self.test
        return (
            Loader(
                train.images,
                train.labels,
                batch_size,
                shuffle=True,
                balanced=balanced,
                seed=seed,
                augment=augment,
                transform=prepare,
                workers=workers,
            ),
            Loader(test.images, test.labels, batch_size, transform=prepare, workers=workers),
        )


def make_dataset(
    name: str, train: Split, test: Split, sources: list[str], class_names: tuple[str, ...] = ()
) -> Dataset:
    """A dataset whose parts fit together; classes without names are numbered.

    Args:
        sources: where training images and labels, and test images and labels, come from.

    Raises:
        DataError: they don't fit together.
    """
    if len(train) == 0:
        raise DataError(f"{sources[1]}: no training images")
    if train.images.shape[1:] != test.images.shape[1:]:
        raise DataError(
            f"{sources[2]}: images of {test.images.shape[1:]}, expected {train.images.shape[1:]} "
            "as in training"
        )
    num_classes = len(class_names) or int(train.labels.max()) + 1
    expected = f"expected below {num_classes}"
    if train.labels.max() >= num_classes:
        raise DataError(f"{sources[1]}: label {train.labels.max()}, {expected}, the number of class names")
    if len(test) and test.labels.max() >= num_classes:
        raise DataError(f"{sources[3]}: label {test.labels.max()}, {expected} as in training")
    return Dataset(name, train, test, class_names or tuple(map(str, range(num_classes))))
