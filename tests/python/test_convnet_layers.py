"""Layers of cuda-convnet's files compute what they do there, against loops written from the definition."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from convnet_files import RATES, measured

from fastcnn import convnet

Array = np.ndarray[Any, Any]


def images(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def output(network: convnet.Network, x: Array) -> Array:
    result: Array = network.model.eval()(x).numpy()
    return result


def everywhere(weights: Array) -> Callable[[int, int], Array]:
    """The same at every window."""
    return lambda *_: weights


def convolved(
    x: Array, weights: Callable[[int, int], Array], modules: int, stride: int, padding: int, groups: int = 1
) -> Array:
    """modules x modules windows from -padding on, zeros outside; weights(i, j) is (c_out, c_in, k, k)."""
    n, _, size, _ = x.shape
    filters, depth, k, _ = weights(0, 0).shape
    y = np.zeros((n, filters, modules, modules))
    for i in range(modules):
        for j in range(modules):
            for p in range(k):
                for q in range(k):
                    row, column = i * stride - padding + p, j * stride - padding + q
                    if not (0 <= row < size and 0 <= column < size):
                        continue
                    for f in range(filters):
                        first = f // (filters // groups) * depth
                        pixel = x[:, first : first + depth, row, column]
                        y[:, f, i, j] += pixel @ weights(i, j)[f, :, p, q]
    return y


@pytest.mark.parametrize(
    ("size", "k", "stride", "padding", "modules"),
    [(8, 3, 1, 1, 8), (8, 3, 2, 0, 4), (9, 4, 3, 1, 4), (7, 2, 3, 1, 4)],
)
@pytest.mark.parametrize("shared", [True, False])
def test_convolution_rounds_its_size_up(
    tmp_path: Path, size: int, k: int, stride: int, padding: int, modules: int, shared: bool
) -> None:
    network = measured(
        tmp_path,
        f"[conv]\ntype=conv\ninputs=data\nchannels=3\nfilters=4\nfilterSize={k}\nstride={stride}\n"
        f"padding={padding}\ninitW=0.5\ninitB=0.25\nsharedBiases={shared}\npartialSum=1\n",
        f"[conv]\n{RATES}",
        "conv",
        (3, size, size),
    )
    assert modules == 1 + math.ceil((2 * padding + size - k) / stride)
    conv: Any = network.model.conv
    assert conv.bias.size == 4 * (1 if shared else modules**2)
    x = images(2, 3, size, size)
    expected = convolved(x, everywhere(conv.weight.numpy()), modules, stride, padding) + 0.25
    np.testing.assert_allclose(output(network, x), expected, rtol=1e-4, atol=1e-4)


def test_filters_count_per_group(tmp_path: Path) -> None:
    network = measured(
        tmp_path,
        "[conv]\ntype=conv\ninputs=data\nchannels=4\nfilters=3\ngroups=2\nfilterSize=3\ninitW=0.5\n",
        f"[conv]\n{RATES}",
        "conv",
        (4, 6, 6),
    )
    x = images(2, 4, 6, 6)
    weight = network.model.conv.weight.numpy()
    assert weight.shape == (6, 2, 3, 3)
    np.testing.assert_allclose(
        output(network, x), convolved(x, everywhere(weight), 4, 1, 0, groups=2), rtol=1e-4, atol=1e-4
    )


def test_modules_x_says_how_many_windows_there_are(tmp_path: Path) -> None:
    network = measured(
        tmp_path,
        "[conv]\ntype=conv\ninputs=data\nchannels=3\nfilters=2\nfilterSize=3\npadding=2\nmodulesX=8\ninitW=0.5\n",
        f"[conv]\n{RATES}",
        "conv",
    )
    x = images(1, 3, 8, 8)
    weight = network.model.conv.weight.numpy()
    np.testing.assert_allclose(
        output(network, x), convolved(x, everywhere(weight), 8, 1, 2), rtol=1e-4, atol=1e-4
    )


def test_local_has_filters_and_biases_of_its_own_everywhere(tmp_path: Path) -> None:
    network = measured(
        tmp_path,
        "[local]\ntype=local\ninputs=data\nchannels=4\nfilters=3\ngroups=2\nfilterSize=4\nstride=3\npadding=1\n"
        "initW=0.5\n",
        f"[local]\n{RATES}",
        "local",
        (4, 9, 9),
    )
    weight = network.model.local.weight.numpy()  # (h_out, w_out, k, k, c_in / groups, c_out)
    x = images(2, 4, 9, 9)
    y = convolved(x, lambda i, j: weight[i, j].transpose(3, 2, 0, 1), 4, 3, 1, groups=2)
    np.testing.assert_allclose(output(network, x), y, rtol=1e-4, atol=1e-4)
    assert network.model.local.bias.size == 6 * 4 * 4


def test_several_inputs_have_weights_each_and_are_added(tmp_path: Path) -> None:
    network = measured(
        tmp_path,
        "[one]\ntype=conv\ninputs=data\nchannels=3\nfilters=2\nfilterSize=3\npadding=1\ninitW=0.5\n"
        "[two]\ntype=conv\ninputs=one,data\nchannels=2,3\nfilters=4\nfilterSize=3,5\npadding=1,2\n"
        "initW=0.5,0.25\ninitB=1\n"
        "[fc]\ntype=fc\noutputs=5\ninputs=two,data\ninitW=0.1\n",
        f"[one]\n{RATES}[two]\nepsW=0.1,0.2\nepsB=0.3\nmomW=0.5\nmomB=0.25\nwc=0,0.5\n[fc]\n{RATES}",
        "fc",
        (3, 6, 6),
    )
    model: Any = network.model
    x = images(2, 3, 6, 6)
    one = convolved(x, everywhere(model.one.weight.numpy()), 6, 1, 1)
    two: Any = list(model.two.children())
    y = 1 + convolved(one, everywhere(two[0].weight.numpy()), 6, 1, 1)
    y += convolved(x, everywhere(two[1].weight.numpy()), 6, 1, 2)
    fc: Any = list(model.fc.children())
    y = y.reshape(2, -1) @ fc[0].weight.numpy().T + x.reshape(2, -1) @ fc[1].weight.numpy().T
    np.testing.assert_allclose(output(network, x), y, rtol=1e-3, atol=1e-3)
    assert [p for p in (two[1].bias, fc[1].bias) if p is not None] == []
    rates = {update.name: update.settings for update in network.updates}
    assert [rates[f"two.{key}"]["lr"] for key in ("epsW[0]", "epsW[1]", "epsB")] == [0.1, 0.2, 0.3]
    assert [rates[f"two.{key}"]["weight_decay"] for key in ("epsW[0]", "epsW[1]", "epsB")] == [0, 0.5, 0]


def test_split_fc_multiplies_each_part_by_itself(tmp_path: Path) -> None:
    network = measured(
        tmp_path,
        "[sfc]\ntype=sfc\ninputs=data\nparts=3\noutputs=2\ninitW=0.5\ninitB=0.5\n",
        f"[sfc]\n{RATES}",
        "sfc",
        (3, 2, 2),
    )
    x = images(2, 3, 2, 2)
    weight = network.model.sfc.weight.numpy()[:, :, 0, 0]
    expected = [x.reshape(2, 12)[:, 4 * p : 4 * p + 4] @ weight[2 * p : 2 * p + 2].T + 0.5 for p in range(3)]
    np.testing.assert_allclose(
        output(network, x).reshape(2, 6), np.concatenate(expected, axis=1), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("kind", ["max", "maxabs", "avg", "sum"])
@pytest.mark.parametrize(
    ("size", "k", "stride", "start", "outputs"),
    [(8, 3, 2, 0, 0), (9, 3, 2, 0, 0), (30, 4, 4, -2, 0), (8, 3, 3, 1, 0), (8, 3, 2, 0, 2), (7, 5, 2, -3, 5)],
)
def test_pools_cover_the_image_and_clip_their_windows(
    tmp_path: Path, kind: str, size: int, k: int, stride: int, start: int, outputs: int
) -> None:
    keys = "pool=avg\nsum=1" if kind == "sum" else f"pool={kind}"
    network = measured(
        tmp_path,
        f"[pool]\ntype=pool\n{keys}\ninputs=data\nchannels=2\nsizeX={k}\nstride={stride}\nstart={start}\n"
        f"outputsX={outputs}\n",
        "",
        "pool",
        (2, size, size),
    )
    count = outputs or math.ceil((size - start - k) / stride) + 1
    x = images(2, 2, size, size)
    y = np.empty((2, 2, count, count))
    for i in range(count):
        for j in range(count):
            top, left = start + i * stride, start + j * stride
            window = x[:, :, max(top, 0) : top + k, max(left, 0) : left + k].reshape(2, 2, -1)
            largest = np.take_along_axis(window, np.abs(window).argmax(axis=2)[..., None], axis=2)[..., 0]
            y[:, :, i, j] = {
                "max": window.max(axis=2),
                "maxabs": largest,
                "avg": window.mean(axis=2),
                "sum": window.sum(axis=2),
            }[kind]
    np.testing.assert_allclose(output(network, x), y, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("start", "size", "stride", "outputs"), [(0, 3, 3, 4), (0, 4, 2, 5), (-1, 3, 2, 6)])
def test_cross_map_pool_takes_the_largest_of_neighbouring_maps(
    tmp_path: Path, start: int, size: int, stride: int, outputs: int
) -> None:
    network = measured(
        tmp_path,
        f"[pool]\ntype=cmpool\npool=max\ninputs=data\nchannels=12\nsize={size}\nstride={stride}\nstart={start}\n"
        f"outputs={outputs}\n",
        "",
        "pool",
        (12, 3, 3),
    )
    x = images(2, 12, 3, 3)
    windows = [range(max(start + o * stride, 0), min(start + o * stride + size, 12)) for o in range(outputs)]
    expected = [x[:, list(window)].max(axis=1) if window else None for window in windows]
    np.testing.assert_array_equal(output(network, x), np.stack(expected, axis=1))


@pytest.mark.parametrize("kind", ["rnorm", "cnorm", "cmrnorm", "blocked"])
@pytest.mark.parametrize("size", [3, 4])
def test_norms_divide_scale_by_the_window(tmp_path: Path, kind: str, size: int) -> None:
    keys = "type=cmrnorm\nblocked=1" if kind == "blocked" else f"type={kind}"
    network = measured(
        tmp_path,
        f"[norm]\n{keys}\ninputs=data\nchannels=6\nsize={size}\n",
        "[norm]\nscale=0.5\npow=0.75\nminDiv=2\n",
        "norm",
        (6, 5, 5),
    )
    x = images(2, 6, 5, 5).astype(np.float64)
    y = np.empty_like(x)
    reach = range(-(size // 2), size - size // 2)
    z = x - clipped_mean(x, reach) if kind == "cnorm" else x
    for c in range(6):
        for i in range(5):
            for j in range(5):
                rows = [i + d for d in reach if 0 <= i + d < 5]
                columns = [j + d for d in reach if 0 <= j + d < 5]
                maps = [c + d for d in reach if 0 <= c + d < 6]
                if kind == "blocked":
                    maps = [m for m in range(c // size * size, c // size * size + size) if m < 6]
                if kind in ("rnorm", "cnorm"):
                    total = (z[:, c][:, rows][:, :, columns] ** 2).sum(axis=(1, 2)) * 0.5 / size**2
                else:
                    total = (x[:, maps, i, j] ** 2).sum(axis=1) * 0.5 / size
                y[:, c, i, j] = x[:, c, i, j] / (2 + total) ** 0.75
    np.testing.assert_allclose(output(network, x.astype(np.float32)), y, rtol=1e-4, atol=1e-5)


def clipped_mean(x: Array, reach: range) -> Array:
    """The mean of the window around each pixel, over its part in the image."""
    size = x.shape[2]
    mean = np.empty_like(x)
    for i in range(size):
        for j in range(size):
            rows = [i + d for d in reach if 0 <= i + d < size]
            columns = [j + d for d in reach if 0 <= j + d < size]
            mean[:, :, i, j] = x[:, :, rows][:, :, :, columns].mean(axis=(2, 3))
    return mean


def test_older_files_have_the_norms_numbers_beside_the_layer(tmp_path: Path) -> None:
    network = measured(
        tmp_path,
        "[norm]\ntype=rnorm\ninputs=data\nchannels=3\nsizeX=5\nscale=0.5\npow=0.75\n",
        "",
        "norm",
    )
    norm: Any = network.model.norm
    assert (norm.size, norm.alpha, norm.beta, norm.k) == (5, 0.5, 0.75, 1.0)


NEURONS = {
    "ident": lambda x: x,
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "abs": np.abs,
    "relu": lambda x: np.maximum(x, 0),
    "softrelu": lambda x: np.log1p(np.exp(x)),
    "square": np.square,
    "sqrt": np.sqrt,
    "log[1.5]": lambda x: np.log(1.5 + x),
    "tanh[1.79,-0.66]": lambda x: 1.79 * np.tanh(-0.66 * x),
    "brelu[0.5]": lambda x: np.clip(x, 0, 0.5),
    "linear[3, 2.2]": lambda x: 3 * x + 2.2,
    "drelu[2]": lambda x: x - 2 * np.tanh(x / 2),
    "abstanh[1.5,-2]": lambda x: 1.5 * np.abs(np.tanh(2 * x)),
}


@pytest.mark.parametrize("neuron", NEURONS)
def test_neurons(tmp_path: Path, neuron: str) -> None:
    network = measured(tmp_path, f"[n]\ntype=neuron\ninputs=data\nneuron={neuron}\n", "", "n")
    x = images(2, 3, 8, 8)
    x = np.abs(x) if neuron.startswith(("sqrt", "log[")) else x
    np.testing.assert_allclose(output(network, x), NEURONS[neuron](x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("neuron", "message"),
    [
        ("rellu", "expected one of .*did you mean relu"),
        ("tanh", "expected 2 numbers in brackets"),
        ("tanh[1]", "expected 2 numbers in brackets"),
        ("linear[a,b]", "could not convert"),
    ],
)
def test_an_unknown_neuron_is_an_error(tmp_path: Path, neuron: str, message: str) -> None:
    with pytest.raises(convnet.ConfigError, match=rf"layers.cfg, line 7, \[n\]: neuron is .*{message}"):
        measured(tmp_path, f"[n]\ntype=neuron\ninputs=data\nneuron={neuron}\n", "", "n")


@pytest.mark.parametrize("kind", ["conv", "local"])
def test_random_sparse_connections(tmp_path: Path, kind: str) -> None:
    layers = (
        f"[one]\ntype={kind}\ninputs=data\nchannels=8\nfilters=2\ngroups=4\nfilterSize=3\ninitW=0.5\nrandSparse=1\n"
        f"filterChannels=4\n"
        f"[two]\ntype={kind}\ninputs=data\nchannels=8\nfilters=2\ngroups=4\nfilterSize=3\ninitW=0.5\nrandSparse=1\n"
        "filterChannels=4\nweightSource=one\n[sum]\ntype=eltsum\ninputs=one,two\n"
    )
    network = measured(tmp_path, layers, f"[one]\n{RATES}[two]\n{RATES}", "sum", (8, 6, 6))
    one: Any = network.model.one
    connections = one.connections.numpy()
    assert connections.shape == (16,)
    for half in (connections[:8], connections[8:]):  # each sees every channel once
        assert sorted(half) == list(range(8))
    assert network.model.two.connections is one.connections
    x = images(2, 8, 6, 6)
    weight = one.weight.numpy()
    y = convolved(
        x[:, connections],
        lambda i, j: weight if kind == "conv" else weight[i, j].transpose(3, 2, 0, 1),
        4,
        1,
        0,
        groups=4,
    )
    np.testing.assert_allclose(output(network, x), 2 * y, rtol=1e-4, atol=1e-4)


def test_elementwise_sum_has_coefficients(tmp_path: Path) -> None:
    layers = (
        "[two]\ntype=neuron\ninputs=data\nneuron=linear[2,1]\n[flat]\ntype=softmax\ninputs=data\n"
        "[sum]\ntype=eltsum\ninputs=data,two,flat\ncoeffs=0.5,-1,3\n"
    )
    x = images(2, 3, 4, 4)
    flat = np.exp(x.reshape(2, -1)) / np.exp(x.reshape(2, -1)).sum(axis=1, keepdims=True)
    expected = 0.5 * x - (2 * x + 1)
    for coeffs, params in (("coeffs=0.5,-1,3\n", ""), ("", "[sum]\ncoeffs=0.5,-1,3\n")):
        network = measured(tmp_path, layers.replace("coeffs=0.5,-1,3\n", coeffs), params, "sum", (3, 4, 4))
        np.testing.assert_allclose(
            output(network, x), expected + 3 * flat.reshape(x.shape), rtol=1e-5, atol=1e-5
        )


def test_elementwise_max(tmp_path: Path) -> None:
    layers = "[two]\ntype=neuron\ninputs=data\nneuron=square\n[max]\ntype=eltmax\ninputs=data,two\n"
    x = images(2, 3, 4, 4)
    np.testing.assert_allclose(
        output(measured(tmp_path, layers, "", "max", (3, 4, 4)), x), np.maximum(x, x * x)
    )


@pytest.mark.parametrize("kind", ["concat", "pass"])
def test_concatenation_follows_the_order_of_maps(tmp_path: Path, kind: str) -> None:
    pool = "[pool]\ntype=pool\npool=avg\ninputs=data\nchannels=3\nsizeX=4\nstride=4\n"
    x = images(2, 3, 4, 4)
    network = measured(
        tmp_path,
        f"[two]\ntype=neuron\ninputs=data\nneuron=square\n[c]\ntype={kind}\ninputs=two,data\n",
        "",
        "c",
        (3, 4, 4),
    )
    np.testing.assert_allclose(output(network, x), np.concatenate([x * x, x], axis=1), rtol=1e-6)
    network = measured(tmp_path, f"{pool}[c]\ntype={kind}\ninputs=data,pool\n", "", "c", (3, 4, 4))
    flat = np.concatenate([x.reshape(2, -1), x.mean(axis=(2, 3))], axis=1)
    np.testing.assert_allclose(output(network, x), flat, rtol=1e-5, atol=1e-6)


def test_numbers_are_read_as_images_in_the_order_of_maps(tmp_path: Path) -> None:
    layers = (
        "[fc]\ntype=fc\noutputs=18\ninputs=data\ninitW=0.1\n"
        "[pool]\ntype=pool\npool=max\ninputs=fc\nchannels=2\nsizeX=2\nstride=1\n"
    )
    network = measured(tmp_path, layers, f"[fc]\n{RATES}", "pool", (3, 4, 4))
    x = images(2, 3, 4, 4)
    maps = (x.reshape(2, -1) @ network.model.fc.weight.numpy().T).reshape(2, 2, 3, 3)
    corners = [maps[:, :, i : i + 2, j : j + 2] for i in range(2) for j in range(2)]
    np.testing.assert_allclose(output(network, x), np.maximum.reduce(corners), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("size", "stride"), [(8, 2), (9, 2), (10, 4), (5, 1)])
def test_a_bed_of_nails_takes_pixels_around_the_centre(tmp_path: Path, size: int, stride: int) -> None:
    network = measured(
        tmp_path, f"[n]\ntype=nailbed\ninputs=data\nchannels=2\nstride={stride}\n", "", "n", (2, size, size)
    )
    x = images(1, 2, size, size)
    outputs = (size + stride - 1) // stride
    start = (size - stride * (outputs - 1)) // 2
    np.testing.assert_array_equal(output(network, x), x[:, :, start::stride, start::stride])


def test_cropped_and_mirrored_images(tmp_path: Path) -> None:
    layers = (
        "[crop]\ntype=crop\ninputs=data\nchannels=3\nstartX=1\nstartY=2\nsizeX=4\n"
        "[href]\ntype=href\ninputs=crop\nchannels=3\n"
    )
    x = images(2, 3, 7, 7)
    y = output(measured(tmp_path, layers, "", "href", (3, 7, 7)), x)
    np.testing.assert_array_equal(y.reshape(2, 3, 4, 4), x[:, :, 2:6, 1:5][..., ::-1])


@pytest.mark.parametrize("scale", [1.3, 2, 0.75])
def test_resized_images(tmp_path: Path, scale: float) -> None:
    network = measured(
        tmp_path, f"[r]\ntype=resize\ninputs=data\nchannels=3\nscale={scale}\n", "", "r", (3, 10, 10)
    )
    x = images(2, 3, 10, 10)
    size = math.floor(10 / scale)
    places = np.clip(np.arange(size) * scale + 5 - size / 2 * scale, 0, 10 - 1.01)
    low = places.astype(int)
    weight = places - low
    rows = x[:, :, low] * (1 - weight)[:, None] + x[:, :, low + 1] * weight[:, None]
    y = rows[..., low] * (1 - weight) + rows[..., low + 1] * weight
    np.testing.assert_allclose(output(network, x), y, rtol=1e-4, atol=1e-5)


def test_blurred_images(tmp_path: Path) -> None:
    network = measured(
        tmp_path, "[b]\ntype=blur\ninputs=data\nchannels=2\nfilterSize=5\nstdev=1.5\n", "", "b", (2, 7, 7)
    )
    x = images(1, 2, 7, 7)
    taps = np.exp(-(np.arange(-2, 3) ** 2) / (2 * 1.5**2))
    taps /= taps.sum()
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)))
    y = sum(taps[p] * taps[q] * padded[:, :, p : p + 7, q : q + 7] for p in range(5) for q in range(5))
    np.testing.assert_allclose(output(network, x), y, rtol=1e-4, atol=1e-5)


def test_colours(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((2, 3, 4, 4), dtype=np.float32)
    red, green, blue = x.transpose(1, 0, 2, 3).astype(np.float64)
    y = output(measured(tmp_path, "[c]\ntype=rgb2yuv\ninputs=data\n", "", "c", (3, 4, 4)), x)
    np.testing.assert_allclose(y[:, 0], 0.2126 * red + 0.7152 * green + 0.0722 * blue, rtol=1e-4)
    for center in (False, True):
        layers = f"[c]\ntype=rgb2lab\ninputs=data\ncenter={center}\n"
        lab = output(measured(tmp_path, layers, "", "c", (3, 4, 4)), x)
        luminance = 0.17697 * red + 0.8124 * green + 0.01063 * blue
        np.testing.assert_allclose(
            lab[:, 0], 116 * np.cbrt(luminance) - 16 - 50 * center, rtol=1e-2, atol=0.2
        )
