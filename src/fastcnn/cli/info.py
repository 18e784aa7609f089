"""`fastcnn info`: what this build is, and what it runs on here."""

from __future__ import annotations

import argparse

import fastcnn
from fastcnn import ceilings
from fastcnn.cli.common import add_json, add_threads, print_json, set_threads

HELP = "show the version, the instruction set, the GEMM provider, threads and why, and CUDA"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--measure",
        action="store_true",
        help="measure what the machine can do at best, and keep it for `time` and FASTCNN_TRACE=1",
    )
    add_threads(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    set_threads(arguments.threads)
    if arguments.measure:
        ceilings.measure()
    info = fastcnn.info()
    if arguments.json:
        print_json(info)
        return
    print(f"fastcnn   {info['version']}, {info['compiler']}")
    print(f"ISA       {info['isa']} (available: {', '.join(info['available_isas'])})")
    print(
        f"GEMM      {info['gemm']}: {info['gemm_details']} (available: {', '.join(info['available_gemms'])})"
    )
    print(f"BLAS      {info['blas']}")
    print(f"conv      {', '.join(info['conv_algorithms'])}")
    print(f"threads   {info['threads']}: {info['threads_reason']}")
    if info["ceilings"] is not None:
        giga = {name: value / 1e9 for name, value in info["ceilings"].items()}
        print(f"peak      {giga['flops']:,.0f} GFLOP/s, one thread {giga['flops_one']:,.0f}")
        print(
            f"memory    {giga['read']:,.0f} GB/s read, {giga['add']:,.0f} GB/s a + b; "
            f"one thread {giga['read_one']:,.0f} and {giga['add_one']:,.0f}"
        )
    print(f"CUDA      {'yes' if info['cuda'] else 'no'}")
