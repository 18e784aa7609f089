"""Print what importing fastcnn costs beyond importing NumPy: the best of ten, in milliseconds."""

import subprocess
import sys
import time


def milliseconds(statement):
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return 1000 * (time.perf_counter() - start)


numpy = min(milliseconds("import numpy") for _ in range(10))
fastcnn = min(milliseconds("import numpy, fastcnn") for _ in range(10))
print(f"import fastcnn: {fastcnn - numpy:.0f} ms beyond NumPy's {numpy:.0f} ms")
