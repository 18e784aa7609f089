"""What a build says of itself, and the choices that the environment makes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastcnn
from fastcnn import _core


def run(code, **environment):
    package = str(Path(fastcnn.__file__).parents[1])
    paths = os.pathsep.join([package, os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", f"import fastcnn\n{code}"],
        env={**os.environ, "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_info_is_json_and_agrees_with_itself():
    info = json.loads(json.dumps(fastcnn.info()))
    assert info["version"] == fastcnn.__version__
    assert info["threads"] == fastcnn.num_threads() >= 1
    assert info["isa"] in info["available_isas"]
    assert info["gemm"] in info["available_gemms"]
    assert info["cuda"] is False


def test_every_gemm_provider_can_be_chosen():
    before = _core.gemm_provider()
    try:
        for provider in _core.available_gemm_providers():
            _core.set_gemm_provider(provider)
            assert fastcnn.info()["gemm"] == provider
    finally:
        _core.set_gemm_provider(before)
    with pytest.raises(ValueError, match='no GEMM provider "cublas" in this build; it has native'):
        _core.set_gemm_provider("cublas")


@pytest.mark.parametrize("isa", _core.available_isas())
def test_the_environment_chooses_the_instruction_set(isa):
    result = run("print(fastcnn.info()['isa'], fastcnn.ops.relu([-1.0, 2.0]))", FASTCNN_ISA=isa)
    assert result.stdout.split() == [isa, "[0.", "2.]"], result.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [("FASTCNN_ISA", "avx1024"), ("FASTCNN_GEMM", "cublas"), ("FASTCNN_NUM_THREADS", "many")],
)
def test_a_wrong_choice_is_named(name, value):
    result = run("fastcnn.info()", **{name: value})
    assert result.returncode != 0
    assert value in result.stderr.splitlines()[-1]


def test_import_is_quiet_and_lazy():
    heavy = ("torch", "tqdm", "safetensors", "PIL")
    result = run(f"import sys\nprint([m for m in sys.modules if m.startswith({heavy})])")
    assert result.stdout == "[]\n" and result.stderr == ""
