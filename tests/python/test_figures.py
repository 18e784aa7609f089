"""Figures: what they draw of the numbers given, and that nothing in them is cut off."""

import numpy as np
import pytest

from fastcnn import figures
from fastcnn.data import ImageFiles
from fastcnn.train.results import Epoch, History

pytest.importorskip("matplotlib", reason="needs matplotlib, an extra: fastcnn[plots]")
Text = pytest.importorskip("matplotlib.text").Text
FigureCanvasAgg = pytest.importorskip("matplotlib.backends.backend_agg").FigureCanvasAgg

rng = np.random.default_rng(0)
LOG = [
    {
        "epoch": epoch,
        "train_loss": 2.0**-epoch,
        "train_accuracy": 1 - 0.5**epoch,
        "validation_loss": 2.0**-epoch + 0.01 * epoch,
        "validation_accuracy": 0.9 - 0.01 * (epoch - 6) ** 2,
        "lr": 0.1 / epoch,
        "seconds": 1.0,
    }
    for epoch in range(1, 9)
]
NAMES = [f"class {i}" for i in range(6)]
LABELS = np.arange(30) % 6
SCORES = rng.random((30, 6)) + 0.5 * np.eye(6)[LABELS]
SHARES = SCORES / SCORES.sum(axis=1, keepdims=True)
GREY = rng.integers(0, 256, (30, 9, 7), np.uint8)
COLOUR = rng.integers(0, 256, (30, 3, 9, 7), np.uint8)


