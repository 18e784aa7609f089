"""Tables, plain or in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from versus.peers import PEERS
from versus.results import OURS, Comparison, Memory, Summary
from versus.startup import Startup

Rows = Sequence[Sequence[str]]
Format = Callable[[Sequence[str], Rows, int], str]


def plain(header: Sequence[str], rows: Rows, labels: int) -> str:
    """Columns as wide as they need be, the first `labels` to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if index < labels else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (header, *rows)
    ]
    return "\n".join(lines)


def markdown(header: Sequence[str], rows: Rows, labels: int) -> str:
    rule = ["---" if index < labels else "---:" for index in range(len(header))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))


def comparison_table(comparisons: Iterable[Comparison], form: Format) -> str:
    """Milliseconds, median and in parentheses best; the ratio is the best peer's over fastcnn's."""
    comparisons = list(comparisons)
    peers = [peer for peer in PEERS if any(comparison.of(peer) for comparison in comparisons)]
    header = ["", "", "batch", "threads", *peers, "ratio", "(best)", "best peer"]
    rows = [
        [
            comparison.what,
            comparison.mode,
            str(comparison.batch_size),
            str(comparison.threads),
            *(_milliseconds(comparison, peer) for peer in peers),
            _ratio(comparison.ratio),
            _ratio(comparison.best_ratio),
            comparison.best_peer.name if comparison.best_peer else "",
        ]
        for comparison in comparisons
    ]
    return form(header, rows, 2)


def memory_table(measured: Iterable[Memory], form: Format) -> str:
    """MiB; the ratio is fastcnn's over the least of the peers': below 1 fastcnn needs less."""
    measured = list(measured)
    rows = []
    for network, batch_size in dict.fromkeys((memory.network, memory.batch_size) for memory in measured):
        own = [memory for memory in measured if (memory.network, memory.batch_size) == (network, batch_size)]
        least = {peer: min((m.bytes for m in own if m.peer == peer), default=None) for peer in PEERS}
        predicted = next((memory.predicted for memory in own if memory.predicted is not None), None)
        ours = least.pop(OURS)
        theirs = min((size for size in least.values() if size is not None), default=None)
        ratio = None if ours is None or theirs is None else ours / theirs
        rows.append(
            [
                network,
                str(batch_size),
                _mebibytes(ours),
                _mebibytes(predicted),
                _mebibytes(theirs),
                _ratio(ratio),
            ]
        )
    return form(["network", "batch", f"{OURS} MiB", "predicted", "PyTorch MiB", "ratio"], rows, 1)


def startup_table(measured: Iterable[Startup], form: Format) -> str:
    """Milliseconds, median and in parentheses best."""
    measured = list(measured)
    peers = [peer for peer in PEERS if any(startup.peer == peer for startup in measured)]
    cells = {(startup.what, startup.peer): startup for startup in measured}
    rows = []
    for what in dict.fromkeys(startup.what for startup in measured):
        own = [cells.get((what, peer)) for peer in peers]
        rows.append([what, *(f"{s.median_ms:,.0f} ({s.best_ms:,.0f})" if s else "" for s in own)])
    return form(["", *peers], rows, 1)


def summary_table(summaries: Iterable[Summary], form: Format) -> str:
    rows = [[s.what, _ratio(s.geometric_mean), _ratio(s.worst), s.worst_of] for s in summaries]
    return form(["", "geometric mean", "worst", "of"], rows, 1)


def _milliseconds(comparison: Comparison, peer: str) -> str:
    figures = comparison.of(peer)
    return "" if figures is None else f"{_digits(figures.median_ms)} ({_digits(figures.best_ms)})"


def _digits(milliseconds: float) -> str:
    """Three significant digits."""
    if milliseconds >= 100:
        return f"{milliseconds:,.0f}"
    return f"{milliseconds:.{1 if milliseconds >= 10 else 2 if milliseconds >= 1 else 3}f}"


def _mebibytes(size: int | None) -> str:
    return "" if size is None else f"{size / 2**20:,.0f}"


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"
