"""Time of imports, and from nothing to the first prediction, each in new processes that take turns."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from versus.peers import PEERS
from versus.worker import THREAD_VARIABLES

_REPEATS = 4
_IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
_MODULES = {
    "fastcnn": "fastcnn",
    "PyTorch": "torch",
    "ONNX Runtime": "onnxruntime",
    "OpenVINO": "openvino",
}


@dataclass(frozen=True)
class Startup:
    """`what` is "import", or the network whose first prediction was awaited from the start of the process."""

    what: str
    peer: str
    median_ms: float
    best_ms: float

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


def import_times(peers: Iterable[str]) -> list[Startup]:
    """Of `import fastcnn` and the like in a fresh interpreter."""

    def import_seconds(peer: str) -> float:
        command = [sys.executable, "-c", _IMPORT.format(_MODULES[peer])]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    return _in_turn("import", peers, import_seconds)


def cold_starts(network: str, peers: Iterable[str], folder: Path, threads: int) -> list[Startup]:
    """From the start of the process: import, build or read the network, load weights, predict one image."""
    paths = [str(Path(__file__).parents[1]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)

    def prediction_seconds(peer: str) -> float:
        variant = PEERS[peer].inference[0]
        command = [sys.executable, "-m", "versus.cold_start", peer, variant, network, str(folder)]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=environment)
        return time.perf_counter() - start

    return _in_turn(network, peers, prediction_seconds)


def _in_turn(what: str, peers: Iterable[str], seconds: Callable[[str], float]) -> list[Startup]:
    samples: dict[str, list[float]] = {peer: [] for peer in peers}
    for peer in samples:
        seconds(peer)  # files come into the system's cache
    for _ in range(_REPEATS):
        for peer, own in samples.items():
            own.append(1e3 * seconds(peer))
    return [Startup(what, peer, statistics.median(own), min(own)) for peer, own in samples.items()]