def render(figure):
    """Draws the figure, which must hold all that is drawn; its texts."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn, whole = figure.get_tightbbox(canvas.get_renderer()), figure.bbox_inches
    inside = (
        drawn.x0 > -0.01 and drawn.y0 > -0.01 and drawn.x1 < whole.x1 + 0.01 and drawn.y1 < whole.y1 + 0.01
    )
    assert inside, f"{drawn} in {whole}"
    return [text.get_text() for text in figure.findobj(Text) if text.get_text().strip()]


def test_curves_have_lines_for_what_is_known_and_mark_the_best_epoch():
    figure = figures.curves(LOG)
    texts = render(figure)
    assert {"loss", "accuracy", "learning rate", "epoch", "training", "validation"} <= set(texts)
    assert "0.9000 in epoch 6" in texts
    loss, accuracy, rate = figure.axes
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), [entry["train_loss"] for entry in LOG])
    np.testing.assert_array_equal(accuracy.lines[1].get_ydata(), [e["validation_accuracy"] for e in LOG])
    assert (loss.get_yscale(), accuracy.get_yscale(), rate.get_yscale()) == ("log", "linear", "linear")


def test_curves_of_what_fit_returns():
    history = History([Epoch(i, 1 / i, 0.5, None, None, 0.1, 1.0, 10, {"norm": 2.0}) for i in (1, 2, 3)])
    figure = figures.curves(history)
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), [1, 1 / 2, 1 / 3])


def test_curves_of_one_epoch_without_validation():
    one = {**LOG[0], "validation_loss": None, "lr": 0.0}
    del one["validation_accuracy"]
    figure = figures.curves([one])
    assert "validation" not in render(figure)
    assert [len(axes.lines) for axes in figure.axes] == [1, 1, 1]
    with pytest.raises(ValueError, match="no epochs"):
        figures.curves([])


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((20, 1, 5, 5), "conv1: 20 filters of 5×5"),
        ((96, 3, 11, 11), "conv1: 96 filters of 11×11"),
        ((300, 1, 3, 3), "conv1: 256 of 300 filters of 3×3"),
        ((32, 20, 3, 3), "conv1: 16 of 32 filters of 3×3, a row each: 16 of 20 channels"),
        ((4, 2, 1, 1), "conv1: 4 filters of 1×1, a row each"),
        ((1, 1, 1, 1), "conv1: 1 filters of 1×1"),
    ],
)
def test_filters_are_scaled_one_by_one(shape, text):
    weight = rng.standard_normal(shape) * rng.uniform(1e-3, 1e3, (shape[0], 1, 1, 1))
    figure = figures.filters(weight, "conv1")
    assert text in render(figure)
    tiles = np.asarray(figure.axes[0].images[0].get_array())
    first = weight[0] / abs(weight[0]).max()
    if shape[1] == 3:
        np.testing.assert_allclose(tiles[: shape[2], : shape[3]], first.transpose(1, 2, 0) / 2 + 0.5)
    else:
        np.testing.assert_allclose(tiles[: shape[2], : shape[3]], first[0])


def test_filters_of_a_dead_layer_are_drawn():
    render(figures.filters(np.zeros((4, 1, 3, 3))))
    for shape in ((4, 3, 3), (0, 1, 3, 3)):
        with pytest.raises(ValueError, match="expected"):
            figures.filters(np.zeros(shape))


def test_maps_of_several_layers_and_of_one():
    values = {
        "conv1": rng.standard_normal((20, 6, 6)),
        "relu1": rng.random((3, 3, 5)),
        "dead": np.zeros((2, 1, 1)),
    }
    texts = render(figures.maps(GREY[0], values, "image 0"))
    assert {"conv1: 8 of 20 maps of 6×6", "relu1: 3 maps of 3×5", "dead: 2 maps of 1×1", "image 0"} <= set(
        texts
    )
    assert "conv1: 20 maps of 6×6" in render(figures.maps(COLOUR[0], {"conv1": values["conv1"]}))
    assert "c: 64 of 512 maps of 2×2" in render(figures.maps(COLOUR[0], {"c": rng.random((512, 2, 2))}))
    for wrong in ({}, {"fc": rng.random(5)}):
        with pytest.raises(ValueError, match="maps: layers"):
            figures.maps(GREY[0], wrong)


@pytest.mark.parametrize("images", [GREY, GREY[:, None], COLOUR])
def test_predictions_name_the_likeliest_classes_in_order(images):
    texts = render(figures.predictions(images[:7], SHARES[:7], LABELS[:7], NAMES, k=3))
    first = [NAMES[i] for i in np.argsort(-SHARES[0])[:3]]
    assert texts[texts.index(first[0], texts.index(NAMES[0])) :][:1] == first[:1]
    assert len(texts) == 7 * 4
    with pytest.raises(ValueError, match="predictions: images"):
        figures.predictions(images[:2], SHARES[:3], LABELS[:3], NAMES)


def test_more_classes_asked_for_than_there_are_is_all_of_them():
    assert len(render(figures.predictions(GREY[:1], SHARES[:1, :2], [1], NAMES))) == 3


def test_errors_are_mistakes_the_least_likely_right_class_first():
    worst = figures.worst_mistakes(SHARES, LABELS)
    assert len(worst) and all(SHARES[i].argmax() != LABELS[i] for i in worst)
    assert list(worst) == sorted(worst, key=lambda i: SHARES[i, LABELS[i]])
    assert len(figures.worst_mistakes(SHARES, LABELS, 2)) == 2
    texts = render(figures.errors(COLOUR, SHARES, LABELS, NAMES))
    said = SHARES[worst[0]].argmax()
    assert f"is {NAMES[LABELS[worst[0]]]}\nsaid {NAMES[said]}, {SHARES[worst[0], said]:.0%}" in texts
    assert len(render(figures.errors(GREY, SHARES, LABELS, NAMES, count=1))) == 1
    assert "no mistakes in 6 images" in render(figures.errors(GREY[:6], np.eye(6), np.arange(6), NAMES))


@pytest.mark.parametrize("classes", [1, 2, 10, 30, 100])
def test_confusion_has_a_row_per_class(classes):
    matrix = rng.integers(0, 50, (classes, classes))
    matrix[0] = 0  # a class without images
    texts = render(figures.confusion(matrix, [f"a long name {i}" for i in range(classes)]))
    assert {"true class", "predicted class", "share of the class"} <= set(texts)
    assert ("a long name 0" in texts) == (classes <= 40)
    if classes == 10:
        assert str(matrix[3, 4]) in texts
    with pytest.raises(ValueError, match="expected a row per name"):
        figures.confusion(matrix, NAMES[:3] if classes != 3 else NAMES)


def test_a_figure_that_exists_is_drawn_into():
    from matplotlib.figure import Figure

    mine = Figure()
    assert figures.curves(LOG, figure=mine) is mine
    figures.confusion(np.eye(3, dtype=int), "abc", figure=mine)  # nothing of the curves is left
    assert "learning rate" not in render(mine)


def test_images_that_stay_in_their_files_are_read_one_by_one(tmp_path, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    paths = [tmp_path / f"{i}.png" for i in range(30)]
    for path, pixels in zip(paths, COLOUR, strict=True):
        image.fromarray(pixels.transpose(1, 2, 0)).save(path)
    images = ImageFiles(paths, (9, 7))
    read = []
    one = ImageFiles.__getitem__
    monkeypatch.setattr(ImageFiles, "__getitem__", lambda files, i: read.append(i) or one(files, i))
    render(figures.errors(images, SHARES, LABELS, NAMES, count=2))
    assert read == list(figures.worst_mistakes(SHARES, LABELS, 2))
