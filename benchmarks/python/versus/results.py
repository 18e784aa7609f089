"""Figures, as --json writes them, and ratios."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from versus.measuring import Contestant

OURS = "fastcnn"


@dataclass(frozen=True)
class Figures:
    """One engine in one variant; milliseconds per step."""

    peer: str
    variant: str
    median_ms: float
    best_ms: float
    samples: int

    @property
    def name(self) -> str:
        return f"{self.peer} {self.variant}".strip()


@dataclass(frozen=True)
class Comparison:
    """fastcnn and its peers at one thing. `difference` is the largest between their results, relative."""

    what: str
    mode: str
    batch_size: int
    threads: int
    figures: tuple[Figures, ...]
    difference: float

    def of(self, peer: str) -> Figures | None:
        """The peer in the variant of the least median."""
        own = [figures for figures in self.figures if figures.peer == peer]
        return min(own, key=lambda figures: figures.median_ms, default=None)

    @property
    def best_peer(self) -> Figures | None:
        others = [figures for figures in self.figures if figures.peer != OURS]
        return min(others, key=lambda figures: figures.median_ms, default=None)

    @property
    def ratio(self) -> float | None:
        """The best peer's median over fastcnn's: above 1 fastcnn is faster."""
        ours, theirs = self.of(OURS), self.best_peer
        return None if ours is None or theirs is None else theirs.median_ms / ours.median_ms

    @property
    def best_ratio(self) -> float | None:
        """The same of the best samples."""
        ours = self.of(OURS)
        others = [figures.best_ms for figures in self.figures if figures.peer != OURS]
        return None if ours is None or not others else min(others) / ours.best_ms

    def to_dict(self) -> dict[str, object]:
        best = self.best_peer
        return asdict(self) | {
            "ratio": self.ratio,
            "best_ratio": self.best_ratio,
            "best_peer": None if best is None else best.name,
        }


@dataclass(frozen=True)
class Memory:
    """By how many bytes resident memory grew at most in the first training steps of a process of its own, and
    what fastcnn said beforehand."""

    network: str
    batch_size: int
    peer: str
    variant: str
    bytes: int
    predicted: int | None = None

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


def figures_of(contestant: Contestant) -> Figures:
    return Figures(
        contestant.peer,
        contestant.variant,
        1e3 * contestant.median,
        1e3 * contestant.best,
        len(contestant.samples),
    )


@dataclass(frozen=True)
class Summary:
    """Of the ratios of some comparisons."""

    what: str
    geometric_mean: float
    worst: float
    worst_of: str

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


def summarize(comparisons: Sequence[Comparison]) -> list[Summary]:
    """Of each mode, and of all; comparisons without a ratio don't count."""
    modes: dict[str, dict[str, float]] = {}
    for comparison in comparisons:
        if comparison.ratio is not None:
            modes.setdefault(comparison.mode, {})[comparison.what] = comparison.ratio
    every = {f"{what} {mode}": ratio for mode, own in modes.items() for what, ratio in own.items()}
    named = modes | {"all": every} if len(modes) > 1 else modes
    return [
        Summary(mode, geometric_mean(list(own.values())), min(own.values()), min(own, key=own.__getitem__))
        for mode, own in named.items()
    ]


def geometric_mean(ratios: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, ratios)) / len(ratios))
