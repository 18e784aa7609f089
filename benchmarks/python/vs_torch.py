"""fastcnn and PyTorch side by side on lenet and alexnet, training and inference, by versus.py.

    python benchmarks/python/vs_torch.py [--threads 2] [--minutes 20] [--json FILE] [--markdown]

All options of versus.py go, and the last of a kind counts.
"""

import runpy
import sys
from pathlib import Path

CHOICES = "--networks lenet alexnet --peers fastcnn PyTorch --cases training latency batch"

if __name__ == "__main__":
    sys.argv[1:1] = CHOICES.split()
    runpy.run_path(str(Path(__file__).with_name("versus.py")), run_name="__main__")
