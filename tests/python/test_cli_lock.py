"""Run folders have one writer at a time, and say who it is."""

from __future__ import annotations

import errno
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from test_cli import fails

from fastcnn.cli import lock, main
from fastcnn.cli.lock import locked
from fastcnn.cli.parser import CommandError

HOLDER = """
import sys
from pathlib import Path
from fastcnn.cli.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder_of(folder: Path) -> subprocess.Popen[str]:
    """A process that holds a folder's lock until its standard input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_a_second_run_is_told_who_writes_to_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("safetensors")
    run = tmp_path / "run"
    run.mkdir()
    with holder_of(run) as process:
        line = fails(capsys, 1, "train", "--epochs", 1, "--out", run)
        assert f"{run} is being written by process {process.pid} on {platform.node()} since 2" in line
        assert line.rstrip().endswith(f": fastcnn {run}")
        assert [path.name for path in run.iterdir()] == [".lock"]
        (run / "config.toml").write_text("epochs = 1\n")
        assert f"process {process.pid}" in fails(capsys, 1, "train", "--resume", run)
        assert "--resume" in fails(capsys, 1, "eval", run)  # reading needs no lock
        process.communicate()
    assert main(["train", "--resume", str(run)]) == 0
    assert not (run / ".lock").exists()


def test_a_holder_that_is_killed_blocks_nobody(tmp_path: Path) -> None:
    with holder_of(tmp_path) as process:
        process.kill()
        process.wait()
    assert (tmp_path / ".lock").exists()
    with locked(tmp_path):
        assert f'"pid": {os.getpid()}' in (tmp_path / ".lock").read_text()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_released_by_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), locked(tmp_path):
        raise RuntimeError
    with (
        locked(tmp_path),
        pytest.raises(CommandError, match=f"written by process {os.getpid()} on"),
        locked(tmp_path),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_holder_that_has_not_said_who_it_is_is_another_process(tmp_path: Path) -> None:
    with locked(tmp_path):
        (tmp_path / ".lock").write_text("")
        with pytest.raises(CommandError, match="is being written by another process"), locked(tmp_path):
            pass


@pytest.mark.skipif(os.name != "posix", reason="removes an open file")
def test_a_file_that_was_removed_before_it_was_locked_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = lock._lock

    def remove_and_take(descriptor: int) -> None:
        (tmp_path / ".lock").unlink()
        monkeypatch.setattr(lock, "_lock", take)
        take(descriptor)

    monkeypatch.setattr(lock, "_lock", remove_and_take)
    with locked(tmp_path):
        assert (tmp_path / ".lock").exists()


def test_a_folder_that_cannot_be_written_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("safetensors")
    (tmp_path / "config.toml").write_text("epochs = 1\n")
    opened = os.open

    def refuse(path: object, *arguments: int) -> int:
        if Path(str(path)).name == ".lock":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return opened(str(path), *arguments)

    monkeypatch.setattr(lock.os, "open", refuse)
    line = fails(capsys, 1, "train", "--resume", tmp_path)
    assert f"{tmp_path}: can't write to this folder: {os.strerror(errno.EROFS)}" in line


def test_a_file_system_without_locks_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(lock, "_lock", refuse)
    with locked(tmp_path):
        pass
    assert f"warning: {tmp_path} can't be locked" in capsys.readouterr().err
