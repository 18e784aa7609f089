"""The original files of cuda-convnet and cuda-convnet2 load and train.

They are not part of this repository: the tests look for layers*.cfg with layer-params*.cfg in the folder
FASTCNN_CUDA_CONVNET, else in ../shared/cuda-convnet beside the repository.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import fastcnn
from fastcnn import convnet

_FOLDER = Path(os.environ.get("FASTCNN_CUDA_CONVNET", Path(__file__).parents[3] / "shared" / "cuda-convnet"))
_LAYERS = sorted(_FOLDER.rglob("layers*.cfg"))

# By file, the parameters as counted by hand; ImageNet's two towers are those of the paper.
_PARAMETERS = {
    "layers-80sec.cfg": 145_578,
    "layers-19pct.cfg": 89_578,
    "layers-18pct.cfg": 89_578,
    "layers-imagenet-2gpu-model.cfg": 60_965_224,
}

pytestmark = pytest.mark.skipif(not _LAYERS, reason=f"no original files in {_FOLDER}")


@pytest.mark.parametrize("layers", _LAYERS, ids=[path.name for path in _LAYERS])
def test_an_original_file_loads_and_trains(layers: Path) -> None:
    fastcnn.manual_seed(0)
    network = convnet.load(layers, layers.with_name(layers.name.replace("layers", "layer-params", 1)))
    count = sum(parameter.size for parameter in network.model.parameters())
    assert count == _PARAMETERS.get(layers.name, count)
    if count > 10_000_000:
        return  # a step of these takes seconds
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, *network.model.input_shape), dtype=np.float32)
    trainer = fastcnn.Trainer(network.model, network.criterion, network.optimizer())
    result = trainer.step(x, rng.integers(0, 10, 4))
    assert 0.1 < result.loss < 30
    assert trainer.predict(x).shape == (4, 10)
