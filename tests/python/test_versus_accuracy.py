"""One recipe in fastcnn and in PyTorch: the same start, the same batches, and so nearly the same network."""

import json
import sys

import pytest

import fastcnn

torch = pytest.importorskip("torch")
import versus_accuracy  # noqa: E402  # needs torch


def test_a_recipe_reaches_the_same_accuracy_in_both(tmp_path, monkeypatch, capsys):
    file = tmp_path / "accuracies.json"
    options = "lenet --epochs 2 --seeds 3 4 --batch-size 32 --augment crop=1 --threads 1 --json"
    monkeypatch.setattr(sys, "argv", ["versus_accuracy.py", *options.split(), str(file)])
    threads = fastcnn.num_threads(), torch.get_num_threads()
    versus_accuracy.main()
    fastcnn.set_num_threads(threads[0])
    torch.set_num_threads(threads[1])
    figures = json.loads(file.read_text())
    assert figures["seeds"] == [3, 4]
    for ours, theirs in zip(figures["fastcnn"], figures["PyTorch"], strict=True):
        assert ours["accuracy"] > 0.8
        assert ours["accuracy"] == pytest.approx(theirs["accuracy"], abs=0.015)  # five images of 360
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed] == ["seed", "3", "4", "mean", "std"]
    assert f"{100 * figures['fastcnn'][0]['accuracy']:.2f}%" in printed[1]
