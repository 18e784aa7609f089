"""What this build is and what it runs on here."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastcnn import _core
from fastcnn.algorithms import conv_algorithms


def num_threads() -> int:
    """Threads that the core computes on."""
    return _core.num_threads()[0]


def info() -> dict[str, Any]:
    """Version, compiler, instruction set, GEMM provider, convolution algorithms, threads and why, CUDA, and
    `ceilings`: what `fastcnn info --measure` measured here, None before.

    All of it as JSON has it.
    """
    from fastcnn import ceilings

    measured = ceilings.stored()
    threads, reason = _core.num_threads()
    provider = _core.gemm_provider()
    return {
        "version": _core.__version__,
        "compiler": _core.COMPILER,
        "isa": _core.active_isa(),
        "available_isas": _core.available_isas(),
        "blas": _core.BLAS,
        "gemm": provider,
        "gemm_details": _core.gemm_provider_details(provider),
        "available_gemms": _core.available_gemm_providers(),
        "conv_algorithms": conv_algorithms(),
        "threads": threads,
        "threads_reason": reason,
        "cuda": False,
        "ceilings": None if measured is None else asdict(measured),
    }
