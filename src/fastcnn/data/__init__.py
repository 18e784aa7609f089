"""Datasets, IDX files and batches."""

from fastcnn.data.datasets import NAMES, Dataset, Split, load
from fastcnn.data.idx import DataError, read_idx, write_idx
from fastcnn.data.loader import Loader
from fastcnn.data.preprocessing import MeanImage, Preprocessing, preprocessing_from_dict

__all__ = [
    "NAMES",
    "DataError",
    "Dataset",
    "Loader",
    "MeanImage",
    "Preprocessing",
    "Split",
    "load",
    "preprocessing_from_dict",
    "read_idx",
    "write_idx",
]
