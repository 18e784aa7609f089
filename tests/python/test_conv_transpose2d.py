"""Transposed convolution: function and module, against PyTorch, loops and the convolution it transposes."""

from itertools import product

import numpy as np
import pytest
import references

from fastcnn import ShapeError, nn, ops

CASES = {
    "plain": ((2, 3, 5, 6), (3, 4, 3, 3), {}),
    "doubling": ((2, 6, 4, 5), (6, 3, 4, 4), {"stride": 2, "padding": 1}),
    "output padding": (
        (2, 3, 4, 5),
        (3, 4, 3, 3),
        {"stride": (2, 3), "padding": 1, "output_padding": (1, 2)},
    ),
    "stride beyond the kernel": ((2, 3, 3, 4), (3, 2, 2, 1), {"stride": (4, 3), "output_padding": (0, 2)}),
    "dilation": ((1, 2, 6, 5), (2, 3, 3, 2), {"dilation": (2, 3), "output_padding": 1}),
    "groups": ((2, 4, 5, 4), (4, 3, 3, 3), {"groups": 2, "padding": 1}),
    "depthwise": ((2, 4, 5, 4), (4, 1, 3, 3), {"groups": 4, "stride": 2}),
    "one pixel": ((3, 5, 1, 1), (5, 2, 4, 3), {}),
    "all at once": (
        (2, 6, 5, 4),
        (6, 2, 3, 4),
        {"stride": 3, "padding": 2, "output_padding": 1, "dilation": 2, "groups": 3},
    ),
}


def arrays(x_shape, w_shape, groups=1, dtype="float64"):
    rng = np.random.default_rng(0)
    b_shape = (w_shape[1] * groups,)
    return tuple(rng.standard_normal(shape).astype(dtype) for shape in (x_shape, w_shape, b_shape))


def loops(x, w, b, stride=1, padding=0, output_padding=0, dilation=1, groups=1):
    pair = references.pair
    (sh, sw), (ph, pw), (dh, dw) = pair(stride), pair(padding), pair(dilation)
    (oh, ow), (c_in, group_out, kh, kw) = pair(output_padding), w.shape
    n, _, h, width = x.shape
    spread = np.zeros(
        (
            n,
            group_out * groups,
            (h - 1) * sh + dh * (kh - 1) + 1 + oh,
            (width - 1) * sw + dw * (kw - 1) + 1 + ow,
        )
    )
    for i, j, p, q, c, o in product(*map(range, (h, width, kh, kw, c_in, group_out))):
        channel = c // (c_in // groups) * group_out + o
        spread[:, channel, i * sh + p * dh, j * sw + q * dw] += w[c, o, p, q] * x[:, c, i, j]
    return spread[:, :, ph : spread.shape[2] - ph, pw : spread.shape[3] - pw] + b[:, None, None]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_conv_transpose2d_matches_loops(case, dtype):
    x_shape, w_shape, options = CASES[case]
    given = arrays(x_shape, w_shape, options.get("groups", 1), dtype)
    y = ops.conv_transpose2d(*given, **options)
    assert y.dtype == dtype
    expected = loops(*(a.astype("float64") for a in given), **options)
    np.testing.assert_allclose(y, expected, atol=1e-4 if dtype == "float32" else 1e-11)


@pytest.mark.parametrize("case", CASES)
def test_conv_transpose2d_and_its_gradients_match_torch(case):
    torch = pytest.importorskip("torch")
    x_shape, w_shape, options = CASES[case]
    given = arrays(x_shape, w_shape, options.get("groups", 1))
    tensors = [torch.tensor(a, requires_grad=True) for a in given]
    expected = torch.nn.functional.conv_transpose2d(*tensors, **options)
    y = ops.conv_transpose2d(*given, **options)
    np.testing.assert_allclose(y, expected.detach().numpy(), atol=1e-11)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    expected.backward(torch.tensor(dy))
    gradients = ops.conv_transpose2d_backward(dy, *given, **options)
    for gradient, tensor in zip(gradients, tensors, strict=True):
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), atol=1e-10)


