"""Where datasets are downloaded from, and what the files must be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

CHUNK = 1 << 17  # bytes read at a time

Progress = Callable[[str, int, int], None]  # name of the file, bytes so far, all its bytes


class FetchError(OSError):
    """A dataset that can't be downloaded, or is not what was published."""


@dataclass(frozen=True)
class RemoteFile:
    """A file to be downloaded.

    Attributes:
        name: of the file.
        size: in bytes.
        sha256: in hexadecimal digits.
        members: of an archive, the path in it and the largest size in bytes of each file that is wanted; they
            go into the dataset's folder, by the last part of the path, and nothing else of the archive does.
            Empty for a file that is kept as it is.
    """

    name: str
    size: int
    sha256: str
    members: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """A dataset that can be downloaded.

    Attributes:
        mirrors: URLs of folders that hold the files, tried in this order.
    """

    mirrors: tuple[str, ...]
    files: tuple[RemoteFile, ...]


# Sizes and SHA-256 sums as TensorFlow Datasets publishes them: tensorflow_datasets/url_checksums/mnist.txt,
# fashion_mnist.txt, cifar10.txt and cifar100.txt in github.com/tensorflow/datasets. A mirror is trusted no
# further than that: some of these have no https.
SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        "mnist": Source(
            (
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
            ),
            (
                RemoteFile(
                    "train-images-idx3-ubyte.gz",
                    9_912_422,
                    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                ),
                RemoteFile(
                    "train-labels-idx1-ubyte.gz",
                    28_881,
                    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                ),
                RemoteFile(
                    "t10k-images-idx3-ubyte.gz",
                    1_648_877,
                    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                ),
                RemoteFile(
                    "t10k-labels-idx1-ubyte.gz",
                    4_542,
                    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                ),
            ),
        ),
        "fashion-mnist": Source(
            (
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            ),
            (
                RemoteFile(
                    "train-images-idx3-ubyte.gz",
                    26_421_880,
                    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                ),
                RemoteFile(
                    "train-labels-idx1-ubyte.gz",
                    29_515,
                    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                ),
                RemoteFile(
                    "t10k-images-idx3-ubyte.gz",
                    4_422_102,
                    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                ),
                RemoteFile(
                    "t10k-labels-idx1-ubyte.gz",
                    5_148,
                    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                ),
            ),
        ),
        "cifar10": Source(
            ("https://www.cs.toronto.edu/~kriz/",),
            (
                RemoteFile(
                    "cifar-10-binary.tar.gz",
                    170_052_171,
                    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                    {
                        **{f"cifar-10-batches-bin/data_batch_{i}.bin": 30_730_000 for i in range(1, 6)},
                        "cifar-10-batches-bin/test_batch.bin": 30_730_000,
                        "cifar-10-batches-bin/batches.meta.txt": 1000,
                    },
                ),
            ),
        ),
        "cifar100": Source(
            ("https://www.cs.toronto.edu/~kriz/",),
            (
                RemoteFile(
                    "cifar-100-binary.tar.gz",
                    168_513_733,
                    "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
                    {
                        "cifar-100-binary/train.bin": 153_700_000,
                        "cifar-100-binary/test.bin": 30_740_000,
                        "cifar-100-binary/fine_label_names.txt": 10_000,
                    },
                ),
            ),
        ),
    }
)


def sha256(path: Path) -> str:
    """Of the file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
