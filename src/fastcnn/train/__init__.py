"""Training loops, checkpoints and checks of gradients."""

from fastcnn.train.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from fastcnn.train.gradients import CheckedParameter, GradCheck, gradcheck
from fastcnn.train.trainer import Epoch, Evaluation, StepResult, Trainer

__all__ = [
    "CheckedParameter",
    "CheckpointError",
    "Epoch",
    "Evaluation",
    "GradCheck",
    "StepResult",
    "Trainer",
    "gradcheck",
    "load_checkpoint",
    "save_checkpoint",
]
