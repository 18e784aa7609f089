"""Check what a repaired wheel holds: nothing that a user has no use for, and at most 10 MB."""

import sys
import zipfile
from pathlib import Path

LIMIT = 10_000_000
SUFFIXES = {".py", ".pyi", ".so", ".typed", ".gz", ".txt", ".md", ""}

wheel = Path(sys.argv[1])
size = wheel.stat().st_size
names = zipfile.ZipFile(wheel).namelist()
unwanted = [name for name in names if Path(name).suffix not in SUFFIXES and ".dist-info/" not in name]
libraries = sorted(Path(name).name for name in names if name.endswith(".so"))

print(f"{wheel.name}: {size / 1e6:.2f} MB, {len(names)} files, {', '.join(libraries)}")
if unwanted:
    sys.exit(f"not wanted in a wheel: {', '.join(unwanted)}")
if "libfastcnn_openblas.so" not in libraries:
    sys.exit("OpenBLAS is missing, or has been renamed")
if size > LIMIT:
    sys.exit(f"the wheel is larger than {LIMIT / 1e6:.0f} MB")
