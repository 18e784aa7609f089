"""Short versions of the trainings of docs/results.md, on a part of the images.

FASTCNN_DATA holds mnist/ and fashion-mnist/, and cifar10-jpeg.tar of train/<class>/*.jpg and
test/<class>/*.jpg; where it isn't set, ../shared/data beside the repository is looked at.
"""

from __future__ import annotations

import os
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

import fastcnn
from fastcnn import Trainer, convnet, data, models, nn, optim

_SHARED = Path(__file__).parents[3] / "shared"
_DATA = Path(os.environ.get("FASTCNN_DATA", _SHARED / "data"))
_CUDA_CONVNET = Path(os.environ.get("FASTCNN_CUDA_CONVNET", _SHARED / "cuda-convnet"))


def present(path: Path) -> Path:
    return path if path.exists() else pytest.skip(f"there is no {path}")


@pytest.mark.parametrize(("name", "least"), [("mnist", 0.97), ("fashion-mnist", 0.78)])
def test_lenet_learns_a_sixth_of_the_images_in_two_epochs(name: str, least: float) -> None:
    dataset = data.load(present(_DATA / name))
    dataset = replace(dataset, train=dataset.train.take(slice(10_000)))
    fastcnn.manual_seed(0)
    model = models.lenet()
    train, test = dataset.batches(
        data.Preprocessing.fit(dataset.train.images, model.input_shape),
        64,
        augment=[data.RandomCrop(28, padding=2)],
    )
    sgd = optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
    trainer = Trainer(model, nn.CrossEntropyLoss(), sgd, optim.CosineAnnealingLR(sgd, 2 * len(train)))
    trainer.fit(train, 2)
    assert trainer.evaluate(test).accuracy > least


def test_cuda_convnets_file_learns_from_cifar_images(tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="needs Pillow, an extra: fastcnn[images]")
    params = present(_CUDA_CONVNET / "layer-params-18pct.cfg")
    with tarfile.open(present(_DATA / "cifar10-jpeg.tar")) as archive:
        some = [member for member in archive if Path(member.name).stem < "0300" and member.isfile()]
        for member in some:
            path = tmp_path / "cifar" / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            content = archive.extractfile(member)
            assert content is not None
            path.write_bytes(content.read())
    dataset = data.load(tmp_path / "cifar")
    assert len(dataset.train) == len(dataset.test) == 3_000
    fastcnn.manual_seed(0)
    network = convnet.load(params.with_name("layers-18pct.cfg"), params)
    train, test = dataset.batches(data.MeanImage.fit(dataset.train.images), 64)
    trainer = Trainer(network.model, network.criterion, network.optimizer())
    trainer.fit(train, 6)
    assert trainer.evaluate(test).accuracy > 0.34
