"""fastcnn beside PyTorch, ONNX Runtime and OpenVINO.

    python benchmarks/python/versus.py [--networks lenet alexnet] [--peers fastcnn PyTorch] [--threads 1 2]
        [--cases training latency batch memory startup] [--minutes 20] [--compile] [--json FILE] [--markdown]

Every engine gets the same weights and inputs. Where results differ there are no figures, but a message and
a status of 1. Each engine runs in a process of its own, and their samples take turns: figures of one run
compare. Ratio: the time of the best peer in its best variant over fastcnn's, so above 1 fastcnn is faster;
for memory the other way round, fastcnn's over the least of the peers'.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from versus import report
from versus.cases import DEFAULT_NETWORKS, NETWORKS
from versus.environment import Others, warn_if_busy
from versus.peers import PEERS
from versus.run import CASES, Choice, Run


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="fastcnn beside its peers, as ratios.")
    parser.add_argument("--networks", nargs="+", choices=tuple(NETWORKS), default=DEFAULT_NETWORKS)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--peers", nargs="+", choices=tuple(PEERS), default=tuple(PEERS))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], metavar="N", help="default: 1 2")
    parser.add_argument("--minutes", type=float, default=20, help="about how long (default: 20)")
    parser.add_argument("--compile", action="store_true", help="PyTorch's torch.compile too; takes minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    parser.add_argument("--markdown", action="store_true", help="print the tables in Markdown")
    return parser.parse_args()


def tables(run: Run, markdown: bool) -> str:
    """Those that have rows, with their titles."""
    form = report.markdown if markdown else report.plain
    parts = []
    if run.comparisons:
        parts += ["Milliseconds: median (best)", report.comparison_table(run.comparisons, form)]
    if run.memory:
        parts += ["Memory of a training step", report.memory_table(run.memory, form)]
    if run.startup:
        title = "Milliseconds of an import, and to the first prediction"
        parts += [title, report.startup_table(run.startup, form)]
    return "\n\n".join(parts)


def main() -> int:
    arguments = parse()
    warn_if_busy()
    choice = Choice(
        networks=arguments.networks,
        cases=arguments.cases,
        peers=arguments.peers,
        threads=arguments.threads,
        seconds=60 * arguments.minutes,
        compiled=arguments.compile,
    )
    run = Run(choice, say=lambda text: print(text, file=sys.stderr, flush=True))
    others = Others()
    run.measure()
    share = others.share()
    print(tables(run, arguments.markdown))
    if share is not None:
        print(f"\nMeanwhile other processes took {share:.1%} of the processors' time.")
    if arguments.json:
        arguments.json.write_text(json.dumps(run.to_dict() | {"others": share}, indent=1))
    return 1 if run.problems else 0


if __name__ == "__main__":
    sys.exit(main())
