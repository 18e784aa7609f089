"""The command line: every command, its JSON, its errors and exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn
from fastcnn import models
from fastcnn.cli import main
from fastcnn.data import load, write_idx
from fastcnn.train import gradients


def run_json(capsys: pytest.CaptureFixture[str], *argv: object) -> dict[str, Any]:
    """The JSON object that the command prints as its last line."""
    code = main([*map(str, argv), "--json"])
    out, err = capsys.readouterr()
    assert code == 0, err
    result = json.loads(out.splitlines()[-1])
    assert isinstance(result, dict)
    return result


def fails(capsys: pytest.CaptureFixture[str], code: int, *argv: object) -> str:
    """The one line on stderr of a command that ends with `code`."""
    assert main([*map(str, argv)]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("fastcnn: error: ") and err.count("\n") == 1, err
    return err


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with lenet after two epochs of the digits."""
    run = tmp_path_factory.mktemp("runs") / "digits"
    assert main(["train", "--epochs", "2", "--out", str(run)]) == 0
    return run


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder of 64 + 32 of the digits."""
    digits = load("digits")
    folder = tmp_path / "small"
    folder.mkdir()
    write_idx(folder / "train-images-idx3-ubyte", digits.train.images[:64])
    write_idx(folder / "train-labels-idx1-ubyte", digits.train.labels[:64])
    write_idx(folder / "t10k-images-idx3-ubyte", digits.test.images[:32])
    write_idx(folder / "t10k-labels-idx1-ubyte", digits.test.labels[:32])
    return folder


def test_defaults_learn_the_digits(capsys: pytest.CaptureFixture[str]) -> None:
    result = run_json(capsys, "train")
    assert result["test_accuracy"] >= 0.98
    assert result["model"] == "lenet" and result["data"] == "digits"


def test_train_json_has_the_promised_keys(capsys: pytest.CaptureFixture[str], small: Path) -> None:
    result = run_json(capsys, "train", "lenet", "--data", small, "--epochs", 1)
    assert 0 <= result["test_accuracy"] <= 1
    assert result["test_loss"] > 0
    assert result["epochs"] == 1
    assert result["seconds"] > 0
    assert result["images_per_second"] > 0


def test_train_reports_each_epoch_on_stderr(capsys: pytest.CaptureFixture[str], small: Path) -> None:
    assert main(["train", "--data", str(small), "--epochs", "3"]) == 0
    out, err = capsys.readouterr()
    assert [line.split(":")[0] for line in err.splitlines()] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    assert "test accuracy" in out


def test_same_seed_same_result(capsys: pytest.CaptureFixture[str], small: Path) -> None:
    first, second, other = (
        run_json(capsys, "train", "--data", small, "--epochs", 1, "--seed", seed, "--threads", threads)[
            "test_loss"
        ]
        for seed, threads in ((1, 1), (1, 2), (2, 1))
    )
    assert first == second != other


@pytest.mark.parametrize(
    "schedule",
    [
        "constant",
        "cosine:min=0.001",
        "polynomial:power=0.9",
        "step:epochs=1,gamma=0.5",
        "multistep:epochs=1+2",
        "one-cycle",
        "linear",
        "exp:target_factor=250",
        "dexp:target_factor=250,num_steps=2",
        "plateau:patience=0",
    ],
)
def test_train_follows_each_schedule(
    capsys: pytest.CaptureFixture[str], small: Path, tmp_path: Path, schedule: str
) -> None:
    out = tmp_path / "run"
    run_json(capsys, "train", "--data", small, "--epochs", 2, "--schedule", schedule, "--out", out)
    assert json.loads((out / "run.json").read_text())["settings"]["schedule"] == schedule
    run_json(capsys, "eval", out)


def test_the_default_schedule_is_a_cosine(capsys: pytest.CaptureFixture[str], small: Path) -> None:
    losses = [
        run_json(capsys, "train", "--data", small, "--epochs", 2, *options)["test_loss"]
        for options in ([], ["--schedule", "cosine"], ["--warmup", "0.5"], ["--schedule", "constant"])
    ]
    assert losses[0] == losses[1] and len(set(losses)) == 3


def test_check_grads_passes_on_lenet(capsys: pytest.CaptureFixture[str], small: Path, tmp_path: Path) -> None:
    assert main(["train", "--data", str(small), "--check-grads", "--out", str(tmp_path / "none")]) == 0
    out, err = capsys.readouterr()
    assert "all gradients agree" in out and "conv1.weight" in out and err == ""
    assert not (tmp_path / "none").exists()
    result = run_json(capsys, "train", "--data", small, "--check-grads")
    assert result["passed"] and all(p["passed"] for p in result["parameters"])


def test_check_grads_names_the_layers_that_fail(
    capsys: pytest.CaptureFixture[str], small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = gradients._Checker.gradients

    def skewed(checker: Any) -> Any:
        for name, value, gradient in found(checker):
            yield name, value, gradient * (1.01 if name == "conv2.bias" else 1.0)

    monkeypatch.setattr(gradients._Checker, "gradients", skewed)
    assert main(["train", "--data", str(small), "--check-grads"]) == 1
    out, err = capsys.readouterr()
    assert "FAILED" in out
    assert err == "fastcnn: error: gradients differ from finite differences in conv2\n"


def test_run_folder_is_evaluated_as_trained(capsys: pytest.CaptureFixture[str], trained: Path) -> None:
    assert {path.name for path in trained.iterdir()} == {
        "run.json", "config.toml", "log.jsonl", "last.safetensors", "previous.safetensors", "best.safetensors"
    }  # fmt: skip
    metrics = json.loads((trained / "run.json").read_text())["metrics"]
    result = run_json(capsys, "eval", trained)
    assert result["test_accuracy"] == metrics["test_accuracy"] > 0.8
    assert result["test_loss"] == pytest.approx(metrics["test_loss"], rel=1e-5)


def test_eval_takes_other_data(capsys: pytest.CaptureFixture[str], trained: Path, small: Path) -> None:
    assert run_json(capsys, "eval", trained, "--data", small)["images"] == 32


def test_eval_refuses_images_of_another_size(
    capsys: pytest.CaptureFixture[str], trained: Path, small: Path
) -> None:
    write_idx(small / "train-images-idx3-ubyte", np.zeros((64, 9, 9), np.uint8))
    write_idx(small / "t10k-images-idx3-ubyte", np.zeros((32, 9, 9), np.uint8))
    assert "expected (8, 8) as in training" in fails(capsys, 1, "eval", trained, "--data", small)


def test_predict_tells_digits_in_image_files(
    capsys: pytest.CaptureFixture[str], trained: Path, tmp_path: Path
) -> None:
    image = pytest.importorskip("PIL.Image")
    test = load("digits").test
    files = [tmp_path / f"{i}.png" for i in range(20)]
    for file, pixels in zip(files, test.images, strict=False):
        image.fromarray(pixels).save(file)
    predictions = run_json(capsys, "predict", trained, *files)["predictions"]
    assert [p["file"] for p in predictions] == [str(file) for file in files]
    assert all(0 < p["probability"] <= 1 for p in predictions)
    assert sum(p["class"] == str(label) for p, label in zip(predictions, test.labels, strict=False)) >= 14

    for file, pixels in zip(files, test.images, strict=False):
        image.fromarray(255 - pixels).save(file)
    assert run_json(capsys, "predict", trained, *files, "--invert")["predictions"] == predictions

    assert main(["predict", str(trained), str(files[0])]) == 0
    assert predictions[0]["class"] in capsys.readouterr().out


def test_predict_without_pillow_says_what_to_install(
    capsys: pytest.CaptureFixture[str], trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert "pip install 'fastcnn[images]'" in fails(capsys, 1, "predict", trained, "digit.png")


def test_predict_names_a_missing_file(capsys: pytest.CaptureFixture[str], trained: Path) -> None:
    pytest.importorskip("PIL")
    assert "no-digit.png: no such file" in fails(capsys, 1, "predict", trained, "no-digit.png")


@pytest.mark.parametrize("damage", ["missing", "truncated", "text"])
def test_broken_checkpoint_is_one_line(
    capsys: pytest.CaptureFixture[str], trained: Path, tmp_path: Path, damage: str
) -> None:
    (tmp_path / "run.json").write_bytes((trained / "run.json").read_bytes())
    content = (trained / "best.safetensors").read_bytes()
    if damage != "missing":
        (tmp_path / "best.safetensors").write_bytes(content[:1000] if damage == "truncated" else b"weights")
    assert "best.safetensors" in fails(capsys, 1, "eval", tmp_path)


@pytest.mark.parametrize(("model", "count"), [("lenet", 431_080), ("resnet18", 11_689_512)])
def test_summary_counts(capsys: pytest.CaptureFixture[str], model: str, count: int) -> None:
    result = run_json(capsys, "summary", model)
    assert result["parameters"] == count == sum(layer["parameters"] for layer in result["layers"])
    assert result["macs"] == sum(layer["macs"] for layer in result["layers"]) > 0
    assert result["neurons"] > 0
    assert result["memory"]["training_32"]["velocities"] == 4 * count
    assert result["memory"]["inference_1"]["parameters"] == 4 * count
    assert main(["summary", model]) == 0
    assert f"{count:,}" in capsys.readouterr().out


@pytest.mark.parametrize("train", [False, True])
def test_time_reports_each_step(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, train: bool
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    flags = ["--train"] if train else []
    result = run_json(capsys, "time", "lenet", "--batch-size", 8, "--threads", 1, *flags)
    assert result["images_per_second"] == pytest.approx(8 / result["median_ms"] * 1e3)
    phases = {"forward", "backward"} if train else {"forward"}
    for phase in phases:
        names = {step["name"].split()[0] for step in result["layers"] if step["phase"] == phase}
        assert {"conv1", "pool1", "conv2", "pool2", "fc1", "fc2"} <= names  # "fc1 + relu" is one step
    assert {step["phase"] for step in result["layers"]} == phases
    for step in result["layers"]:
        assert step["ms"] > 0 and step["bytes"] > 0 and step["floor_ms"] > 0
        assert step["of_floor"] == pytest.approx(step["floor_ms"] / step["ms"])
    conv1 = next(step for step in result["layers"] if step["name"] == "conv1")
    assert conv1["operations"] == 2 * 8 * 20 * 24 * 24 * 25
    assert conv1["bytes"] == 4 * (8 * 28 * 28 + 20 * 25 + 20 + 8 * 20 * 24 * 24)
    assert result["memory"]["total"] > result["memory"]["arena"] > 0
    assert main(["time", "lenet", "--batch-size", "8", *flags]) == 0
    assert "conv1" in capsys.readouterr().out


def test_plan_bounds_the_speed_up(capsys: pytest.CaptureFixture[str]) -> None:
    result = run_json(capsys, "plan", "lenet", "--batch-size", 8, "--train", "--cores", 2, 8)
    assert result["cores"] == [2, 8]
    assert all(len(step["speedups"]) == 2 for step in result["steps"])
    assert main(["plan", "lenet"]) == 0
    assert "64 cores" in capsys.readouterr().out


def test_models_lists_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    listed = run_json(capsys, "models")["models"]
    assert listed.keys() == models.REGISTRY.keys()
    assert listed["lenet"]["parameters"] == 431_080 and listed["lenet"]["input_shape"] == [1, 28, 28]
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(models.REGISTRY)
    assert max(map(len, lines)) <= 110


def test_info_says_what_runs_here(capsys: pytest.CaptureFixture[str]) -> None:
    result = run_json(capsys, "info")
    assert result["version"] == fastcnn.__version__
    assert {"isa", "gemm", "threads", "cuda"} <= result.keys()
    assert main(["info"]) == 0
    assert fastcnn.__version__ in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["trian"], "no command 'trian'; did you mean train?"),
        (["frobnicate"], "no command 'frobnicate'"),
        (["train", "--epoch", "3"], "unknown option --epoch; did you mean --epochs?"),
        (["train", "--batchsize=3"], "unknown option --batchsize; did you mean --batch-size?"),
        (["train", "--check-point-every", "3"], "did you mean --checkpoint-every?"),
        (["summary", "lenet", "--jsn"], "unknown option --jsn; did you mean --json?"),
        (["train", "lenet", "extra"], "unexpected argument 'extra'"),
        (["train", "alexnt"], "no model 'alexnt'; did you mean alexnet?"),
        (["summary", "lenett"], "no model 'lenett'; did you mean lenet?"),
        (["time", "other"], "no model 'other'; known models: lenet, cifar_quick, cifar_80sec"),
        (["train", "--epochs", "0"], "--epochs: expected a whole number from 1"),
        (["train", "--epochs"], "--epochs: expected one argument"),
        (["train", "--batch-size", "-4"], "--batch-size: expected"),
        (["train", "--lr", "nan"], "--lr: expected a number above 0, not 'nan'"),
        (["train", "--lr", "0"], "--lr: expected a number above 0, not '0'"),
        (["train", "--momentum", "1"], "--momentum: expected a number from 0 to below 1"),
        (["train", "--weight-decay", "-1"], "--weight-decay: expected a number of at least 0"),
        (["train", "--label-smoothing", "1.5"], "--label-smoothing: expected a number from 0 to 1"),
        (["train", "--threads", "0"], "--threads: expected"),
        (["train", "--seed", "x"], "--seed: expected"),
        (["train", "--schedule", "cosin"], "no schedule 'cosin'; did you mean cosine?; known are constant"),
        (["train", "--schedule", "step:gama=2"], "step has no option 'gama'; did you mean gamma?"),
        (["train", "--schedule", "cosine:min=low"], "cosine: min is 'low', expected a number"),
        (["train", "--schedule", "multistep:epochs=a"], "expected whole numbers joined by +"),
        (["train", "--schedule", "step:epochs=0"], "--schedule step:epochs=0: StepLR: step_size is 0"),
        (["train", "--schedule", "plateau", "--warmup", "1"], "--warmup doesn't go with --schedule plateau"),
        (["train", "--epochs", "2", "--warmup", "2"], "--warmup 2 takes the whole run"),
        (["train", "--warmup", "-1"], "--warmup: expected a number of epochs"),
        (["eval"], "required: RUN"),
        (["predict", "run"], "required: FILE"),
        (["--frobnicate"], "unknown option --frobnicate"),
    ],
)
def test_wrong_usage_is_one_clear_line(
    capsys: pytest.CaptureFixture[str], argv: list[str], message: str
) -> None:
    assert message in fails(capsys, 2, *argv)


def test_unknown_data_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean digits?" in fails(capsys, 1, "train", "--data", "digit")


def test_broken_idx_is_one_clear_line(capsys: pytest.CaptureFixture[str], small: Path) -> None:
    path = small / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:1000])
    message = fails(capsys, 1, "train", "--data", small)
    assert str(path) in message and "truncated: 984 bytes of elements, expected 4,096" in message


def test_missing_run_is_one_clear_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "is not a run folder" in fails(capsys, 1, "eval", tmp_path / "nothing")


def test_divergence_is_one_clear_line(capsys: pytest.CaptureFixture[str], small: Path) -> None:
    assert main(["train", "--data", str(small), "--lr", "1e30", "--epochs", "5"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("fastcnn: error: ") and "lower --lr" in last


def test_run_is_not_overwritten(capsys: pytest.CaptureFixture[str], trained: Path) -> None:
    assert "already holds a run" in fails(capsys, 1, "train", "--out", trained)


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"fastcnn {fastcnn.__version__}\n"
    with pytest.raises(SystemExit) as stop:
        main(["train", "--help"])
    assert stop.value.code == 0
    assert "--weight-decay" in capsys.readouterr().out


def test_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fastcnn", "summary", "lenet", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert json.loads(done.stdout)["parameters"] == 431_080


@pytest.mark.parametrize("variable", ["FASTCNN_ISA", "FASTCNN_GEMM", "FASTCNN_NUM_THREADS"])
def test_bad_environment_is_one_clear_line(variable: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fastcnn", "info"],
        env=os.environ | {variable: "nonsense"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"fastcnn: error: {variable}=nonsense: ")


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_interrupt_is_clean() -> None:
    # A process started in the background of a shell script inherits SIGINT ignored: the child asks for it.
    program = (
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from fastcnn.cli import main\n"
        "sys.exit(main(['train', '--epochs', '1000']))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline().startswith("epoch 1/1000")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130
    assert out == "" and err.splitlines()[-1] == "fastcnn: error: interrupted" and "Traceback" not in err
