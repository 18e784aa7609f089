"""Datasets, augmentation and batches."""

from fastcnn.data.augmentation import (
    Augmentation,
    CenterCrop,
    ColorJitter,
    Cutout,
    Mixup,
    PCANoise,
    RandomCrop,
    RandomHorizontalFlip,
    Resize,
)
from fastcnn.data.dataset import Dataset, Split
from fastcnn.data.datasets import NAMES, data_root, load
from fastcnn.data.draws import Draws
from fastcnn.data.fetching import fetch
from fastcnn.data.idx import DataError, read_idx, write_idx
from fastcnn.data.image_files import ImageFiles
from fastcnn.data.loader import Loader
from fastcnn.data.preprocessing import MeanImage, Preprocessing, preprocessing_from_dict
from fastcnn.data.sources import FetchError
from fastcnn.data.split import check_labels, class_weights, stratified_split

__all__ = [
    "NAMES",
    "Augmentation",
    "CenterCrop",
    "ColorJitter",
    "Cutout",
    "DataError",
    "Dataset",
    "Draws",
    "FetchError",
    "ImageFiles",
    "Loader",
    "MeanImage",
    "Mixup",
    "PCANoise",
    "Preprocessing",
    "RandomCrop",
    "RandomHorizontalFlip",
    "Resize",
    "Split",
    "check_labels",
    "class_weights",
    "data_root",
    "fetch",
    "load",
    "preprocessing_from_dict",
    "read_idx",
    "stratified_split",
    "write_idx",
]
