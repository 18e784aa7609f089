"""What the installed package is, as a whole."""

import subprocess
import sys
from importlib.metadata import files, metadata, requires
from pathlib import Path

import pytest

import fastcnn


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_version_is_that_of_the_distribution():
    assert fastcnn.__version__ == metadata("fastcnn")["Version"]


def test_numpy_is_the_only_dependency():
    assert [r for r in requires("fastcnn") or () if "extra ==" not in r] == ["numpy>=1.26"]


def test_package_is_typed():
    assert (Path(fastcnn.__file__).parent / "py.typed").is_file()


def test_licences_travel_with_the_package():
    names = {Path(f).name for f in files("fastcnn") or ()}
    assert {"LICENSE", "THIRD_PARTY_NOTICES"} <= names


def test_import_brings_in_nothing_but_numpy():
    imported = set(python("import sys, fastcnn; print(*sys.modules)").split())
    assert not imported & {"PIL", "safetensors", "tqdm", "torch", "scipy"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.skipif(fastcnn.info()["blas"] != "OpenBLAS", reason="built without OpenBLAS")
def test_openblas_is_the_private_copy():
    maps = python("import fastcnn; print(open('/proc/self/maps').read())")
    libraries = {Path(line.split()[-1]).name for line in maps.splitlines() if "openblas" in line}
    assert "libfastcnn_openblas.so" in libraries
    assert "libscipy_openblas.so" not in libraries  # the name it is built from
