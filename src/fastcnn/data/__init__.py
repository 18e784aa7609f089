"""Datasets, IDX files and batches."""

from fastcnn.data.datasets import NAMES, Dataset, Split, load
from fastcnn.data.idx import DataError, read_idx, write_idx
from fastcnn.data.loader import Loader
from fastcnn.data.preprocessing import Preprocessing

__all__ = [
    "NAMES",
    "DataError",
    "Dataset",
    "Loader",
    "Preprocessing",
    "Split",
    "load",
    "read_idx",
    "write_idx",
]
