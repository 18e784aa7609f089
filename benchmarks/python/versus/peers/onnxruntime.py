"""ONNX Runtime, on a file that PyTorch wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from versus.cases import Case
from versus.peers import ONNX, Prepared, threads


def versions() -> dict[str, Any]:
    return {"version": onnxruntime.__version__}


def prepare(case: Case, variant: str, folder: Path) -> Prepared:
    del variant  # there is one
    run = runner(folder / ONNX, case.inputs()[0])
    return Prepared(check=run, step=run)


def runner(path: Path, x: np.ndarray) -> Any:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = threads()
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")  # quickest, and the default
    options.add_free_dimension_override_by_name("n", len(x))
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": x})[0]
