"""The comparison with peers: ratios, tables, turns, and engines in processes of their own."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from versus import convolutions, measuring, report, startup
from versus.cases import LATENCY, TRAINING, Case, case_of
from versus.environment import Others
from versus.measuring import Budget, Contestant, DisagreementError, compare, difference, rounds_within
from versus.peers import PEERS
from versus.results import Comparison, Figures, Memory, geometric_mean, summarize
from versus.worker import NotInstalledError, Worker, WorkerError


def comparison(*figures, threads=2):
    return Comparison("lenet", TRAINING, 64, threads, figures, 1e-6)


OURS = Figures("fastcnn", "", 2.0, 1.8, 5)
NCHW = Figures("PyTorch", "NCHW", 5.0, 3.0, 5)
CHANNELS_LAST = Figures("PyTorch", "channels_last", 4.0, 3.6, 5)


def test_ratio_is_of_the_best_variant_of_the_best_peer():
    result = comparison(OURS, NCHW, CHANNELS_LAST, Figures("ONNX Runtime", "", 4.5, 4.0, 5))
    assert result.best_peer == CHANNELS_LAST and result.best_peer.name == "PyTorch channels_last"
    assert result.ratio == pytest.approx(2.0)
    assert result.best_ratio == pytest.approx(3.0 / 1.8)
    assert result.of("PyTorch") == CHANNELS_LAST and result.of("OpenVINO") is None


def test_one_side_alone_has_no_ratio():
    for alone in (comparison(OURS), comparison(NCHW)):
        assert alone.ratio is None and alone.best_ratio is None


def test_results_are_json():
    read = json.loads(json.dumps(comparison(OURS, NCHW).to_dict()))
    assert read["ratio"] == 2.5 and read["best_peer"] == "PyTorch NCHW"
    assert read["figures"][1] == {
        "peer": "PyTorch",
        "variant": "NCHW",
        "median_ms": 5.0,
        "best_ms": 3.0,
        "samples": 5,
    }


def test_geometric_mean_of_inverse_ratios_is_one():
    assert geometric_mean([4.0, 0.25, 2.0, 0.5]) == pytest.approx(1.0)


def test_plain_table_lines_columns_up():
    table = report.comparison_table([comparison(OURS, CHANNELS_LAST)], report.plain)
    assert table.splitlines() == [
        "                 batch  threads      fastcnn      PyTorch  ratio  (best)              best peer",
        "lenet  training     64        2  2.00 (1.80)  4.00 (3.60)   2.00    2.00  PyTorch channels_last",
    ]


def test_markdown_table():
    table = report.comparison_table([comparison(OURS, threads=1)], report.markdown)
    assert table.splitlines() == [
        "|  |  | batch | threads | fastcnn | ratio | (best) | best peer |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| lenet | training | 64 | 1 | 2.00 (1.80) |  |  |  |",
    ]


def test_memory_ratio_is_ours_over_the_least_of_the_peers():
    measured = [
        Memory("lenet", 64, "fastcnn", "", 30 * 2**20, predicted=29 * 2**20),
        Memory("lenet", 64, "PyTorch", "NCHW", 80 * 2**20),
        Memory("lenet", 64, "PyTorch", "channels_last", 60 * 2**20),
    ]
    assert (
        report.memory_table(measured, report.markdown).splitlines()[-1]
        == "| lenet | 64 | 30 | 29 | 60 | 0.50 |"
    )


def test_startup_table_has_a_row_per_network():
    measured = [
        startup.Startup("import", "fastcnn", 101.4, 99.0),
        startup.Startup("lenet", "PyTorch", 1500, 1400),
    ]
    assert report.startup_table(measured, report.markdown).splitlines()[2:] == [
        "| import | 101 (99) |  |",
        "| lenet |  | 1,500 (1,400) |",
    ]


def test_quick_steps_get_more_rounds_and_long_ones_three():
    assert rounds_within(seconds=10, round_seconds=100) == 3
    assert rounds_within(seconds=10, round_seconds=1.25) == 8
    assert rounds_within(seconds=10, round_seconds=0.01) == 15


def test_budget_left_over_goes_to_those_to_come():
    budget = Budget(100, 4)
    with budget.turn() as first:
        pass
    with budget.turn() as second:
        pass
    assert first == pytest.approx(25, abs=1) and second == pytest.approx(100 / 3, abs=1)


def test_difference_is_relative_to_the_largest():
    assert difference(np.array([1.0, 2.0]), np.array([1.0, 4.0])) == 0.5
    assert difference(np.zeros(3), np.zeros(2)) == float("inf")
    assert difference(np.array([1.0, np.nan]), np.array([1.0, np.nan])) == float("inf")


class Fake:
    """In the place of a Worker."""

    def __init__(self, peer, results, log, seconds=1.0):
        self.peer, self.results, self.log, self.step_seconds = peer, np.array(results), log, seconds

    def check(self, key):
        self.log.append((self.peer, key))
        return self.results

    def seconds(self, key, steps, warm_up=0):
        self.log.append((self.peer, key, steps, warm_up))
        return self.step_seconds


def test_results_that_differ_are_refused_with_the_difference():
    sides = [
        Contestant(Fake("fastcnn", [1.0, 2.0], []), ""),
        Contestant(Fake("PyTorch", [1.0, 2.5], []), "", "NCHW"),
    ]
    with pytest.raises(DisagreementError, match="fastcnn and PyTorch NCHW differ by 2"):
        compare(sides)


def test_samples_take_turns_and_each_begins_in_turn(monkeypatch):
    monkeypatch.setattr(measuring, "PAUSE_SECONDS", 0.0)
    log = []
    sides = [Contestant(Fake(name, [1.0], log), "key") for name in "abc"]
    measuring.interleave(sides, seconds=0.0)
    assert "".join(entry[0] for entry in log) == "abc" + "abc" + "bca" + "cab"
    assert [side.samples for side in sides] == [[1.0] * 3] * 3


def test_quick_steps_fill_a_sample_after_warm_ups(monkeypatch):
    monkeypatch.setattr(measuring, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(measuring, "MOST_ROUNDS", 3)
    log = []
    measuring.interleave([Contestant(Fake("a", [1.0], log, seconds=0.001), "key")], seconds=9.0)
    assert log == [("a", "key", 1, 0), ("a", "key", 10, 0)] + [("a", "key", 100, 10)] * 3


def test_convolutions_are_read_from_the_shapes():
    layers = {
        layer.name: layer for network in convolutions.networks() for layer in convolutions.read(network)
    }
    down = layers["resnet50/layer4.down"]
    assert (down.x, down.w, down.stride) == ((16, 1024, 14, 14), (2048, 1024, 1, 1), (2, 2))
    assert down.y == (16, 2048, 7, 7)
    assert down.operations == 2 * 16 * 7 * 7 * 1024 * 2048
    assert layers["alexnet/conv2"].groups == 2 and layers["alexnet/conv2"].padding == (2, 2)
    assert layers["alexnet/conv1"].passes == ("forward", "backward_weights")
    assert not down.local
    local = layers["conv_local_11pct/local4"]
    assert local.local and local.arrays()[1].shape == (8, 8, 3, 3, 64, 32)
    assert layers["mobilenet_v2/block7.depth"].with_batch(1).x == (1, 384, 14, 14)
    for layer in layers.values():
        assert layer.x[1] == layer.w[1] * layer.groups, layer.name


def test_a_line_of_shapes_with_an_unknown_word_is_refused():
    with pytest.raises(ValueError, match="net/conv1: unknown or missing: padding, w"):
        convolutions.parse("net", "conv1 x=1x3x8x8 padding=1")


LAYER = convolutions.parse("net", "conv x=2x8x9x9 w=6x4x3x3 stride=2x1 pad=1 groups=2")
LOCAL_LAYER = convolutions.parse("net", "conv x=2x4x7x8 w=6x4x3x2 stride=2x1 pad=1")


@pytest.mark.parametrize("layer", [LAYER, replace(LOCAL_LAYER, local=True)], ids=["shared", "local"])
@pytest.mark.parametrize("variant", ["NCHW", "channels_last"])
def test_convolutions_of_both_engines_agree_pass_by_pass(layer, variant):
    with Worker("fastcnn", 1) as ours:
        try:
            theirs = Worker("PyTorch", 1)
        except NotInstalledError:
            pytest.skip("PyTorch is not installed")
        with theirs:
            for name in layer.passes:
                job = convolutions.Pass(layer, name)
                sides = []
                for worker in (ours, theirs):
                    worker.prepare(name, "prepare_convolution", job, variant)
                    sides.append(Contestant(worker, name))
                assert compare(sides) < 1e-5, name
                assert all(side.worker.seconds(name, 2) > 0 for side in sides)


def test_summary_of_ratios_by_mode_and_of_all():
    def layer(name, mode, milliseconds):
        figures = (OURS, Figures("PyTorch", "NCHW", milliseconds, milliseconds, 3))
        return Comparison(name, mode, 1, 2, figures, 0.0)

    layers = [layer("a", "forward", 1.0), layer("b", "forward", 4.0), layer("a", "backward_data", 2.0)]
    forward, backward, every = summarize(layers)
    assert (forward.geometric_mean, forward.worst, forward.worst_of) == (pytest.approx(1.0), 0.5, "a")
    assert backward.what == "backward_data" and backward.geometric_mean == pytest.approx(1.0)
    assert (every.what, every.worst_of) == ("all", "a forward")


def test_others_are_what_is_neither_ours_nor_idle(monkeypatch, tmp_path):
    stat = tmp_path / "stat"
    monkeypatch.setattr("versus.environment._STAT", stat)
    monkeypatch.setattr(
        "os.times", lambda: (1.0, 0.5, 2.0, 0.5, 99.0)
    )  # ours and our children's, then the clock
    monkeypatch.setattr("os.sysconf", lambda _: 100, raising=False)
    stat.write_text("cpu  1000 0 500 8000 100 0 0 0 0 0\n")
    others = Others()
    stat.write_text("cpu  1100 0 500 8150 100 0 0 50 0 0\n")  # 1 s of users, 0.5 s stolen, 1.5 s idle
    monkeypatch.setattr("os.times", lambda: (1.0, 0.5, 2.75, 0.5, 99.0))
    assert others.share() == pytest.approx((1.0 + 0.5 - 0.75) / 3.0)
    monkeypatch.setattr("versus.environment._STAT", tmp_path / "none")
    assert Others().share() is None


def test_compiled_variants_are_asked_for():
    assert PEERS["PyTorch"].variants(training=True, compiled=False) == ["NCHW", "channels_last"]
    assert "channels_last compile" in PEERS["PyTorch"].variants(training=True, compiled=True)
    assert PEERS["OpenVINO"].variants(training=True, compiled=True) == []


def test_an_engine_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setitem(PEERS, "nothing", SimpleNamespace(module="versus.peers.nothing"))
    with pytest.raises(NotInstalledError, match=r"versus\.peers\.nothing"):
        Worker("nothing", 1)


def test_an_error_in_a_worker_comes_back_and_the_worker_lives(tmp_path):
    with Worker("fastcnn", 1) as worker:
        with pytest.raises(WorkerError, match="no model 'nonsense'"):
            worker.call("write_weights", "nonsense", tmp_path)
        worker.call("write_weights", "lenet", tmp_path)
        worker.prepare("key", "prepare", case_of("lenet", TRAINING), "", tmp_path)
        first, second = worker.check("key")
        assert 1.5 < first < 4 and second != first
        assert worker.seconds("key", 2, warm_up=1) > 0


@pytest.mark.parametrize("mode", [TRAINING, LATENCY])
def test_engines_that_are_installed_agree_on_lenet(mode, tmp_path):
    case = Case("lenet", mode, 3)
    workers = []
    try:
        for peer in PEERS if mode == LATENCY else ("fastcnn", "PyTorch"):
            try:
                workers.append(Worker(peer, 1))
            except NotInstalledError:
                if peer in ("fastcnn", "PyTorch"):
                    pytest.skip(f"{peer} is not installed")
        workers[0].call("write_weights", "lenet", tmp_path)
        if any(PEERS[worker.peer].reads_onnx for worker in workers):
            workers[1].call("export_onnx", "lenet", tmp_path)
        sides = []
        for worker in workers:
            for variant in PEERS[worker.peer].variants(mode == TRAINING, compiled=False):
                worker.prepare(variant, "prepare", case, variant, tmp_path)
                sides.append(Contestant(worker, variant, variant))
        assert compare(sides) < 1e-5
    finally:
        for worker in workers:
            worker.close()
