"""`fastcnn report`: the page stands alone, and a browser shows it."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from test_cli import fails, run_json
from test_cli_convnet import files

from fastcnn.cli import main
from fastcnn.cli.page import folded, page, picture_grid, table

pytest.importorskip("matplotlib", reason="needs matplotlib, an extra: fastcnn[plots]")
Image = pytest.importorskip("PIL.Image")

VOID = {"meta", "img", "br"}


class Outline(HTMLParser):
    """What a page is made of; every tag must be closed by its own."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.headings: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """lenet after an epoch of the digits, with a log, and its report."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert main(["train", "--epochs", "1", "--out", str(folder)]) == 0
    log = [{"epoch": i, "train_loss": 1 / i, "train_accuracy": 0.5, "lr": 0.1} for i in (1, 2, 3)]
    (folder / "log.jsonl").write_text("".join(json.dumps(epoch) + "\n" for epoch in log))
    assert main(["report", str(folder)]) == 0
    return folder


def test_page_stands_alone(run: Path) -> None:
    text = (run / "report.html").read_text(encoding="utf-8")
    outline = Outline(text)
    assert not {"script", "link", "iframe", "object"} & set(outline.tags)
    assert not re.search(r"https?:|//|@import|url\(", re.sub(r'"data:[^"]*"', "", text))
    assert len(outline.images) > 4
    for image in outline.images:
        source = image["src"] or ""
        assert source.startswith("data:image/png;base64,") and image["alt"]
        Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))).verify()
    assert [path.name for path in run.iterdir() if path.name.endswith(".partial")] == []


def test_page_says_what_there_is_to_say(run: Path) -> None:
    outline = Outline((run / "report.html").read_text(encoding="utf-8"))
    assert outline.headings == [
        "lenet on digits",
        "Training",
        "Classes",
        "Worst mistakes",
        "Filters and feature maps",
        "Layers",
        "Settings",
        "At the end of training",
    ]
    assert {"431,080", "conv1", "Conv2d 1→20, 5x5", "in fc1", "schedule", "cosine"} <= set(outline.text)
    accuracy = json.loads((run / "run.json").read_text())["metrics"]["test_accuracy"]
    assert f"{accuracy:.2%}" in outline.text
    assert sum("taken for" in text for text in outline.text) == min(24, round((1 - accuracy) * 360))


def test_run_without_log_convolutions_or_mistakes_has_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layers, params = files(tmp_path, classes=2)
    text = layers.read_text()
    head, tail = text[: text.index("[conv1]")], text[text.index("[fc10]") :]
    layers.write_text(head + tail.replace("inputs=pool1", "inputs=data"))
    labels = np.arange(40) % 2
    images = np.zeros((40, 8, 8), np.uint8)
    images[:, :, 4:] = 200 * labels[:, None, None]
    np.savez(tmp_path / "two.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    run = tmp_path / "run"
    argv = ["train", str(layers), "--params", str(params), "--epochs", "40", "--schedule", "constant"]
    assert main([*argv, "--data", str(tmp_path / "two.npz"), "--out", str(run)]) == 0
    (run / "log.jsonl").unlink(missing_ok=True)
    capsys.readouterr()
    result = run_json(capsys, "report", run, "--out", tmp_path / "page.html")
    assert result["out"] == str(tmp_path / "page.html") and result["test_accuracy"] == 1
    outline = Outline((tmp_path / "page.html").read_text(encoding="utf-8"))
    said = " ".join(outline.text)
    assert "The run has no log of its epochs." in said and "There are none." in said
    assert "has no convolution" in said and "100.00%" in said


def test_images_held_out_for_validation_are_no_training_images(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert main(["train", "--epochs", "1", "--validation", "0.1", "--out", str(run)]) == 0
    assert main(["report", str(run)]) == 0
    text = Outline((run / "report.html").read_text(encoding="utf-8")).text
    assert {"training images", "1,293", "validation images", "144"} <= set(text)
    capsys.readouterr()
    description = run / "run.json"
    description.write_text(description.read_text().replace('"validation": 0.1', '"validation": "some"'))
    assert "no share of the images: validation is 'some'" in fails(capsys, 1, "report", run)


def test_report_says_what_is_wrong(capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path) -> None:
    assert "is not a run folder" in fails(capsys, 1, "report", tmp_path)
    assert "no such folder" in fails(capsys, 1, "report", run, "--out", tmp_path / "no" / "page.html")
    assert "is a folder" in fails(capsys, 1, "report", run, "--out", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_comes_from_outside_is_escaped() -> None:
    evil = "<script>alert('&')</script>\""
    pixels = np.zeros((2, 2, 3), np.uint8)
    rows = folded(evil, table([evil], [[evil]], numbers=(0,)), unfolded=True)
    text = page(evil, rows, picture_grid([(pixels, evil)]))
    outline = Outline(text)
    assert "script" not in outline.tags
    assert outline.images[0]["alt"] == evil and outline.text.count(evil) == 6


def find_browser() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next(filter(None, map(shutil.which, names)), None)


@pytest.mark.skipif(find_browser() is None, reason="needs a browser: apt-get install chromium")
@pytest.mark.parametrize("width", [1000, 400])
def test_a_browser_shows_the_page(run: Path, tmp_path: Path, width: int) -> None:
    browser = find_browser()
    assert browser is not None
    shot = tmp_path / "page.png"
    done = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={width},3000",
            f"--screenshot={shot}",
            (run / "report.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert shot.exists(), done.stderr
    pixels = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    assert pixels.shape == (3000, width, 3)
    dark = (pixels.sum(axis=2) < 300).mean(axis=1)  # text and plots, row by row
    assert (dark[:100] > 0).any() and (dark[2000:] > 0).any()
    colourful = np.ptp(pixels, axis=2) > 60  # curves and matrices: pictures were decoded
    assert colourful.mean() > 0.005
    assert (pixels[:, -10:] == 255).all()  # nothing reaches over the margin
