"""`fastcnn info`: what this build is, and what it runs on here."""

from __future__ import annotations

import argparse

import fastcnn
from fastcnn.cli.common import add_json, add_threads, print_json, set_threads

HELP = "show the version, the instruction set, the GEMM provider, threads and why, and CUDA"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_threads(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    set_threads(arguments)
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
    print(f"CUDA      {'yes' if info['cuda'] else 'no'}")
