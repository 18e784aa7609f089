"""What convnet.load makes of two files: names, updates, sharing, costs, placement, and errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from convnet_files import DATA, HEAD, HEAD_PARAMS, RATES, classifier, measured, write

import fastcnn
from fastcnn import convnet

CONV = (
    "[conv1]\ntype=conv\ninputs=data\nchannels=3\nfilters=4\nfilterSize=3\npadding=1\ninitW=0.1\ninitB=0.5\n"
)
CONV_PARAMS = f"[conv1]\n{RATES}"


def batch(samples: int = 8, classes: int = 4, shape: tuple[int, ...] = (3, 8, 8)) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((samples, *shape), dtype=np.float32), rng.integers(0, classes, samples)


def test_layers_have_the_names_of_the_file(tmp_path: Path) -> None:
    network = classifier(tmp_path, f"{CONV}neuron=relu\n", CONV_PARAMS, "conv1")
    assert list(network.model.state_dict()) == ["conv1.weight", "conv1.bias", "fc.weight", "fc.bias"]
    assert [name for name, _ in network.model.named_children()] == ["conv1", "conv1_neuron", "fc", "probs"]
    assert network.model.input_shape == (3, 8, 8)
    weights = network.model.state_dict()["conv1.weight"]
    assert weights.std() == pytest.approx(0.1, rel=0.2) and abs(weights.mean()) < 0.03
    assert set(network.model.state_dict()["conv1.bias"]) == {0.5}


def test_the_model_returns_what_goes_into_the_softmax_and_trains(tmp_path: Path) -> None:
    network = classifier(tmp_path, CONV, CONV_PARAMS, "conv1")
    x, y = batch()
    logits = network.model.eval()(x).numpy()
    expected = -np.log(np.exp(logits)[np.arange(8), y] / np.exp(logits).sum(axis=1)).mean()
    trainer = fastcnn.Trainer(network.model.train(), network.criterion, network.optimizer())
    losses = [trainer.step(x, y).loss for _ in range(20)]
    assert losses[0] == pytest.approx(expected, rel=1e-5)
    assert losses[-1] < 0.5 * losses[0]


def test_an_update_follows_cuda_convnets_rule(tmp_path: Path) -> None:
    network = classifier(tmp_path, CONV, CONV_PARAMS, "conv1")
    model, x, y = network.model, *batch()
    trainer = fastcnn.Trainer(model, network.criterion, network.optimizer())
    increments = {name: np.zeros(p.shape) for name, p in model.named_parameters()}
    values = {name: p.numpy().astype(np.float64) for name, p in model.named_parameters()}
    for _ in range(3):
        model.zero_grad()
        network.criterion(model(x), y).backward()
        for name, parameter in model.named_parameters():
            eps, mom, wc = (0.1, 0.9, 0.01) if name.endswith("weight") else (0.2, 0.8, 0)
            assert parameter.grad is not None
            increments[name] = mom * increments[name] - eps * (parameter.grad + wc * values[name])
            values[name] += increments[name]
        model.zero_grad()
        trainer.step(x, y)
        for name, parameter in model.named_parameters():
            np.testing.assert_allclose(parameter.numpy(), values[name], rtol=1e-4, atol=1e-5)


def test_schedules_are_those_of_the_file(tmp_path: Path) -> None:
    rates = "epsW=dexp[base=0.02;tgtFactor=100;numSteps=3]\nepsB=linear[base=1;tgtFactor=10]\n"
    network = classifier(tmp_path, CONV, f"[conv1]\n{rates}momW=0.9\nmomB=0.9\n", "conv1")
    optimizer = network.optimizer()
    schedule = network.schedule(optimizer, total_steps=6)
    seen = []
    for _ in range(7):
        seen.append(tuple(schedule.get_last_lr()[:2]))
        schedule.step()
    weights, biases = zip(*seen, strict=True)
    assert weights == pytest.approx([0.02, 0.02, 0.02, 0.002, 0.002, 0.0002, 0.0002])
    assert biases == pytest.approx([1 - 0.9 * step / 6 for step in range(7)])


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        ("fast", "expected a number, const"),
        ("exp[base=0.1]", r"expected exp\[base=...;tgtFactor=...\]"),
        ("exp[base=0.1;tgtFactor=x]", "could not convert"),
        ("exp[base=inf;tgtFactor=2]", "expected a finite number, got inf"),
        ("dexp[base=0.1;tgtFactor=4;numSteps=0]", "num_steps is 0"),
        ("-1", "expected at least 0"),
        ("0.1,0.2", "epsW has 2 values for 1 inputs"),
    ],
)
def test_a_wrong_rate_is_an_error(tmp_path: Path, rate: str, message: str) -> None:
    params = f"[conv1]\nepsW={rate}\nepsB=0\nmomW=0\nmomB=0\n"
    with pytest.raises(convnet.ConfigError, match=rf"layer-params.cfg, line 2, \[conv1\]: .*{message}"):
        classifier(tmp_path, CONV, params, "conv1")


def test_layers_of_rate_0_are_frozen(tmp_path: Path) -> None:
    network = classifier(tmp_path, CONV, "[conv1]\nepsW=0\nepsB=0\nmomW=0.9\nmomB=0.9\nwc=1\n", "conv1")
    before = network.model.state_dict()
    fastcnn.Trainer(network.model, network.criterion, network.optimizer()).step(*batch())
    changed = {name for name, value in network.model.state_dict().items() if (value != before[name]).any()}
    assert changed == {"fc.weight", "fc.bias"}


def test_wball_keeps_the_norm_of_each_filter(tmp_path: Path) -> None:
    network = classifier(tmp_path, CONV, f"{CONV_PARAMS}wball=2\n", "conv1")
    fastcnn.Trainer(network.model, network.criterion, network.optimizer()).step(*batch())
    norms = np.sqrt((network.model.state_dict()["conv1.weight"] ** 2).sum(axis=(1, 2, 3)))
    np.testing.assert_allclose(norms, 2, rtol=1e-5)


SECOND = (
    "[conv2]\ntype=conv\ninputs=conv1,conv1\nchannels=4\nfilters=4\nfilterSize=3\npadding=1\ninitW=0.1\n"
    "weightSource={}\n[conv3]\ntype=conv\ninputs=conv2\nchannels=4\nfilters=4\nfilterSize=3\npadding=1\n"
    "initW=0.1\nweightSource={}\n"
)


def test_weight_source_shares_weights_but_no_biases(tmp_path: Path) -> None:
    params = CONV_PARAMS + "".join(f"[{name}]\n{RATES}" for name in ("conv2", "conv3"))
    network = classifier(tmp_path, CONV + SECOND.format(",conv2", "conv2[1]"), params, "conv3")
    model: Any = network.model
    first, second = model.conv2.children()
    assert first.weight is second.weight is model.conv3.weight
    assert first.bias is not model.conv3.bias
    names = [update.name for update in network.updates]
    assert names.count("conv2.epsW[0]") == 1 and "conv2.epsW[1]" not in names and "conv3.epsW[0]" not in names
    assert sum(p.size for p in model.parameters()) == 3 * 4 * 9 + 4 * 4 * 9 + 3 * 4 + 4 * 256 + 4
    trainer = fastcnn.Trainer(model, network.criterion, network.optimizer())
    losses = [trainer.step(*batch()).loss for _ in range(10)]
    assert losses[-1] < losses[0]


def shared(folder: Path, own: str, sources: str = RATES) -> convnet.Network:
    """conv3 with parameters of its own and the weights of conv2."""
    params = f"{CONV_PARAMS}[conv2]\n{sources}[conv3]\n{own}"
    return classifier(folder, CONV + SECOND.format(",conv2", "conv2[1]"), params, "conv3")


def test_shared_weights_move_as_their_owner_says(tmp_path: Path) -> None:
    own = "epsW=const[base=0.1]\nepsB=0.5\nmomW=0.1\nmomB=0.3\nwc=0.5\n"
    settings = {update.name: update.settings for update in shared(tmp_path, own).updates}
    owner = settings["conv2.epsW[0]"]
    assert (owner["lr"], owner["momentum"], owner["weight_decay"]) == (0.1, 0.9, 0.01)
    assert (settings["conv3.epsB"]["lr"], settings["conv3.epsB"]["momentum"]) == (0.5, 0.3)


@pytest.mark.parametrize("rate", ["0.2", "0", "exp[base=0.1;tgtFactor=10]"])
def test_another_rate_for_one_use_of_shared_weights_is_an_error(tmp_path: Path, rate: str) -> None:
    with pytest.raises(
        convnet.ConfigError,
        match=r"params.cfg, line 14, \[conv3\]: epsW .* conv2.epsW\[0\], .* 0.1; .* supported",
    ):
        shared(tmp_path, RATES.replace("epsW=0.1", f"epsW={rate}"))


def test_shared_weights_of_rate_0_stay_whatever_another_layer_says(tmp_path: Path) -> None:
    network = shared(tmp_path, RATES, RATES.replace("epsW=0.1", "epsW=0"))
    assert not network.model.conv3.weight.requires_grad and network.model.conv3.bias.requires_grad


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("conv4", r"no weights conv4\[0\] above"),
        ("conv2[2]", r"no weights conv2\[2\] above"),
        ("conv1", r"conv1\[0\] has shape \(4, 3, 3, 3\), expected \(4, 4, 3, 3\)"),
        ("conv2[", "expected layer or layer"),
        ("a,b", "has 2 values for 1 inputs"),
    ],
)
def test_a_wrong_weight_source_is_an_error(tmp_path: Path, source: str, message: str) -> None:
    params = CONV_PARAMS + "".join(f"[{name}]\n{RATES}" for name in ("conv2", "conv3"))
    with pytest.raises(convnet.ConfigError, match=rf"\[conv3\]: weightSource.*{message}"):
        classifier(tmp_path, CONV + SECOND.format(",conv2", source), params, "conv3")


def test_gpus_are_reported_and_inherited(tmp_path: Path) -> None:
    layers = CONV + "gpu=0,1\n[pool1]\ntype=pool\npool=max\ninputs=conv1\nchannels=4\nsizeX=2\nstride=2\n"
    network = classifier(tmp_path, layers, CONV_PARAMS, "pool1")
    assert network.placement == dict.fromkeys(("conv1", "pool1", "fc", "probs"), (0, 1))
    with pytest.raises(convnet.ConfigError, match="gpu names a GPU twice"):
        classifier(tmp_path, layers.replace("0,1", "1,1"), CONV_PARAMS, "pool1")


@pytest.mark.parametrize("where", ["conv1", "conv1_neuron"])
def test_dropout_of_any_layer_scales_at_test_time(tmp_path: Path, where: str) -> None:
    network = measured(
        tmp_path,
        f"{CONV}neuron=relu\n",
        f"{CONV_PARAMS}{'' if where == 'conv1' else f'[{where}]'}\ndropout=0.75\n",
        "conv1",
    )
    plain = measured(tmp_path, f"{CONV}neuron=relu\n", CONV_PARAMS, "conv1")
    plain.model.load_state_dict(network.model.state_dict())
    x, _ = batch()
    expected = plain.model.eval()(x).numpy()
    np.testing.assert_allclose(network.model.eval()(x).numpy(), expected / 4, rtol=1e-5)
    dropped = network.model.train()(x).numpy()
    kept = dropped != 0
    np.testing.assert_allclose(dropped[kept], expected[kept], rtol=1e-5)
    assert kept[expected != 0].mean() == pytest.approx(0.25, abs=0.03)


def test_fcdropo_drops_outputs_before_the_neuron(tmp_path: Path) -> None:
    layers = "[fc]\ntype={}\ninputs=data\noutputs=200\ninitW=0.1\ninitB=0.5\nneuron=logistic\n"
    network = measured(tmp_path, layers.format("fcdropo\nrate=0.75"), f"[fc]\n{RATES}", "fc")
    plain = measured(tmp_path, layers.format("fc"), f"[fc]\n{RATES}", "fc")
    plain.model.load_state_dict(network.model.state_dict())
    x, _ = batch()
    probabilities = plain.model.eval()(x).numpy().astype(np.float64)
    raw = np.log(probabilities / (1 - probabilities))
    np.testing.assert_allclose(network.model.eval()(x).numpy(), 1 / (1 + np.exp(-raw / 4)), rtol=1e-4)
    dropped = network.model.train()(x).numpy()
    kept = dropped != 0.5
    np.testing.assert_allclose(dropped[kept], probabilities[kept], rtol=1e-5)
    assert kept.mean() == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize(("kind", "training", "testing"), [("dropout", 4.0, 1.0), ("dropout2", 1.0, 0.25)])
@pytest.mark.parametrize("enabled", [True, False])
def test_dropout_layers(tmp_path: Path, kind: str, training: float, testing: float, enabled: bool) -> None:
    params = f"[drop]\nkeep=0.25\nenable={enabled}\n"
    network = measured(tmp_path, f"[drop]\ntype={kind}\ninputs=data\n", params, "drop")
    x, _ = batch()
    np.testing.assert_allclose(network.model.eval()(x).numpy(), testing * x, rtol=1e-6)
    dropped = network.model.train()(x).numpy()
    if not enabled:
        np.testing.assert_allclose(dropped, testing * x, rtol=1e-6)
        return
    kept = dropped != 0
    np.testing.assert_allclose(dropped[kept], training * x[kept], rtol=1e-6)
    assert kept.mean() == pytest.approx(0.25, abs=0.03)


def test_several_costs_are_added_with_their_coefficients(tmp_path: Path) -> None:
    layers = f"{DATA}{CONV}{HEAD.format(inputs='conv1')}[small]\ntype=cost.sum2\ninputs=conv1\n"
    params = f"{CONV_PARAMS}{HEAD_PARAMS.replace('coeff=1', 'coeff=0.5')}[small]\ncoeff=0.25\n"
    network = convnet.load(*write(tmp_path, layers, params), input_shape=(3, 8, 8))
    x, y = batch()
    logits, values = (tensor.numpy().astype(np.float64) for tensor in network.model.eval()(x))
    nll = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(8), y]
    squares = (values**2).sum(axis=(1, 2, 3))
    loss = network.criterion(network.model(x), y)
    assert loss.item() == pytest.approx((0.5 * nll + 0.25 * squares).mean(), rel=1e-5)
    assert [(cost.name, cost.coeff) for cost in network.costs] == [("logprob", 0.5), ("small", 0.25)]


def test_children_of_a_cost_are_costs_above(tmp_path: Path) -> None:
    def loaded(children: str) -> convnet.Network:
        second = f"[both]\ntype=cost.logreg\ninputs=labels,probs\nchildren={children}\n"
        layers = DATA + CONV + HEAD.format(inputs="conv1") + second
        params = f"{CONV_PARAMS}{HEAD_PARAMS}[both]\ncoeff=0\n"
        return convnet.load(*write(tmp_path, layers, params), input_shape=(3, 8, 8))

    assert [cost.name for cost in loaded("logprob").costs] == ["logprob", "both"]
    with pytest.raises(convnet.ConfigError, match=r"\[both\]: .*cost layer 'logprop' above; .* logprob"):
        loaded("logprop")


def test_binomial_cross_entropy_of_labels_as_rows(tmp_path: Path) -> None:
    layers = (
        "[data]\ntype=data\ndataIdx=0\n[labels]\ntype=data\ndataIdx=2\n"
        "[fc]\ntype=fc\noutputs=4\ninputs=data\ninitW=0.1\nneuron={}\n[bce]\ntype=cost.bce\ninputs=labels,fc\n"
    )
    params = f"[fc]\n{RATES}[bce]\ncoeff=2\nposWeight=3\n"
    x, y = batch()
    rows = np.eye(4, dtype=np.float32)[y]
    for neuron in ("logistic", "brelu[1]"):
        network = convnet.load(*write(tmp_path, layers.format(neuron), params), input_shape=(3, 8, 8))
        assert network.targets == [2]
        raw = network.model.eval()(x).numpy().astype(np.float64)
        p = 1 / (1 + np.exp(-raw)) if neuron == "logistic" else raw
        with np.errstate(divide="ignore"):
            costs = -(3 * rows * np.maximum(np.log(p), -100) + (1 - rows) * np.maximum(np.log(1 - p), -100))
        loss = network.criterion(network.model(x), rows)
        assert loss.item() == pytest.approx(2 * costs.sum(axis=1).mean(), rel=1e-4)


def test_cross_entropy_on_distributions(tmp_path: Path) -> None:
    layers = DATA.replace("dataIdx=1", "dataIdx=2") + HEAD.format(inputs="data").replace("logreg", "crossent")
    network = convnet.load(*write(tmp_path, layers, HEAD_PARAMS), input_shape=(3, 8, 8))
    x, _ = batch()
    targets = np.random.default_rng(1).dirichlet(np.ones(4), 8).astype(np.float32)
    logits = network.model.eval()(x).numpy().astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    loss = network.criterion(network.model(x), targets)
    assert loss.item() == pytest.approx(-(targets * log_p).sum(axis=1).mean(), rel=1e-5)


def test_an_autoencoder_reads_no_labels(tmp_path: Path) -> None:
    layers = (
        "[data]\ntype=data\ndataIdx=0\n[code]\ntype=fc\noutputs=16\ninputs=data\ninitW=0.1\nneuron=tanh[1,1]\n"
        "[recon]\ntype=fc\noutputs=192\ninputs=code\ninitW=0.1\n"
        "[diff]\ntype=eltsum\ninputs=recon,data\ncoeffs=1,-1\n[sqdiff]\ntype=cost.sum2\ninputs=diff\n"
    )
    rates = "epsW=0.01\nepsB=0.01\nmomW=0.5\nmomB=0.5\n"
    params = f"[code]\n{rates}[recon]\n{rates}[sqdiff]\ncoeff=0.1\n"
    network = convnet.load(*write(tmp_path, layers, params), input_shape=(3, 8, 8))
    assert network.targets == []
    x, y = batch()
    trainer = fastcnn.Trainer(network.model, network.criterion, network.optimizer())
    losses = [trainer.step(x, y).loss for _ in range(20)]
    assert losses[-1] < 0.8 * losses[0]


def test_shapes_of_images_follow_from_the_classes_unless_given(tmp_path: Path) -> None:
    def load(classes: int, **shape: Any) -> convnet.Network:
        layers = DATA + HEAD.format(inputs="data").replace("=4", f"={classes}")
        return convnet.load(*write(tmp_path, layers, HEAD_PARAMS), **shape)

    assert load(10).model.input_shape == load(100).model.input_shape == (3, 32, 32)
    assert load(1000).model.input_shape == (3, 224, 224)
    assert load(7, input_shape=(1, 9, 9)).model.input_shape == (1, 9, 9)
    with pytest.raises(convnet.ConfigError, match="give input_shape"):
        load(7)
    with pytest.raises(convnet.ConfigError, match="probs is 10 numbers for 4 classes"):
        load(10, input_shape=(3, 8, 8), num_classes=4)


ERRORS = {
    "unknown type": (
        "[a]\ntype=conw\ninputs=data\n",
        "",
        r"line 10, \[a\]: unknown layer type 'conw'; did you mean conv",
    ),
    "unknown key": (
        f"{CONV}strid=2\n",
        CONV_PARAMS,
        r"line 18, \[conv1\]: unknown key 'strid'; did you mean stride",
    ),
    "unknown parameter": (
        CONV,
        f"{CONV_PARAMS}wcc=2\n",
        r"params.cfg, line 7, \[conv1\]: unknown key 'wcc'; did you mean wc",
    ),
    "missing key": (CONV.replace("filters=4\n", ""), CONV_PARAMS, r"line 9, \[conv1\]: filters is missing"),
    "missing parameters": (CONV, "", r"layer-params.cfg, \[conv1\]: epsW is missing"),
    "parameters of another name": (
        CONV,
        CONV_PARAMS.replace("conv1", "conv11"),
        r"layer-params.cfg, \[conv1\]: epsW is missing, as is the whole section; did you mean conv11",
    ),
    "momentum above 1": (
        CONV,
        CONV_PARAMS.replace("momB=0.8", "momB=1.5"),
        r"params.cfg, line 5, \[conv1\]: momB is 1.5, expected from 0 to 1",
    ),
    "pool outside": (
        "[pool1]\ntype=pool\npool=max\ninputs=data\nchannels=3\nsizeX=3\nstride=2\nstart=7\n",
        "",
        r"line 16, \[pool1\]: a window lies outside of images of 8 pixels",
    ),
    "contrast of filters": (
        CONV,
        f"{CONV_PARAMS}wcNormMax=2\n",
        r"params.cfg, line 7, \[conv1\]: wcNormMax is not supported",
    ),
    "wball of local": (
        CONV.replace("type=conv", "type=local"),
        f"{CONV_PARAMS}wball=2\n",
        r"params.cfg, line 7, \[conv1\]: wball is not supported for layers of type local",
    ),
    "wball of sfc": (
        "[conv1]\ntype=sfc\ninputs=data\nparts=3\noutputs=4\n",
        f"{CONV_PARAMS}wball=2\n",
        "wball is not supported for layers of type sfc",
    ),
    "no such input": (
        CONV.replace("=data", "=dat"),
        CONV_PARAMS,
        r"line 11, \[conv1\]: there is no layer 'dat' above; did you mean data",
    ),
    "wrong channels": (
        CONV.replace("channels=3", "channels=5"),
        CONV_PARAMS,
        r"line 12, .*: data is 3x8x8, no square images of 5 channels",
    ),
    "filter too large": (
        CONV.replace("filterSize=3", "filterSize=11"),
        CONV_PARAMS,
        "filterSize is 11, more than 8 pixels",
    ),
    "python in a file": (
        f"{CONV}initWFunc=winit.makew(0.5)\n",
        CONV_PARAMS,
        r"line 18, \[conv1\]: initWFunc runs Python code",
    ),
    "unused layer": (
        f"{CONV}[other]\ntype=softmax\ninputs=conv1\n",
        CONV_PARAMS,
        r"\[other\]: nothing reads this layer of type softmax",
    ),
    "taken name": (
        CONV.replace("conv1", "train"),
        CONV_PARAMS.replace("conv1", "train"),
        r"\[train\]: 'train' can't be the name",
    ),
    "rare updates": (
        CONV,
        f"{CONV_PARAMS}updatePeriod=4\n",
        "updatePeriod: fastcnn updates the weights after every batch",
    ),
    "unknown pool": (
        "[pool1]\ntype=pool\npool=maxx\ninputs=data\nchannels=3\nsizeX=2\nstride=2\n",
        "",
        "pool is 'maxx', expected max or maxabs or avg; did you mean max",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_name_file_line_and_section(tmp_path: Path, case: str) -> None:
    layers, params, message = ERRORS[case]
    last = {"taken name": "train", "unknown type": "a", "unknown pool": "pool1", "pool outside": "pool1"}.get(
        case, "conv1"
    )
    with pytest.raises(convnet.ConfigError, match=message):
        classifier(tmp_path, layers, params, last)


@pytest.mark.parametrize("kind", ["fcdropc", "fcdropcf", "rscale", "sum"])
def test_types_that_are_not_supported_say_so(tmp_path: Path, kind: str) -> None:
    with pytest.raises(convnet.ConfigError, match=rf"line 10, \[a\]: type {kind} is not supported: "):
        classifier(tmp_path, f"[a]\ntype={kind}\ninputs=data\n", "", "a")


def test_parameters_of_no_layer_are_a_warning(tmp_path: Path) -> None:
    params = f"{CONV_PARAMS}[conv2]\nsome=0\n"
    with pytest.warns(UserWarning, match=r"line 7, \[conv2\]: not read, .* no layer of that name; .* conv1"):
        classifier(tmp_path, CONV, params, "conv1")


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        convnet.load(tmp_path / "layers.cfg", tmp_path / "layer-params.cfg")


@pytest.mark.parametrize("keys", ["partialSum=8\n", "sumWidth=4\n"])
def test_keys_of_the_gpu_code_are_ignored(tmp_path: Path, keys: str) -> None:
    classifier(tmp_path, CONV + keys, CONV_PARAMS, "conv1")
