"""`fastcnn train layers.cfg --params layer-params.cfg`, and eval of what it wrote."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from convnet_files import write
from test_cli import fails, run_json

from fastcnn.cli import main
from fastcnn.data import load

LAYERS = """
[data]
type=data
dataIdx=0
[labels]
type=data
dataIdx=1
[conv1]
type=conv
inputs=data
channels={channels}
filters=8
filterSize=3
padding=1
initW=0.01
neuron=relu
[pool1]
type=pool
pool=max
inputs=conv1
channels=8
sizeX=3
stride=2
[fc10]
type=fc
outputs={classes}
inputs=pool1
initW=0.01
[probs]
type=softmax
inputs=fc10
[logprob]
type=cost.logreg
inputs=labels,probs
"""
PARAMS = """
[DEFAULT]
epsW=0.001
epsB=0.002
momW=0.9
momB=0.9
wc=0.004
[logprob]
coeff=1
"""


# The layer types of cuda-convnet's file for gradient checks.
CHECKED = """
[data]
type=data
dataIdx=0
[labels]
type=data
dataIdx=1
[conv]
type=conv
inputs=data
channels=3
filters=8
filterSize=3
initW=0.3
neuron=linear[2,0.5]
[pool]
type=pool
pool=avg
inputs=conv
channels=8
sizeX=3
stride=3
start=-1
[local]
type=local
inputs=pool
channels=8
filters=2
groups=2
randSparse=true
filterSize=3
padding=1
stride=2
initW=0.2
neuron=tanh[1.5,-0.5]
[fc]
type=fc
outputs={classes}
inputs=local,conv
initW=0.5,0.02
[probs]
type=softmax
inputs=fc
[logprob]
type=cost.logreg
inputs=labels,probs
"""


def files(folder: Path, channels: int = 1, classes: int = 10) -> tuple[Path, Path]:
    return write(folder, LAYERS.format(channels=channels, classes=classes), PARAMS)


def test_files_learn_the_digits_and_are_evaluated_as_trained(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    layers, params = files(tmp_path)
    out = tmp_path / "run"
    trained = run_json(
        capsys,
        "train",
        layers,
        "--params",
        params,
        "--epochs",
        12,
        "--schedule",
        "multistep:epochs=10",
        "--out",
        out,
    )
    assert trained["test_accuracy"] >= 0.95
    layers.unlink()  # the run folder has its own copy
    assert {path.name for path in out.iterdir()} == {
        "run.json", "config.toml", "log.jsonl", "last.safetensors", "previous.safetensors",
        "best.safetensors", "layers.cfg", "layer-params.cfg",
    }  # fmt: skip
    assert json.loads((out / "run.json").read_text())["settings"]["batch_size"] == 128
    tested = run_json(capsys, "eval", out)
    assert tested["test_accuracy"] == trained["test_accuracy"]
    assert tested["test_loss"] == pytest.approx(trained["test_loss"], rel=1e-5)


def test_a_schedule_holds_instead_of_the_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    layers, params = files(tmp_path)
    out = tmp_path / "run"
    run_json(
        capsys,
        "train",
        layers,
        "--params",
        params,
        "--epochs",
        3,
        "--schedule",
        "step:epochs=1",
        "--out",
        out,
    )
    header = (out / "last.safetensors").read_bytes()[:20_000].decode(errors="ignore")
    assert '\\"lr\\": 1e-05' in header or '\\"lr\\": 1.0000' in header


def test_colour_images_come_from_an_npz_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    images = rng.integers(0, 100, (300, 8, 8, 3), dtype=np.uint8)
    images[np.arange(300), ..., labels] += 100
    path = tmp_path / "colours.npz"
    np.savez(path, x_train=images[:200], y_train=labels[:200], x_test=images[200:], y_test=labels[200:, None])
    dataset = load(path)
    assert dataset.train.images.shape == (200, 3, 8, 8) and dataset.num_classes == 3
    np.testing.assert_array_equal(dataset.test.images[5, 2], images[205, :, :, 2])
    layers, params = files(tmp_path, channels=3, classes=3)
    result = run_json(
        capsys, "train", layers, "--params", params, "--data", path, "--epochs", 5, "--batch-size", 20
    )
    assert result["test_accuracy"] == 1


def test_check_grads_passes_on_every_layer(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 5, (40, 8, 8, 3), dtype=np.uint8), np.arange(40) % 10
    path = tmp_path / "colours.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    layers, params = write(tmp_path, CHECKED.format(classes=10), PARAMS)
    result = run_json(capsys, "train", layers, "--params", params, "--data", path, "--check-grads")
    assert result["passed"]
    checked = result["parameters"]
    names = "conv.weight conv.bias local.weight local.bias fc.0.weight fc.0.bias fc.1.weight input"
    assert [p["name"] for p in checked] == names.split()
    assert all(p["elements"] >= 8 and p["kinks"] == 0 and p["largest"] > 1e-4 for p in checked)


def test_a_warning_of_the_files_is_a_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    layers, params = files(tmp_path)
    params.write_text(f"{params.read_text()}[fc11]\nwc=0\n")
    assert main(["train", str(layers), "--params", str(params), "--check-grads"]) == 0
    line = f"fastcnn: warning: {params}, line 10, [fc11]: not read, {layers} has no layer of that name"
    assert capsys.readouterr().err == f"{line}; did you mean fc10?\n"


@pytest.mark.parametrize("missing", ["x_train", "y_test"])
def test_an_npz_file_without_an_array_is_an_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, missing: str
) -> None:
    arrays = {
        name: np.zeros((4, 8, 8) if name[0] == "x" else 4, np.uint8)
        for name in ("x_train", "y_train", "x_test", "y_test")
    }
    del arrays[missing]
    np.savez(tmp_path / "some.npz", **arrays)
    assert missing in fails(capsys, 1, "train", "--data", tmp_path / "some.npz")


def test_other_bytes_are_no_npz_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "some.npz"
    path.write_bytes(b"PK\x03\x04 and no more")
    assert "expected an .npz of x_train" in fails(capsys, 1, "train", "--data", path)
    np.savez(path, **{name: np.array([None]) for name in ("x_train", "y_train", "x_test", "y_test")})
    assert "expected an .npz of x_train" in fails(capsys, 1, "train", "--data", path)


def test_a_wrong_file_is_one_line_with_its_place(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    layers, params = files(tmp_path)
    layers.write_text(layers.read_text().replace("filterSize", "fliterSize"))
    line = fails(capsys, 1, "train", layers, "--params", params)
    assert f"{layers}, line 8, [conv1]: filterSize is missing; is 'flitersize' in line 13 meant?" in line


@pytest.mark.parametrize(
    "changes",
    [{"inputs=pool1": "inputs=pool1,labels"}, {"dataIdx=1": "dataIdx=2", "cost.logreg": "cost.crossent"}],
)
def test_train_has_images_and_labels_only(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, changes: dict[str, str]
) -> None:
    layers, params = files(tmp_path)
    for old, new in changes.items():
        layers.write_text(layers.read_text().replace(old, new))
    line = fails(capsys, 1, "train", layers, "--params", params)
    assert "`train` has images (dataIdx=0) for layers and labels (dataIdx=1) for costs, nothing else" in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "needs --params"),
        (["--params", "p.cfg", "--lr", "0.1"], "--lr: the parameter file says that"),
        (["--params", "p.cfg", "--augment", "mixup"], "a layer file's costs take labels"),
        (["--params", "p.cfg", "--label-smoothing", "0.1"], "a layer file's costs take labels"),
        (["--params", "p.cfg", "--warmup", "2"], "--warmup needs --schedule"),
    ],
)
def test_options_that_do_not_fit_a_layer_file(
    capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert message in fails(capsys, 2, "train", "layers.cfg", *options)


def test_params_are_for_layer_files_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--params needs a layer file" in fails(capsys, 2, "train", "lenet", "--params", "p.cfg")
