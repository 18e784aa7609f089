"""`fastcnn show`: each figure of a run, written to a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from test_cli import fails, run_json
from test_cli_convnet import files

from fastcnn.cli import main

matplotlib = pytest.importorskip("matplotlib", reason="needs matplotlib, an extra: fastcnn[plots]")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """lenet after an epoch of the digits."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert main(["train", "--epochs", "1", "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def bare(run: Path, tmp_path: Path) -> Path:
    """The same run without a log."""
    folder = tmp_path / "bare"
    folder.mkdir()
    for path in run.iterdir():
        if path.name != "log.jsonl":
            (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.mark.parametrize(
    "options",
    [
        ["filters"],
        ["filters", "--layer", "conv2"],
        ["maps"],
        ["maps", "--layer", "pool1", "--image", 3],
        ["predictions", "--image", 5, "--count", 3],
        ["confusion"],
        ["errors", "--count", 4],
    ],
    ids=lambda options: "-".join(map(str, options)),
)
def test_each_figure_is_written(
    capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path, options: list[str]
) -> None:
    what, *rest = map(str, options)
    for suffix, magic in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        out = tmp_path / f"figure.{suffix}"
        assert main(["show", what, str(run), *rest, "--save", str(out)]) == 0
        assert capsys.readouterr().out == f"written to {out}\n"
        assert out.read_bytes().startswith(magic)


def test_json_says_what_was_written_where(
    capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "figure.pdf"
    assert run_json(capsys, "show", "errors", run, "--save", out) == {"figure": "errors", "out": str(out)}
    assert out.read_bytes().startswith(b"%PDF")
    assert "--json needs --save" in fails(capsys, 2, "show", "errors", run, "--json")


def test_curves_are_those_of_the_log(capsys: pytest.CaptureFixture[str], bare: Path, tmp_path: Path) -> None:
    save = ["--save", tmp_path / "curves.png"]
    assert "has no curves: there is no log.jsonl in it" in fails(capsys, 1, "show", "curves", bare, *save)
    log = bare / "log.jsonl"
    for text, message in (
        ("", "no epochs yet"),
        ("{", "no epochs yet"),
        ("3\n", "broken"),
        ('{"a": 1}\n', "broken"),
    ):
        log.write_text(text)
        assert message in fails(capsys, 1, "show", "curves", bare, *save)
    epochs = [
        {"epoch": i, "train_loss": 1 / i, "train_accuracy": 0.5, "validation_loss": None, "lr": 0.1}
        for i in (1, 2)
    ]
    log.write_text("".join(json.dumps(epoch) + "\n" for epoch in epochs))
    assert main(["show", "curves", str(bare), *map(str, save)]) == 0
    assert save[1].read_bytes().startswith(b"\x89PNG")


def test_network_without_convolutions_has_no_filters_and_no_maps(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    layers, params = files(tmp_path)
    text = layers.read_text()
    layers.write_text(
        text[: text.index("[conv1]")] + text[text.index("[fc10]") :].replace("inputs=pool1", "inputs=data")
    )
    argv = ["train", str(layers), "--params", str(params), "--epochs", "1", "--out", str(tmp_path / "run")]
    assert main(argv) == 0
    capsys.readouterr()
    save = ["--save", tmp_path / "x.png"]
    assert "has no convolution" in fails(capsys, 1, "show", "filters", tmp_path / "run", *save)
    assert "has no feature maps" in fails(capsys, 1, "show", "maps", tmp_path / "run", *save)


@pytest.mark.parametrize(
    ("code", "options", "message"),
    [
        (2, ["curve"], "invalid choice: 'curve'"),
        (2, ["curves", "--layer", "conv1"], "--layer goes with filters and maps, not with curves"),
        (2, ["errors", "--image", "3"], "--image goes with maps and predictions, not with errors"),
        (2, ["confusion", "--count", "3"], "--count goes with predictions and errors"),
        (2, ["filters", "--layer", "conv3"], "no layer 'conv3'; did you mean conv2?; the layers are conv1,"),
        (2, ["filters", "--layer", "fc1"], "fc1 has no filters; those with filters are conv1, conv2"),
        (2, ["maps", "--layer", "fc1"], "expected maps (channels, height, width)"),
        (1, ["maps", "--image", "360"], "no test image 360: there are 360, numbered from 0"),
        (1, ["predictions", "--image", "1000"], "no test image 1000"),
        (2, ["errors", "--json", "--cuont", "3"], "unknown option --cuont; did you mean --count?"),
        (2, ["errors", "--count", "0"], "--count: expected a whole number from 1 to 100"),
    ],
)
def test_wrong_usage_is_one_clear_line(
    capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path, code: int, options: list[str], message: str
) -> None:
    what, *rest = options
    assert message in fails(capsys, code, "show", what, run, *rest, "--save", tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


def test_file_that_cannot_be_written_is_refused(
    capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path
) -> None:
    assert "ends in one of ." in fails(capsys, 2, "show", "confusion", run, "--save", tmp_path / "x.doc")
    assert "no such folder" in fails(capsys, 1, "show", "confusion", run, "--save", tmp_path / "no" / "x.png")


def test_without_a_display_or_matplotlib_it_says_what_to_do(
    capsys: pytest.CaptureFixture[str], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matplotlib.use("agg")
    assert "no display for a window; give --save" in fails(capsys, 1, "show", "filters", run)
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert "pip install 'fastcnn[plots]'" in fails(capsys, 1, "show", "filters", run)
