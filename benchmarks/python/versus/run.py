"""One run of the comparison: which engines, in which order, within how much time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from versus import process_memory, startup
from versus.cases import BATCH, LATENCY, NETWORKS, TRAINING, Case, case_of
from versus.environment import environment
from versus.measuring import (
    TOLERANCE,
    TRAINING_TOLERANCE,
    Budget,
    Contestant,
    DisagreementError,
    compare,
    interleave,
)
from versus.peers import PEERS
from versus.results import OURS, Comparison, Memory, figures_of
from versus.worker import NotInstalledError, Worker, WorkerError

TIMED = {"training": TRAINING, "latency": LATENCY, "batch": BATCH}
CASES = (*TIMED, "memory", "startup")

_TIMED_SHARE = 0.6  # of the time; the rest goes to building networks, memory and starts
_MEMORY_STEPS = 2  # the second is the first with velocities


@dataclass(frozen=True)
class Choice:
    """What the command line asks for."""

    networks: Sequence[str]
    cases: Sequence[str]
    peers: Sequence[str]
    threads: Sequence[int]
    seconds: float
    compiled: bool


@dataclass
class Run:
    """Measures what was chosen; figures are in the attributes as far as it came.

    Attributes:
        problems: what could not be measured, and why.
    """

    choice: Choice
    say: Callable[[str], None]
    comparisons: list[Comparison] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    startup: list[startup.Startup] = field(default_factory=list)
    versions: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        choice = self.choice
        modes = [TIMED[case] for case in choice.cases if case in TIMED]
        self._cases = [case_of(network, mode) for network in choice.networks for mode in modes]
        self._budget = Budget(_TIMED_SHARE * choice.seconds, len(self._cases) * len(choice.threads))
        self._workers: dict[tuple[str, int], Worker] = {}

    def measure(self) -> None:
        with ExitStack() as stack:
            for threads in self.choice.threads:
                self._start(threads, stack)
            if "startup" in self.choice.cases:
                self.say("imports")
                self.startup += startup.import_times(self._peers())
            for network in self.choice.networks:
                with tempfile.TemporaryDirectory() as folder:
                    self._measure_network(network, Path(folder))

    def to_dict(self) -> dict[str, Any]:
        return {
            "environment": environment() | {"engines": self.versions},
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
            "memory": [memory.to_dict() for memory in self.memory],
            "startup": [start.to_dict() for start in self.startup],
            "problems": self.problems,
        }

    def _start(self, threads: int, stack: ExitStack) -> None:
        """Those that are there, and fastcnn and PyTorch, who write the files of the others, in any case."""
        for peer in dict.fromkeys((OURS, "PyTorch", *self.choice.peers)):
            try:
                worker = stack.enter_context(Worker(peer, threads))
            except NotInstalledError as error:
                self.say(f"{peer} is left out: {error}")
                continue
            self._workers[peer, threads] = worker
            self.versions[peer] = worker.call("versions")

    def _peers(self) -> list[str]:
        """Those that can be measured."""
        threads = self.choice.threads[0]
        writer = ("PyTorch", threads) in self._workers
        return [
            peer
            for peer in self.choice.peers
            if (peer, threads) in self._workers and (writer or not PEERS[peer].reads_onnx)
        ]

    def _measure_network(self, network: str, folder: Path) -> None:
        threads = self.choice.threads[0]
        with self._reporting(network):
            self._workers[OURS, threads].call("write_weights", network, folder)
            if any(PEERS[peer].reads_onnx for peer in self._peers()):
                self._workers["PyTorch", threads].call("export_onnx", network, folder)
            for case in (case for case in self._cases if case.network == network):
                for threads in self.choice.threads:
                    with self._reporting(f"{network}, {case.mode}, threads: {threads}"):
                        self.comparisons.append(self._compare(case, threads, folder))
            threads = self.choice.threads[-1]
            if "memory" in self.choice.cases and process_memory.available():
                for batch_size in NETWORKS[network].memory_batch_sizes:
                    case = Case(network, TRAINING, batch_size)
                    with self._reporting(f"{network}, memory at batch {batch_size}"):
                        self.memory += self._memory(case, threads, folder)
            if "startup" in self.choice.cases:
                with self._reporting(f"{network}, first prediction"):
                    self.startup += startup.cold_starts(network, self._peers(), folder, threads)

    def _variants(self, case: Case) -> Iterator[tuple[str, str]]:
        for peer in self._peers():
            for variant in PEERS[peer].variants(case.training, self.choice.compiled):
                yield peer, variant

    def _compare(self, case: Case, threads: int, folder: Path) -> Comparison:
        contestants = []
        try:
            for peer, variant in self._variants(case):
                worker = self._workers[peer, threads]
                worker.prepare(variant, "prepare", case, variant, folder)
                contestants.append(Contestant(worker, variant, variant))
            apart = compare(contestants, TRAINING_TOLERANCE if case.training else TOLERANCE)
            with self._budget.turn() as seconds:
                interleave(contestants, seconds)
        finally:
            for contestant in contestants:
                contestant.worker.release(contestant.key)
        figures = tuple(map(figures_of, contestants))
        return Comparison(case.network, case.mode, case.batch_size, threads, figures, apart)

    def _memory(self, case: Case, threads: int, folder: Path) -> Iterator[Memory]:
        for peer, variant in self._variants(case):
            with Worker(peer, threads) as worker:
                worker.prepare(variant, "prepare", case, variant, folder)
                predicted = worker.call("predicted_memory", case) if peer == OURS else None
                grown = worker.memory(variant, _MEMORY_STEPS)
            yield Memory(case.network, case.batch_size, peer, variant, grown, predicted)

    @contextmanager
    def _reporting(self, what: str) -> Iterator[None]:
        """Says what is measured; that it fails doesn't end the run."""
        self.say(what)
        try:
            yield
        except (DisagreementError, WorkerError) as error:
            self.problems.append(f"{what}: {error}")
            self.say(self.problems[-1])
