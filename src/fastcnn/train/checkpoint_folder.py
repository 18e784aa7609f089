"""A folder of checkpoints: the last, the one before, and the best."""

from __future__ import annotations

from pathlib import Path

from fastcnn.train.checkpoint import CheckpointError, check_file

LAST = "last.safetensors"
PREVIOUS = "previous.safetensors"
BEST = "best.safetensors"


def find_checkpoint(folder: Path) -> tuple[Path, list[str]]:
    """The newest whole checkpoint of a folder to resume from, and what is wrong with newer ones.

    Raises:
        CheckpointError: there is none.
    """
    damaged = []
    for name in (LAST, PREVIOUS):
        path = folder / name
        try:
            check_file(path)
        except FileNotFoundError:
            continue
        except CheckpointError as error:
            damaged.append(str(error))
        else:
            return path, damaged
    raise CheckpointError("; ".join(damaged) if damaged else f"{folder}: no checkpoint to resume from")
