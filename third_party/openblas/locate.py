"""Print where the scipy-openblas32 wheel lies, for CMake: its package folder and its licence, as a list."""

from importlib.metadata import files
from pathlib import Path

import scipy_openblas32

package = Path(scipy_openblas32.get_lib_dir()) / "cmake" / "openblas"
licence = next(f for f in files("scipy-openblas32") or () if f.name == "LICENSE.txt")
print(package.as_posix(), Path(licence.locate()).as_posix(), sep=";", end="")