@pytest.mark.parametrize("case", CASES)
def test_conv_transpose2d_gradients_match_finite_differences(case):
    x_shape, w_shape, options = CASES[case]
    given = arrays(x_shape, w_shape, options.get("groups", 1))
    dy = np.random.default_rng(1).standard_normal(ops.conv_transpose2d(*given, **options).shape)
    gradients = ops.conv_transpose2d_backward(dy, *given, **options)
    for i, gradient in enumerate(gradients):

        def of_one(a, i=i):
            return ops.conv_transpose2d(*given[:i], a, *given[i + 1 :], **options)

        np.testing.assert_allclose(gradient, references.numerical_gradient(of_one, given[i], dy), atol=1e-6)


def test_conv_transpose2d_is_the_gradient_of_the_convolution():
    y, w, _ = arrays((2, 3, 9, 8), (5, 3, 3, 4))
    options = {"stride": 2, "padding": 1}
    x = ops.conv2d(y, w, **options)
    dy, _, _ = ops.conv2d_backward(x, y, w, **options)
    np.testing.assert_allclose(ops.conv_transpose2d(x, w, **options), dy, atol=1e-12)


def test_conv_transpose2d_names_what_came_and_what_was_expected():
    x, w, _ = arrays((2, 3, 5, 6), (3, 4, 3, 3))
    with pytest.raises(ShapeError, match="4 channels, expected 3"):
        ops.conv_transpose2d(np.zeros((1, 4, 5, 5)), w)
    with pytest.raises(ValueError, match="output_pad is 1, expected at most 0"):
        ops.conv_transpose2d(x, w, output_padding=1)
    with pytest.raises(ShapeError, match="takes away all of it"):
        ops.conv_transpose2d(x, w, padding=4)


def test_module_has_the_names_layout_and_bounds_of_torch():
    model = nn.ConvTranspose2d(6, 4, (3, 2), stride=2, padding=1, output_padding=1, groups=2)
    state = model.state_dict()
    assert {name: value.shape for name, value in state.items()} == {"weight": (6, 2, 3, 2), "bias": (4,)}
    assert np.abs(state["weight"]).max() <= 12**-0.5
    x = np.random.default_rng(0).standard_normal((3, 6, 4, 5)).astype("f4")
    expected = loops(x, *state.values(), stride=2, padding=1, output_padding=1, groups=2)
    for mode in (model.train(), model.eval()):
        np.testing.assert_allclose(mode(x), expected, atol=1e-5)
    torch = pytest.importorskip("torch")
    twin = torch.nn.ConvTranspose2d(6, 4, (3, 2), 2, 1, 1, 2)
    twin.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    np.testing.assert_allclose(model(x), twin(torch.tensor(x)).detach().numpy(), atol=1e-5)


def test_module_at_inference_follows_its_parameters():
    model = nn.Sequential(nn.ConvTranspose2d(8, 16, 3, stride=2), nn.ReLU()).eval()
    x = np.random.default_rng(0).standard_normal((2, 8, 5, 5)).astype("f4")
    before = model(x).numpy()
    model[0].weight.value[...] *= 2
    model[0].bias.value[...] *= 2
    np.testing.assert_allclose(model(x), 2 * before, rtol=1e-5)
    assert model.summary((1, 8, 5, 5)).neurons == 16 * 121


def test_module_refuses_bad_options_when_made():
    for make, words in [
        (lambda: nn.ConvTranspose2d(3, 8, 3, output_padding=1), "output_pad is 1"),
        (lambda: nn.ConvTranspose2d(3, 8, 3, groups=2), "groups=2"),
        (lambda: nn.ConvTranspose2d(3, 8, 0), "kernel_size is 0"),
    ]:
        with pytest.raises(ValueError, match=words):
            make()
    assert repr(nn.ConvTranspose2d(4, 8, 3, stride=2, output_padding=1)) == (
        "ConvTranspose2d(4, 8, kernel_size=(3, 3), stride=2, output_padding=1)"
    )
