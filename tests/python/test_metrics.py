"""Metrics against scikit-learn and hand-made cases; views against slices written out."""

import json

import numpy as np
import pytest
import references

from fastcnn import metrics
from fastcnn.views import predict_views, views

rng = np.random.default_rng(0)
SCORES = rng.standard_normal((300, 7))
LABELS = rng.integers(0, 7, 300)


def test_top_k_puts_the_largest_first_and_smaller_labels_first_among_equals():
    scores = np.array([[0.1, 0.5, 0.4, 0.5], [np.nan, 1.0, 2.0, 0.0]])
    assert metrics.top_k(scores, 3).tolist() == [[1, 3, 2], [2, 1, 3]]
    assert metrics.top_k(scores, 9).shape == (2, 4)
    for k in (1, 3):
        among = (metrics.top_k(SCORES, k) == LABELS[:, None]).any(axis=1)
        assert metrics.accuracy(SCORES, LABELS, k) == among.mean()
    with pytest.raises(ValueError, match="k=0"):
        metrics.top_k(scores, 0)


def test_confusion_matrix_and_report_are_scikit_learns():
    theirs = pytest.importorskip("sklearn.metrics")
    matrix = metrics.confusion_matrix(SCORES, LABELS)
    predicted = SCORES.argmax(axis=1)
    np.testing.assert_array_equal(matrix, theirs.confusion_matrix(LABELS, predicted))
    np.testing.assert_array_equal(matrix, metrics.confusion_matrix(predicted, LABELS.astype("uint8")))
    report = metrics.class_report(matrix)
    expected = theirs.precision_recall_fscore_support(LABELS, predicted)
    columns = report.precision, report.recall, report.f1, report.support
    for ours, other in zip(columns, expected, strict=True):
        np.testing.assert_allclose(ours, other, rtol=1e-14)
    macro = theirs.precision_recall_fscore_support(LABELS, predicted, average="macro")
    np.testing.assert_allclose(report.means(), macro[:3], rtol=1e-14)


def test_confusion_matrix_has_the_classes_that_do_not_occur():
    assert metrics.confusion_matrix(np.eye(4)[[1, 1]], [1, 2]).shape == (4, 4)
    assert metrics.confusion_matrix([0, 1], [0, 0], num_classes=3).tolist() == [[1, 1, 0], [0] * 3, [0] * 3]
    assert metrics.confusion_matrix(np.zeros((0, 5)), np.zeros(0, int)).tolist() == [[0] * 5] * 5


@pytest.mark.parametrize(
    ("output", "target"),
    [
        (SCORES, LABELS[:5]),
        (SCORES, LABELS + 0.5),
        (SCORES, LABELS[:, None]),
        (SCORES, LABELS + 1),
        (LABELS, LABELS - 1),
        (LABELS * 1.0, LABELS),
        (np.zeros((3, 0)), [0, 0, 0]),
    ],
)
def test_confusion_matrix_refuses_what_is_no_label(output, target):
    with pytest.raises(ValueError, match="confusion_matrix: "):
        metrics.confusion_matrix(output, target)


def test_report_of_a_class_never_seen_or_never_predicted_is_none_in_json():
    report = metrics.class_report([[2, 0, 0], [1, 0, 0], [0, 0, 0]], ["a", "b", "c"])
    rows = report.to_dicts()
    assert rows[0] == {"class": "a", "precision": 2 / 3, "recall": 1.0, "f1": 0.8, "support": 2}
    assert rows[1] == {"class": "b", "precision": None, "recall": 0.0, "f1": 0.0, "support": 1}
    assert rows[2] == {"class": "c", "precision": None, "recall": None, "f1": None, "support": 0}
    json.dumps(rows, allow_nan=False)
    assert report.means() == (2 / 3, 0.5, 0.4)
    lines = str(report).splitlines()
    assert lines[0].split() == ["class", "precision", "recall", "F1", "images"]
    assert lines[2].split() == ["b", "-", "0.0000", "0.0000", "1"]
    assert lines[-1].split() == ["mean", "0.6667", "0.5000", "0.4000", "3"]


def test_report_refuses_what_is_no_matrix():
    for matrix, names in ((np.zeros((2, 3)), ()), (np.zeros((2, 2)), ("a",))):
        with pytest.raises(ValueError, match="class_report: matrix"):
            metrics.class_report(matrix, names)


def test_top_confusions_are_the_commonest_mistakes():
    matrix = [[9, 1, 3], [0, 9, 0], [3, 2, 9]]
    assert metrics.top_confusions(matrix) == [(0, 2, 3), (2, 0, 3), (2, 1, 2), (0, 1, 1)]
    assert metrics.top_confusions(matrix, 1) == [(0, 2, 3)]
    assert metrics.top_confusions(np.eye(3, dtype=int)) == []


def test_views_are_corners_centre_and_their_mirror_images():
    x = rng.standard_normal((2, 3, 7, 8))
    windows = [x[:, :, t : t + 4, left : left + 5] for t, left in ((0, 0), (0, 3), (3, 0), (3, 3), (1, 1))]
    expected = [*windows, *(window[..., ::-1] for window in windows)]
    actual = list(views(x, (4, 5)))
    assert len(actual) == 10
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(list(views(x, (4, 5), mirror=False))) == 5
    with pytest.raises(ValueError, match="of at least"):
        list(views(x, (8, 8)))


def test_probabilities_of_views_are_averaged():
    x = rng.standard_normal((4, 1, 6, 6))
    weight = rng.standard_normal((16, 3))

    def predict(view):
        assert view.flags.c_contiguous
        return view.reshape(len(view), -1) @ weight

    p = predict_views(predict, x, (4, 4))
    expected = np.mean([references.softmax(predict(v.copy())) for v in views(x, (4, 4))], axis=0)
    np.testing.assert_allclose(p, expected)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(
        predict_views(predict, x[:, :, :4, :4], (4, 4), mirror=False),
        references.softmax(predict(x[:, :, :4, :4].copy())),
    )
