"""Shares of a dataset, class weights, balanced batches, and labels that a model can't have."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import Trainer, data, nn, optim
from fastcnn.data import Loader, Split, check_labels, class_weights, stratified_split

LABELS = np.repeat([0, 1, 2, 5], [50, 31, 9, 1])


@pytest.mark.parametrize("fraction", [0, 0.01, 0.1, 0.25, 0.5, 0.9])
def test_split_holds_out_the_same_share_of_each_class(fraction: float) -> None:
    kept, held = stratified_split(LABELS, fraction)
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), np.arange(len(LABELS)))
    assert (np.diff(kept) > 0).all() and (np.diff(held) > 0).all()
    assert abs(len(held) - fraction * len(LABELS)) <= 1
    exact = fraction * np.bincount(LABELS)
    assert (np.abs(np.bincount(LABELS[held], minlength=6) - exact) <= 1).all()
    assert set(LABELS[kept]) == set(LABELS)


def test_split_follows_from_the_seed() -> None:
    np.testing.assert_array_equal(stratified_split(LABELS, 0.3, 1)[1], stratified_split(LABELS, 0.3, 1)[1])
    assert stratified_split(LABELS, 0.3, 1)[1].tolist() != stratified_split(LABELS, 0.3, 2)[1].tolist()


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_fraction_is_checked(fraction: float) -> None:
    with pytest.raises(ValueError, match="expected 0 <= fraction < 1"):
        stratified_split(LABELS, fraction)


def test_dataset_holds_out_images_for_validation() -> None:
    digits = data.load("digits")
    rest, validation = digits.hold_out(0.2, seed=3)
    assert len(rest.train) + len(validation) == len(digits.train) and len(validation) == 287
    assert rest.test is digits.test
    kept, held = stratified_split(digits.train.labels, 0.2, 3)
    np.testing.assert_array_equal(validation.images, digits.train.images[held])
    np.testing.assert_array_equal(rest.train.labels, digits.train.labels[kept])


def test_split_takes_slices() -> None:
    split = Split(np.zeros((4, 2, 2), np.uint8), np.arange(4)).take(slice(1, 3))
    assert split.labels.tolist() == [1, 2] and len(split.images) == 2


def test_class_weights_are_those_of_scikit_learn() -> None:
    utils = pytest.importorskip("sklearn.utils.class_weight")
    classes = np.unique(LABELS)
    weights = class_weights(LABELS)
    expected = utils.compute_class_weight("balanced", classes=classes, y=LABELS)
    np.testing.assert_allclose(weights[classes], expected, rtol=1e-6)
    assert weights.dtype == np.float32 and weights.tolist()[3:5] == [0, 0]
    assert class_weights(LABELS, 8).shape == (8,)


def test_class_weights_weight_the_loss() -> None:
    weights = class_weights(np.array([0, 0, 0, 1]))
    logits = np.array([[2, 0], [2, 0], [2, 0], [2, 0]], np.float32)
    loss = nn.CrossEntropyLoss(weight=weights)(logits, np.array([0, 0, 0, 1])).item()
    right, wrong = np.log1p(np.exp(-2)), np.log1p(np.exp(2))
    assert loss == pytest.approx((right + wrong) / 2, rel=1e-6)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 4, 7], r"label 4 of sample 2, expected 0 to 3, .* 4 outputs; 2 of 4 labels are out of range"),
        ([0, -1], r"label -1 of sample 1, expected 0 to 3"),
        ([0.0, 1.0], r"labels are \(2,\) float64, expected \(n\) integers"),
        ([[0], [1]], r"labels are \(2, 1\) int64"),
    ],
)
def test_labels_that_a_model_cannot_have_are_named(labels: list[object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_labels(np.array(labels), 4)
    check_labels(np.array([0, 3], np.uint8), 4)


def test_training_on_such_labels_is_refused() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    trainer = Trainer(model, None, optim.SGD(model.parameters(), lr=0.1))
    images = np.zeros((6, 1, 2, 2), np.float32)
    with pytest.raises(ValueError, match="target 3 at index 1 is out of range, expected 0 to 2"):
        trainer.fit(Loader(images, np.array([0, 1, 2, 0, 2, 3]), 2), 1)


def test_balanced_epochs_show_each_class_equally_often() -> None:
    loader = Loader(np.arange(len(LABELS)), LABELS, 7, shuffle=True, balanced=True)
    for _ in range(3):
        x, y = map(np.concatenate, zip(*loader, strict=True))
        np.testing.assert_array_equal(LABELS[x], y)
        assert len(x) == loader.samples == len(LABELS)
        counts = np.bincount(y)[[0, 1, 2, 5]]
        assert counts.max() - counts.min() <= 1
        times = np.bincount(x, minlength=len(LABELS))
        for members in (times[:50], times[50:81], times[81:90]):  # each sample of a class equally often
            assert np.ptp(members) <= 1


def test_balanced_order_follows_from_seed_and_epoch() -> None:
    first, second = (
        [x.tolist() for x, _ in Loader(np.arange(91), LABELS, 91, shuffle=True, balanced=True)]
        for _ in range(2)
    )
    assert first == second
    with pytest.raises(ValueError, match="balanced needs shuffle=True"):
        Loader(np.arange(91), LABELS, balanced=True)
