"""One rule of what `fastcnn train` takes its settings from."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from fastcnn.cli import optimizers, toml
from fastcnn.cli.parser import CommandError, UsageError
from fastcnn.cli.settings import Settings, check, settings_of
from fastcnn.cli.train_options import add_arguments

OF_0_1_0 = """\
model = "lenet"
data = "digits"
epochs = 2
seed = 0
batch_size = 16
lr = 0.05
schedule = "cosine"
warmup = 0.5
momentum = 0.9
weight_decay = 0.004
on_nan = "stop"
watch = true
freeze = ["conv1"]

[versions]
fastcnn = "0.1.0"
"""


def parsed(*argv: object) -> Settings:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return settings_of(parser.parse_args([*map(str, argv)]))


def test_options_override_the_file_which_overrides_defaults(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("epochs = 3\nmomentum = 0.5\nlr = 1\n")
    settings = parsed("--config", file, "--lr", 0.1, "--weight-decay", 0)
    assert (settings.epochs, settings.lr, settings.batch_size) == (3, 0.1, 32)
    assert settings.optimizer_options == {"momentum": 0.5, "weight_decay": 0.0}


def test_defaults_depend_on_the_model() -> None:
    assert (parsed().batch_size, parsed().lr, parsed().schedule) == (32, 0.02, "cosine")
    assert parsed().optimizer_options == {"momentum": 0.9, "weight_decay": 4e-3}
    files = parsed("layers.cfg")
    assert (files.batch_size, files.lr, files.schedule, files.optimizer_options) == (128, None, None, {})


def test_a_file_of_0_1_0_comes_back(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(OF_0_1_0)
    expected = {**toml.loads(OF_0_1_0), "optimizer": "sgd"}
    del expected["versions"]
    flat = parsed("--resume", tmp_path).to_dict()
    assert flat == expected


def test_each_optimizer_has_defaults_of_its_own() -> None:
    adamw = parsed("--optimizer", "adamw", "--betas", "0.8", "0.95")
    assert (adamw.optimizer, adamw.lr) == ("adamw", 1e-3)
    assert adamw.optimizer_options == {"betas": [0.8, 0.95], "eps": 1e-8, "weight_decay": 0.01}
    assert {"optimizer": "adamw", "betas": [0.8, 0.95]}.items() <= adamw.to_dict().items()


def test_another_optimizer_than_the_files_has_its_own_defaults(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('optimizer = "adamw"\nlr = 0.5\nbetas = [0.8, 0.9]\nepochs = 3\n')
    sgd = parsed("--config", file, "--optimizer", "sgd")
    assert (sgd.epochs, sgd.lr) == (3, 0.02)
    assert sgd.optimizer_options == {"momentum": 0.9, "weight_decay": 4e-3}
    for options in ((), ("--optimizer", "adamw")):
        same = parsed("--config", file, *options)
        assert (same.lr, same.optimizer_options["betas"]) == (0.5, [0.8, 0.9])
    file.write_text("lr = 0.5\nmomentum = 0.5\n")  # of before there were others
    assert parsed("--config", file, "--optimizer", "adam").lr == 1e-3
    assert parsed("--config", file, "--optimizer", "sgd").optimizer_options["momentum"] == 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--betas", "0.8", "0.9"), "--betas: --optimizer sgd has no such setting; it has --lr, --momentum"),
        (("--optimizer", "adam", "--momentum", "0.9"), "--momentum: --optimizer adam has no such setting"),
        (("layers.cfg", "--optimizer", "adam", "--alpha", "0.9"), "--alpha: --optimizer adam has no such"),
    ],
)
def test_settings_of_another_optimizer_are_refused(options: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check(parsed(*options), None)


def test_a_list_in_a_file_has_as_many_values_as_its_option(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('optimizer = "adam"\nbetas = [0.9]\n')
    with pytest.raises(CommandError, match=r"betas is \[0.9\], expected 2 values"):
        parsed("--config", tmp_path / "c.toml")


def test_every_option_has_its_field() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    command = {"out", "config", "resume", "check_grads", "find_lr", "json"}
    options = {*vars(parser.parse_args([]))} - command - {*optimizers.OPTIONS}
    assert options | {"optimizer_options"} == {*Settings.__dataclass_fields__}


@pytest.mark.parametrize("kind", optimizers.KINDS)
def test_optimizers_take_their_options(kind: str) -> None:
    assert optimizers.KINDS[kind].defaults.keys() <= optimizers.OPTIONS.keys()
