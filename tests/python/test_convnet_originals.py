"""The original files of cuda-convnet and cuda-convnet2 load, train and have right gradients.

They are not part of this repository: the tests look for layers*.cfg in the folder FASTCNN_CUDA_CONVNET, else
in ../shared/cuda-convnet beside the repository, and for their parameters next to them. The files that came
with DropConnect, in a branch of dnouri/cuda-convnet, are tried, too, where they are there.
"""

from __future__ import annotations

import os
import re
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
    "layers-imagenet-1gpu.cfg": 61_100_840,
    "layers-imagenet-2gpu-model.cfg": 60_965_224,
}

# Parameter files of other names than their layer files', both without "layers", "layer-params" or "params".
_OTHER_NAMES = {
    "-2fc": "-80sec",
    "-2fc128-11pct": "-2fc-11pct",
    "-2fc512-11pct": "-2fc-11pct",
    "4.gc": "3.gc",
    "5.gc": "3.gc",
}

pytestmark = [
    pytest.mark.skipif(not _LAYERS, reason=f"no original files in {_FOLDER}"),
    pytest.mark.filterwarnings("ignore:.*has no layer of that name"),
]
each_file = pytest.mark.parametrize(
    "layers", _LAYERS, ids=[str(path.relative_to(_FOLDER)) for path in _LAYERS]
)


def loaded(layers: Path) -> convnet.Network:
    """The network of a layer file; skips the test where that has DropConnect, after it was refused."""
    name = re.sub("-d[co]$", "", layers.stem.removeprefix("layers"))  # with DropConnect or dropout
    name = _OTHER_NAMES.get(name, name)
    candidates = [layers.with_name(f"{kind}{name}.cfg") for kind in ("layer-params", "params")]
    params = next((path for path in candidates if path.exists()), candidates[0])
    fastcnn.manual_seed(0)
    if unsupported := re.search(r"^type=(fcdropcf?)\b", layers.read_text(), re.MULTILINE):
        with pytest.raises(
            convnet.ConfigError, match=rf"line \d+, .*: type {unsupported[1]} is not supported"
        ):
            convnet.load(layers, params)
        pytest.skip(f"{unsupported[1]} is refused")
    return convnet.load(layers, params)


@each_file
def test_an_original_file_loads_and_trains(layers: Path) -> None:
    network = loaded(layers)
    count = sum(parameter.size for parameter in network.model.parameters())
    assert count == _PARAMETERS.get(layers.name, count)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, *network.model.input_shape), dtype=np.float32)
    trainer = fastcnn.Trainer(network.model, network.criterion, network.optimizer())
    classes = trainer.predict(x).shape[1]
    y = rng.integers(0, classes, 2)
    before = trainer.evaluate([(x, y)])
    assert classes in (10, 1000) and before.loss > 0
    network.criterion(network.model.train()(x), y).backward()
    for update in network.updates:
        gradient = update.parameter.grad
        assert (gradient is not None and gradient.any()) == (update.rate.base > 0), update.name
    assert np.isfinite(trainer.step(x, y).loss)
    assert all(np.isfinite(update.parameter.value).all() for update in network.updates)


@pytest.mark.parametrize(
    "layers", [path for path in _LAYERS if path.stem.endswith(".gc")], ids=lambda path: path.name
)
def test_the_files_for_gradient_checks_pass_them_on_every_layer(layers: Path) -> None:
    network = loaded(layers)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 3, 32, 32), dtype=np.float32)
    result = fastcnn.gradcheck(network.model, x, rng.integers(0, 10, 3), network.criterion, samples=10)
    assert result, result
    assert {p.name for p in result.parameters} == {*dict(network.model.named_parameters()), "input"}
    assert all(p.largest > 0 and p.kinks == 0 for p in result.parameters)
