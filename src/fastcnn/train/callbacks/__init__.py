"""What `Trainer.fit` can call while it trains."""

from fastcnn.train.callbacks.averaging import EMA, SWA
from fastcnn.train.callbacks.checkpoint import Checkpoint
from fastcnn.train.callbacks.logs import CSVLog, JSONLog
from fastcnn.train.callbacks.progress import Progress
from fastcnn.train.callbacks.stopping import EarlyStopping, Interrupt
from fastcnn.train.callbacks.tensorboard import TensorBoard
from fastcnn.train.callbacks.watching import GradientNorm, UpdateRatio
from fastcnn.train.training import Callback

__all__ = [
    "EMA",
    "SWA",
    "CSVLog",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "GradientNorm",
    "Interrupt",
    "JSONLog",
    "Progress",
    "TensorBoard",
    "UpdateRatio",
]
