"""Training loops and checkpoints."""

from fastcnn.train.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from fastcnn.train.trainer import Epoch, Evaluation, StepResult, Trainer

__all__ = [
    "CheckpointError",
    "Epoch",
    "Evaluation",
    "StepResult",
    "Trainer",
    "load_checkpoint",
    "save_checkpoint",
]
