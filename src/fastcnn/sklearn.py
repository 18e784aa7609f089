"""A convolutional network as a classifier of scikit-learn (the extra `sklearn`)."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from fastcnn import models, nn, optim, random
from fastcnn.data import Loader
from fastcnn.data._resize import resize_bilinear
from fastcnn.ops import softmax
from fastcnn.train import NonFiniteError, Progress, Trainer

try:
    import safetensors.numpy as safetensors
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.class_weight import compute_class_weight
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        f"fastcnn.sklearn: {error}; it needs scikit-learn 1.6 or newer and safetensors: "
        "pip install 'fastcnn[sklearn]'"
    ) from error

__all__ = ["CNNClassifier"]

Array = np.ndarray[Any, Any]
Shape = tuple[int, int, int]

# The package's random numbers are one sequence per process: who borrows it must be alone.
_borrowed = threading.Lock()


class CNNClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classifies images by a convolutional network, trained by SGD with momentum while the learning rate
    falls as half a cosine.

    X is images as rows (n, features), each in the order channels, rows, columns, or as arrays
    (n, height, width) or (n, channels, height, width). They are normalised by the training images' mean and
    standard deviation of each channel and, for a network made for another size, resized.

    Args:
        model: a name of `fastcnn.models`; or a function of image_shape (channels, height, width) and the
            number of classes that returns a Module of logits; None for two convolutions of 3x3 with pooling
            and a linear layer.
        image_shape: of images given as rows, (height, width) or (channels, height, width). When left out,
            rows of a square number of features are square grey images, and others images of one row.
        epochs: how often all images are seen.
        batch_size: images per step.
        lr, momentum, weight_decay: of `fastcnn.optim.SGD`; the rate is the first.
        class_weight: of the loss: None, "balanced" or a dict by class, as in scikit-learn.
        random_state: of weights, order and dropout.
        verbose: prints a line per epoch.

    Attributes:
        classes_: the labels, sorted.
        image_shape_: (channels, height, width) of the images given.
        model_: the trained Module.
        mean_, scale_: of the training images, per channel.
        loss_curve_: mean training loss of each epoch.
        n_features_in_: numbers per image.

    Prediction goes by whole batches, the last one filled up: what an image gets doesn't depend on which
    others it is given with, but for the last digits where `fastcnn.info` names another GEMM than "native":
    a BLAS may sum a row in another order elsewhere in the batch. Pickles hold the weights as safetensors, and
    a `model` function by its name. Processes of joblib each use all cores unless FASTCNN_NUM_THREADS=1 says
    otherwise.
    """

    def __init__(
        self,
        model: str | Callable[[Shape, int], nn.Module] | None = None,
        *,
        image_shape: tuple[int, ...] | None = None,
        epochs: int = 30,
        batch_size: int = 32,
        lr: float = 0.05,
        momentum: float = 0.9,
        weight_decay: float = 5e-4,
        class_weight: str | dict[Any, float] | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.image_shape = image_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.class_weight = class_weight
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> CNNClassifier:
        """Trains a new network on images X and labels y (n), numbers or strings.

        Raises:
            ValueError: X or y can't be read or don't fit together or the model; training diverged.
        """
        rows, shape = _as_rows(X)
        rows, y = validate_data(self, rows, y, dtype=np.float32)
        check_classification_targets(y)
        self.image_shape_ = shape or _shape_of_rows(rows.shape[1], self.image_shape)
        self.classes_, labels = np.unique(y, return_inverse=True)
        planes = rows.reshape(len(rows), self.image_shape_[0], -1)
        self.mean_ = planes.mean(axis=(0, 2), dtype=np.float64)
        deviation = planes.std(axis=(0, 2), dtype=np.float64)
        self.scale_ = np.where(deviation > 0, deviation, 1.0)
        self._made_by = self.model
        weight = (
            None
            if self.class_weight is None
            else compute_class_weight(self.class_weight, classes=self.classes_, y=y).astype(np.float32)
        )
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        with _seeded(seed):
            self.model_ = self._make_model()
            optimizer = optim.SGD(
                self.model_.parameters(),
                lr=self.lr,
                momentum=self.momentum,
                weight_decay=self.weight_decay,
            )
            batches = Loader(rows, labels, self.batch_size, shuffle=True, seed=seed, transform=self._prepare)
            schedule = optim.CosineAnnealingLR(optimizer, self.epochs * len(batches))
            trainer = Trainer(self.model_, nn.CrossEntropyLoss(weight=weight), optimizer, schedule)
            try:
                history = trainer.fit(batches, self.epochs, callbacks=[Progress()] if self.verbose else [])
            except NonFiniteError as error:
                raise ValueError(f"{error}: training diverged; lower lr") from error
            self.loss_curve_ = history.column("train_loss")
        return self

    def predict_proba(self, X: Any) -> Array:
        """Probabilities (n, classes), in the order of classes_."""
        check_is_fitted(self)
        rows, shape = _as_rows(X)
        rows = validate_data(self, rows, dtype=np.float32, reset=False)
        if shape is not None and shape != self.image_shape_:
            raise ValueError(f"images are {shape}, expected {self.image_shape_} as in training")
        filled = np.zeros((-(-len(rows) // self.batch_size) * self.batch_size, rows.shape[1]), np.float32)
        filled[: len(rows)] = rows
        trainer = Trainer(self.model_)
        logits = [
            trainer.predict(self._prepare(filled[start : start + self.batch_size]))
            for start in range(0, len(filled), self.batch_size)
        ]
        return softmax(np.concatenate(logits)[: len(rows)])

    def predict(self, X: Any) -> Array:
        """The likeliest class of each image (n)."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]  # type: ignore[no-any-return]

    def _make_model(self) -> nn.Module:
        make = self._made_by
        if make is None:
            return _small_network(self.image_shape_, len(self.classes_))
        if isinstance(make, str):
            return models.find(make).build(len(self.classes_))
        return make(self.image_shape_, len(self.classes_))

    def _prepare(self, rows: Array) -> Array:
        """Rows as the network reads them."""
        channels, height, width = self.model_.input_shape or self.image_shape_
        x = rows.reshape(-1, *self.image_shape_)
        x = (x - self.mean_[:, None, None].astype(np.float32)) / self.scale_[:, None, None].astype(np.float32)
        if x.shape[2:] != (height, width):
            x = resize_bilinear(x.reshape(-1, *x.shape[2:]), height, width)
            x = x.reshape(-1, self.image_shape_[0], height, width)
        return np.repeat(x, channels, axis=1) if x.shape[1] == 1 else x

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "model_" in state:
            state["model_"] = safetensors.save(self.model_.state_dict())
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        weights = state.get("model_")
        super().__setstate__({name: value for name, value in state.items() if name != "model_"})
        if weights is not None:
            with _seeded(0):
                self.model_ = self._make_model()
            self.model_.load_state_dict(safetensors.load(weights))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Random numbers from `seed` for the length of a block, then from where they were."""
    with _borrowed:
        before = random.get_state()
        random.manual_seed(seed)
        try:
            yield
        finally:
            random.set_state(before)


def _as_rows(X: Any) -> tuple[Any, Shape | None]:
    """Arrays of images as rows, and the shape of an image; other things as they are, and None."""
    ndim = getattr(X, "ndim", 2)
    if ndim not in (3, 4):
        return X, None
    images = np.asarray(X)
    shape = (1, *images.shape[1:]) if ndim == 3 else images.shape[1:]
    return images.reshape(len(images), -1), shape


def _shape_of_rows(features: int, image_shape: tuple[int, ...] | None) -> Shape:
    if image_shape is None:
        side = math.isqrt(features)
        return (1, side, side) if side * side == features else (1, 1, features)
    shape = tuple(image_shape)
    if len(shape) not in (2, 3) or math.prod(shape) != features:
        raise ValueError(f"image_shape is {shape}, of {math.prod(shape)} numbers; rows have {features}")
    channels, height, width = shape if len(shape) == 3 else (1, *shape)
    return channels, height, width


def _small_network(shape: Shape, num_classes: int) -> nn.Module:
    channels, height, width = shape
    layers: list[nn.Module] = []
    for outputs in (16, 32):
        window = min(2, height), min(2, width)
        layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(window)]
        channels, height, width = outputs, height // window[0], width // window[1]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * height * width, num_classes))
