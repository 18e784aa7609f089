"""Run folders: options that repeat a run, and runs that survive kill -9, Ctrl-C, a full disk and damage."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from test_cli import fails, run_json

from fastcnn.cli import main, toml
from fastcnn.data import load, write_idx

KILLS = int(os.environ.get("FASTCNN_KILLS", "3"))
OPTIONS = ["--epochs", "4", "--checkpoint-every", "1", "--ema", "0.9", "--batch-size", "16"]
OPTIONS += [
    "--validation",
    "0.25",
    "--augment",
    "crop=1,cutout=2",
    "--workers",
    "1",
    "--label-smoothing",
    "0.1",
]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 256 + 32 of the digits."""
    digits = load("digits")
    folder = tmp_path_factory.mktemp("small")
    write_idx(folder / "train-images-idx3-ubyte", digits.train.images[:256])
    write_idx(folder / "train-labels-idx1-ubyte", digits.train.labels[:256])
    write_idx(folder / "t10k-images-idx3-ubyte", digits.test.images[:32])
    write_idx(folder / "t10k-labels-idx1-ubyte", digits.test.labels[:32])
    return folder


@pytest.fixture(scope="module")
def finished(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "whole"
    assert main(["train", "--data", str(small), *OPTIONS, "--out", str(run)]) == 0
    return run


def log_of(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [{**line, "seconds": None} for line in lines]


def assert_same_run(run: Path, expected: Path) -> None:
    assert {path.name for path in run.iterdir()} == {path.name for path in expected.iterdir()}
    for name in ("last.safetensors", "previous.safetensors", "best.safetensors"):
        assert (run / name).read_bytes() == (expected / name).read_bytes(), name
    assert log_of(run) == log_of(expected)
    own, other = (json.loads((folder / "run.json").read_text())["metrics"] for folder in (run, expected))
    for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "epochs"):
        assert own[name] == other[name], name


def started(*argv: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "fastcnn", *map(str, argv)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def unfinished(finished: Path, run: Path) -> Path:
    """A copy of a run as if it had been killed at its very end."""
    shutil.copytree(finished, run)
    (run / "run.json").unlink()
    return run


def test_a_run_has_its_options_and_its_log(finished: Path, small: Path) -> None:
    config = toml.loads((finished / "config.toml").read_text())
    assert config["model"] == "lenet" and config["data"] == str(small) and config["epochs"] == 4
    assert config["lr"] == 0.02 and config["seed"] == 0 and config["ema"] == 0.9
    assert {"fastcnn", "numpy", "python", "isa"} <= config["versions"].keys()
    lines = log_of(finished)
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert all(0 < line["samples"] < 256 and line["validation_loss"] > 0 for line in lines)


def test_a_config_repeats_a_run(finished: Path, tmp_path: Path) -> None:
    assert main(["train", "--config", str(finished / "config.toml"), "--out", str(tmp_path / "again")]) == 0
    assert_same_run(tmp_path / "again", finished)


def test_command_line_options_override_the_file(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ["--config", finished / "config.toml", "--epochs", 1]
    assert run_json(capsys, "train", *config, "--out", tmp_path / "run")["epochs"] == 1
    written = toml.loads((tmp_path / "run" / "config.toml").read_text())
    assert written["epochs"] == 1 and written["ema"] == 0.9


def test_a_run_stops_early_and_its_best_epoch_is_tested(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    options = ["--data", small, "--validation", 0.25, "--patience", 0, "--schedule", "constant"]
    result = run_json(capsys, "train", *options, "--epochs", 50, "--out", run)
    losses = [line["validation_loss"] for line in log_of(run)]
    assert result["epochs"] == len(losses) < 50 and min(losses) < losses[-1]
    assert run_json(capsys, "eval", run)["test_accuracy"] == result["test_accuracy"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", "unknown option --epoch; did you mean --epochs?"),
        ("epochs = 0", "--epochs: expected a whole number from 1"),
        ("epochs = [1, 2]", "epochs is [1, 2], expected one value"),
        ('out = "x"', "out belongs on the command line"),
        ("[train]\nepochs = 3", "there is no table [train]"),
        ("epochs = true", "epochs is True, expected one value"),
        ("balanced = 1", "balanced is 1, expected true or false"),
        ('on_nan = "go"', "--on-nan: invalid choice: 'go'"),
        ("epochs = ", "Invalid value"),
        ('schedule = "cosin"', "did you mean cosine?"),
    ],
)
def test_a_wrong_config_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (tmp_path / "run.toml").write_text(text)
    line = fails(capsys, 1, "train", "--config", tmp_path / "run.toml")
    assert message in line and "run.toml" in line


def test_random_moments_of_kill_9_end_in_the_same_bytes(finished: Path, small: Path, tmp_path: Path) -> None:
    if os.name != "posix":
        pytest.skip("sends SIGKILL")
    start = time.perf_counter()
    with started("train", "--data", small, *OPTIONS, "--out", tmp_path / "timed") as process:
        assert process.wait() == 0
    usual = time.perf_counter() - start
    moments = random.Random(int(os.environ.get("FASTCNN_KILL_SEED", "1")))
    kills = runs = 0
    while kills < KILLS:
        run = tmp_path / f"run{runs}"
        runs += 1
        while not (run / "run.json").exists():
            begun = (run / "config.toml").exists()
            argv = ["--resume", run] if begun else ["--data", small, *OPTIONS, "--out", run]
            with started("train", *argv) as process:
                try:
                    process.wait(moments.uniform(0.0, usual) if kills < KILLS else None)
                except subprocess.TimeoutExpired:
                    process.kill()
                    kills += 1
                else:
                    assert process.returncode == 0, process.stderr and process.stderr.read()
        assert_same_run(run, finished)
        shutil.rmtree(run)


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_saves_and_says_how_to_go_on(finished: Path, small: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    # A process started in the background of a shell script inherits SIGINT ignored: the child asks for it.
    program = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from fastcnn.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    argv = [sys.executable, "-c", program, "train", "--data", str(small), *OPTIONS, "--out", str(run)]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("epoch 1/4")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    last = err.splitlines()[-1]
    assert process.returncode == 130, err
    assert "interrupted after step" in last and last.endswith(f"go on with: fastcnn train --resume {run}")
    assert main(["train", "--resume", str(run)]) == 0
    assert_same_run(run, finished)


def test_a_damaged_last_checkpoint_loses_one_alone(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = unfinished(finished, tmp_path / "run")
    last = run / "last.safetensors"
    last.write_bytes(last.read_bytes()[:-1] + b"\xff\xff")
    capsys.readouterr()
    assert main(["train", "--resume", str(run)]) == 0
    err = capsys.readouterr().err
    assert "last.safetensors: truncated or broken" in err and "previous.safetensors, the one before" in err
    for name in ("last.safetensors", "best.safetensors"):
        assert (run / name).read_bytes() == (finished / name).read_bytes()
    assert log_of(run) == log_of(finished)


def test_a_run_of_another_optimizer_goes_on_to_the_same_bytes(small: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = ["--optimizer", "adamw", "--betas", "0.8", "0.95", "--epochs", "3"]
    assert main(["train", "--data", str(small), *options, "--out", str(run)]) == 0
    config = toml.loads((run / "config.toml").read_text())
    assert config["optimizer"] == "adamw" and config["betas"] == [0.8, 0.95] and config["lr"] == 1e-3
    again = unfinished(run, tmp_path / "again")
    shutil.copyfile(again / "previous.safetensors", again / "last.safetensors")
    assert main(["train", "--resume", str(again)]) == 0
    assert (again / "last.safetensors").read_bytes() == (run / "last.safetensors").read_bytes()


def test_nothing_whole_left_is_one_clear_line(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = unfinished(finished, tmp_path / "run")
    for name in ("last.safetensors", "previous.safetensors"):
        (run / name).write_bytes(b"x")
    capsys.readouterr()
    line = fails(capsys, 1, "train", "--resume", run)
    assert "last.safetensors: truncated" in line and "previous.safetensors: truncated" in line


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(
    finished: Path, tmp_path: Path
) -> None:
    run = unfinished(finished, tmp_path / "run")
    for path in run.iterdir():
        if path.name != "config.toml":
            path.unlink()
    assert main(["train", "--resume", str(run)]) == 0
    assert_same_run(run, finished)


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
def test_a_full_disk_keeps_what_was_saved(
    finished: Path, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    full = (
        "import resource, signal, sys\n"
        "from fastcnn.cli import main, train\n"
        "from fastcnn.train import Callback\n"
        "class Full(Callback):\n"
        "    def on_step_end(self, training, result):\n"
        "        if training.step == 20:\n"
        "            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "            resource.setrlimit(resource.RLIMIT_FSIZE, (100000, -1))\n"
        "callbacks = train._callbacks\n"
        "train._callbacks = lambda *a: [Full(), *callbacks(*a)]\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    argv = [sys.executable, "-c", full, "train", "--data", str(small), *OPTIONS, "--out", str(run)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and last.startswith("fastcnn: error: ") and "File too large" in last
    assert last.endswith(f"go on with: fastcnn train --resume {run}")
    assert sorted(path.name for path in run.iterdir()) == [
        "best.safetensors", "config.toml", "last.safetensors", "log.jsonl", "previous.safetensors"
    ]  # fmt: skip
    assert main(["train", "--resume", str(run)]) == 0
    capsys.readouterr()
    assert_same_run(run, finished)


def test_resume_says_what_it_cannot_do(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "this run is finished; try: fastcnn eval" in fails(capsys, 1, "train", "--resume", finished)
    assert "config.toml: no such file" in fails(capsys, 1, "train", "--resume", tmp_path)
    resume = ["train", "--resume", finished]
    assert "--epochs doesn't go with it" in fails(capsys, 2, *resume, "--epochs", 9)
    assert "MODEL doesn't go with it" in fails(capsys, 2, "train", "alexnet", "--resume", finished)
    assert "--out doesn't go with it" in fails(capsys, 2, *resume, "--out", tmp_path / "x")


def test_an_unfinished_run_is_not_overwritten(
    finished: Path, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = unfinished(finished, tmp_path / "run")
    capsys.readouterr()
    line = fails(capsys, 1, "train", "--data", small, "--out", run)
    assert f"holds an unfinished run; go on with --resume {run}" in line


def test_an_unfinished_run_says_that_it_is(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = unfinished(finished, tmp_path / "run")
    capsys.readouterr()
    for command in ("eval", "report"):
        line = fails(capsys, 1, command, run)
        assert f"this run is not finished; try: fastcnn train --resume {run}" in line


def test_divergence_names_the_layer_and_keeps_the_last_good_checkpoint(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert (
        main(["train", "--data", str(small), "--lr", "1e18", "--out", str(run), "--checkpoint-every", "1"])
        == 1
    )
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("fastcnn: error: step ") and "not finite" in line and "lower --lr" in line
    assert f"{run} keeps the last good checkpoint" in line


def test_steps_that_diverge_are_skipped_when_asked(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--data", small, "--epochs", 2, "--clip-norm", 1, "--clip-value", 0.1, "--on-nan", "skip"]
    result = run_json(capsys, "train", *options, "--accumulate", 2, "--watch")
    assert result["test_loss"] > 0


def test_smoothed_labels_are_those_of_training_alone(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    options = ["--data", small, "--epochs", 10, "--batch-size", 16, "--label-smoothing", 0.5, "--out", run]
    trained = run_json(capsys, "train", *options)
    entropy = -0.55 * math.log(0.55) - 9 * 0.05 * math.log(0.05)  # of a target: its least loss
    assert trained["test_loss"] < entropy < trained["train_loss"]
    assert trained["test_loss"] == pytest.approx(run_json(capsys, "eval", run)["test_loss"], rel=1e-5)
    assert toml.loads((run / "config.toml").read_text())["label_smoothing"] == 0.5


def test_watching_prints_sizes_as_cuda_convnet_does(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert (
        main(["train", "--data", str(small), "--epochs", "1", "--watch", "--swa", "1", "--out", str(run)])
        == 0
    )
    assert any(line.split()[0] == "conv1.weight" for line in capsys.readouterr().err.splitlines())
    (line,) = log_of(run)
    assert line["gradient_norm"] > 0 and 0 < line["update_ratio/fc2.weight"] < 0.1


def test_layers_are_frozen_and_started_anew(
    finished: Path, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    run = tmp_path / "run"
    options = ["--data", small, "--epochs", 1, "--weights", finished, "--reset", "fc2", "--train-only", "fc*"]
    run_json(capsys, "train", *options, "--freeze", "fc1", "--out", run)
    before, after = (safetensors.load_file(r / "best.safetensors") for r in (finished, run))
    changed = {name for name in before if (before[name] != after[name]).any()}
    assert changed == {"model.fc2.weight", "model.fc2.bias"}
    assert "no parameter fits 'fc3'; did you mean fc" in fails(
        capsys, 2, "train", "--data", small, "--freeze", "fc3"
    )
    assert "--reset needs --weights" in fails(capsys, 2, "train", "--reset", "fc2")
    line = fails(capsys, 1, "train", "cifar_quick", "--data", small, "--weights", finished)
    assert "best.safetensors: " in line and "--reset LAYER" in line


def test_the_rate_is_looked_for(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run_json(capsys, "train", "--data", small, "--find-lr")
    assert result["lrs"][0] <= result["suggestion"] <= result["lrs"][-1]
    assert main(["train", "--data", str(small), "--find-lr"]) == 0
    assert "steepest at lr" in capsys.readouterr().out


def test_a_share_that_holds_nothing_out_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "of digits holds no image out" in fails(capsys, 1, "train", "--validation", 0.0001)


def test_options_that_need_others_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--patience needs --validation" in fails(capsys, 2, "train", "--patience", 3)
    assert "--checkpoint-every needs --out" in fails(capsys, 2, "train", "--checkpoint-every", 3)
    assert "--tensorboard needs --out" in fails(capsys, 2, "train", "--tensorboard")


def test_tensorboard_is_written_into_the_run(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    options = ["train", "--data", small, "--epochs", 1, "--tensorboard", "--out"]
    assert "pip install 'fastcnn[tensorboard]'" in fails(capsys, 1, *options, tmp_path / "none")
    monkeypatch.undo()
    pytest.importorskip("tensorboardX")
    run_json(capsys, *options, tmp_path / "run")
    assert len(list((tmp_path / "run" / "tensorboard").iterdir())) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"a": 1, "b": -2.5, "c": True, "d": "text", "e": ["x", "y"], "f": [1, 2]},
        {"text": 'quotes " and \\ and \n and \t and \x00 and \x7f and ü and 😀 and \u2028'},
        {"tiny": 1e-300, "large": 1e22, "inf": float("inf"), "odd key.": 1, "": 2, "ä": 3},
        {"a": 1, "table": {"x": "1", "y z": 2}, "other": {}},
    ],
)
def test_toml_comes_back(fields: dict[str, Any]) -> None:
    assert toml.loads(toml.dumps(fields)) == fields


def test_toml_has_no_none() -> None:
    with pytest.raises(TypeError, match="NoneType"):
        toml.dumps({"a": None})
