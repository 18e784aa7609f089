"""Small files as cuda-convnet reads them, for tests."""

from __future__ import annotations

from pathlib import Path

from fastcnn import convnet

DATA = """
[data]
type=data
dataIdx=0

[labels]
type=data
dataIdx=1
"""

HEAD = """
[fc]
type=fc
outputs=4
inputs={inputs}

[probs]
type=softmax
inputs=fc

[logprob]
type=cost.logreg
inputs=labels,probs
"""

RATES = "epsW=0.1\nepsB=0.2\nmomW=0.9\nmomB=0.8\nwc=0.01\n"
HEAD_PARAMS = f"[fc]\n{RATES}\n[logprob]\ncoeff=1\n"


def write(folder: Path, layers: str, params: str) -> tuple[Path, Path]:
    """The paths of two files of that content."""
    paths = folder / "layers.cfg", folder / "layer-params.cfg"
    for path, content in zip(paths, (layers, params), strict=True):
        path.write_text(content)
    return paths


def classifier(
    folder: Path, layers: str, params: str, last: str, shape: tuple[int, int, int] = (3, 8, 8)
) -> convnet.Network:
    """These layers between data and a head of four classes that reads layer `last`."""
    paths = write(folder, DATA + layers + HEAD.format(inputs=last), params + HEAD_PARAMS)
    return convnet.load(*paths, input_shape=shape)


def measured(
    folder: Path, layers: str, params: str, last: str, shape: tuple[int, int, int] = (3, 8, 8)
) -> convnet.Network:
    """A network whose model returns layer `last`, by a sum of squares."""
    data = "[data]\ntype=data\ndataIdx=0\n"
    paths = write(
        folder, f"{data}{layers}\n[cost]\ntype=cost.sum2\ninputs={last}\n", f"{params}\n[cost]\ncoeff=1\n"
    )
    return convnet.load(*paths, input_shape=shape)
