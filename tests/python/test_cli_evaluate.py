"""`fastcnn eval`, `predict` and `features` beyond the defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_cli import fails, run_json
from test_cli_convnet import files

from fastcnn import metrics, models
from fastcnn.cli import main
from fastcnn.cli.run_folder import load_trained, read_run
from fastcnn.cli.trained import _wider
from fastcnn.data import Preprocessing, load
from fastcnn.train import Trainer
from fastcnn.views import views


@pytest.fixture(scope="module")
def grey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """lenet after an epoch of the digits."""
    run = tmp_path_factory.mktemp("runs") / "grey"
    assert main(["train", "--epochs", "1", "--out", str(run)]) == 0
    return run


@pytest.fixture(scope="module")
def colour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """cifar_quick after an epoch of images that are red, green or blue."""
    folder = tmp_path_factory.mktemp("colour")
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    images = rng.integers(0, 60, (90, 32, 32, 3), np.uint8)
    images[np.arange(90), :, :, labels] += 180
    np.savez(
        folder / "rgb.npz", x_train=images[:60], y_train=labels[:60], x_test=images[60:], y_test=labels[60:]
    )
    argv = ["train", "cifar_quick", "--data", str(folder / "rgb.npz"), "--epochs", "8", "--batch-size", "10"]
    assert main([*argv, "--out", str(folder / "run")]) == 0
    return folder / "run"


def scores(run: Path) -> Any:
    description = read_run(run)
    trainer = Trainer(load_trained(run, description)[0])
    return trainer.predict(description.preprocessing(load(description.data).test.images))


def test_eval_prints_top_k_and_each_class(capsys: pytest.CaptureFixture[str], grey: Path) -> None:
    result = run_json(capsys, "eval", grey, "--top-k", 3, "--per-class")
    output, labels = scores(grey), load("digits").test.labels
    assert result["test_accuracy"] == metrics.accuracy(output, labels)
    assert (result["top_k"], result["top_k_accuracy"]) == (3, metrics.accuracy(output, labels, 3))
    matrix = metrics.confusion_matrix(output, labels)
    assert result["confusion_matrix"] == matrix.tolist()
    assert result["per_class"] == metrics.class_report(matrix).to_dicts()

    assert main(["eval", str(grey), "--top-k", "3", "--per-class"]) == 0
    out = capsys.readouterr().out
    assert f"top-3 accuracy {result['top_k_accuracy']:.4f}" in out
    assert "precision" in out and "times" in out and "taken for" in out


def test_eval_averages_views(capsys: pytest.CaptureFixture[str], grey: Path, colour: Path) -> None:
    one, five, ten = (run_json(capsys, "eval", grey, "--views", views) for views in (1, 5, 10))
    assert [result["views"] for result in (one, five, ten)] == [1, 5, 10]
    assert five["test_accuracy"] > 0.7  # shifted digits are still digits, mirrored ones are not
    assert len({result["test_loss"] for result in (one, five, ten)}) == 3
    assert run_json(capsys, "eval", colour, "--views", 10)["test_accuracy"] == 1
    assert "--views" in fails(capsys, 2, "eval", grey, "--views", 3)


def test_eval_averages_views_of_a_network_with_a_mean_image(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    layers, params = files(tmp_path)
    argv = ["train", str(layers), "--params", str(params), "--epochs", "3"]
    assert main([*argv, "--out", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    one, five = (run_json(capsys, "eval", tmp_path / "run", "--views", views) for views in (1, 5))
    assert one["test_accuracy"] > 0.7 and five["test_accuracy"] > 0.3
    assert one["test_loss"] != five["test_loss"]


@pytest.mark.parametrize(("crop", "size"), [(False, (32, 32)), (True, (40, 36))])
def test_views_are_windows_of_the_whole_image_where_the_network_reads_its_centre(
    crop: bool, size: tuple[int, int]
) -> None:
    prepare = Preprocessing((40, 36), (3, 28, 28), 0.5, 0.25, crop)
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 40, 36), np.uint8)
    whole = _wider(prepare)(images)
    assert whole.shape == (2, 3, *size)
    *_, centre = views(whole, (28, 28), mirror=False)
    np.testing.assert_array_equal(centre, prepare(images))
    if not crop:
        np.testing.assert_array_equal(whole[..., 0], whole[..., 2])


def test_predict_tells_colours_and_ranks_classes(
    capsys: pytest.CaptureFixture[str], colour: Path, tmp_path: Path
) -> None:
    image = pytest.importorskip("PIL.Image")
    files = []
    for name in ("red", "lime", "blue"):
        image.new("RGB", (50, 40), name).save(tmp_path / f"{name}.png")
        files.append(tmp_path / f"{name}.png")
    predictions = run_json(capsys, "predict", colour, *files, "--top-k", 2)["predictions"]
    assert [p["index"] for p in predictions] == [0, 1, 2]
    for p in predictions:
        assert p["top_k"][0]["class"] == p["class"]
        assert len(p["top_k"]) == 2 and p["top_k"][0]["probability"] > p["top_k"][1]["probability"]
    assert main(["predict", str(colour), str(files[0]), "--top-k", "3"]) == 0
    assert capsys.readouterr().out.count("%") == 3


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_features_are_those_of_the_layer(
    capsys: pytest.CaptureFixture[str], grey: Path, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"features.{suffix}"
    result = run_json(capsys, "features", grey, "--layer", "fc1", "--out", out, "--batch-size", 64)
    if suffix == "npz":
        with np.load(out, allow_pickle=False) as archive:
            arrays = dict(archive)
        assert arrays["layer"] == "fc1" and list(arrays["class_names"]) == list("0123456789")
    else:
        arrays = pytest.importorskip("safetensors.numpy").load_file(out)
    description = read_run(grey)
    model, _ = load_trained(grey, description)
    digits = load("digits")
    for name, split in (("train", digits.train), ("test", digits.test)):
        assert result["shapes"][f"x_{name}"] == [len(split), 500]
        expected = model.features(description.preprocessing(split.images), "fc1")
        np.testing.assert_allclose(arrays[f"x_{name}"], expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(arrays[f"y_{name}"], split.labels)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]

    assert main(["features", str(grey), "--layer", "pool2", "--out", str(out)]) == 0
    assert "1437×50×4×4" in capsys.readouterr().out


def test_features_says_what_is_wrong(capsys: pytest.CaptureFixture[str], grey: Path, tmp_path: Path) -> None:
    out = tmp_path / "f.npz"
    message = fails(capsys, 2, "features", grey, "--layer", "fc11", "--out", out)
    names = ", ".join(name for name, _ in models.lenet().named_modules() if name)
    assert f"no layer 'fc11'; did you mean fc1?; the layers are {names}" in message
    message = fails(capsys, 2, "features", grey, "--layer", "fc1", "--out", tmp_path / "f.csv")
    assert "ends in .npz or .safetensors" in message
    message = fails(capsys, 1, "features", grey, "--layer", "fc1", "--out", tmp_path / "no" / "f.npz")
    assert "no such folder" in message
    assert list(tmp_path.iterdir()) == []
