"""OpenVINO, on a file that PyTorch wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openvino

from versus.cases import Case
from versus.peers import ONNX, Prepared, threads


def versions() -> dict[str, Any]:
    return {"version": openvino.__version__}


def prepare(case: Case, variant: str, folder: Path) -> Prepared:
    del variant  # there is one
    run = runner(folder / ONNX, case.inputs()[0])
    return Prepared(check=run, step=run)


def runner(path: Path, x: np.ndarray) -> Any:
    core = openvino.Core()
    model = core.read_model(path)
    model.reshape(x.shape)
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads(),
        "INFERENCE_PRECISION_HINT": "f32",  # left out, it may be bfloat16
    }
    request = core.compile_model(model, "CPU", settings).create_infer_request()

    def run() -> np.ndarray:
        tensor = openvino.Tensor(x, shared_memory=True)
        request.set_input_tensor(tensor)
        request.infer()
        return request.get_output_tensor().data.copy()

    return run
