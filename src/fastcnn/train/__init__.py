"""Training loops, what goes on beside them, checkpoints and checks of gradients."""

from fastcnn.train.callbacks import (
    EMA,
    SWA,
    Checkpoint,
    CSVLog,
    EarlyStopping,
    GradientNorm,
    Interrupt,
    JSONLog,
    Progress,
    TensorBoard,
    UpdateRatio,
)
from fastcnn.train.checkpoint import CheckpointError, load_checkpoint, load_weights, save_checkpoint
from fastcnn.train.finetuning import freeze, freeze_all_but, reset, unfreeze
from fastcnn.train.gradients import CheckedParameter, GradCheck, gradcheck
from fastcnn.train.lr_range import LRRange, lr_range_test
from fastcnn.train.nonfinite import NonFiniteError
from fastcnn.train.results import Epoch, Evaluation, History, StepResult
from fastcnn.train.trainer import Trainer
from fastcnn.train.training import Callback, Training

__all__ = [
    "EMA",
    "SWA",
    "CSVLog",
    "Callback",
    "CheckedParameter",
    "Checkpoint",
    "CheckpointError",
    "EarlyStopping",
    "Epoch",
    "Evaluation",
    "GradCheck",
    "GradientNorm",
    "History",
    "Interrupt",
    "JSONLog",
    "LRRange",
    "NonFiniteError",
    "Progress",
    "StepResult",
    "TensorBoard",
    "Trainer",
    "Training",
    "UpdateRatio",
    "freeze",
    "freeze_all_but",
    "gradcheck",
    "load_checkpoint",
    "load_weights",
    "lr_range_test",
    "reset",
    "save_checkpoint",
    "unfreeze",
]
