"""Sums, products, slices, reshapes and images' frames, sizes and colours, against NumPy and PyTorch."""

import numpy as np
import pytest
from test_ops_dense import check_gradient

import fastcnn
from fastcnn import ShapeError, nn, ops
from fastcnn.nn import functional

rng = np.random.default_rng(0)
X, Y, Z = (rng.standard_normal((2, 3, 4, 5)) for _ in range(3))


def single(model, *inputs):
    return model(*(x.astype("f4") for x in inputs)).numpy()


def test_add_takes_coefficients():
    coefficients = (0.5, -1, 1.2)
    expected = 0.5 * X - Y + 1.2 * Z
    np.testing.assert_allclose(ops.add(X, Y, Z, coefficients=coefficients), expected, rtol=1e-12)
    np.testing.assert_allclose(single(nn.Add(coefficients), X, Y, Z), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(single(nn.Add(), X, Y, Z), X + Y + Z, rtol=1e-5, atol=1e-6)
    check_gradient(
        lambda *x: ops.add(*x, coefficients=coefficients),
        lambda dy, *x: ops.add_backward(dy, *x, coefficients=coefficients),
        X,
        Y,
        Z,
    )
    with pytest.raises(ShapeError, match="2 inputs, 3 coefficients"):
        ops.add(X, Y, coefficients=coefficients)
    with pytest.raises(ValueError, match="finite"):
        nn.Add([1, float("inf")])


def test_sums_with_coefficients_or_of_three_are_not_taken_for_plain_ones():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.add = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1), nn.Add((2.0, -0.5))
            self.sum, self.relu = nn.Add(), nn.ReLU()

        def forward(self, x):
            a, b = self.a(x), self.b(x)
            return self.relu(self.add(a, b)), self.sum(self.a(x), a, b)

    net = Net().eval()
    x = X.astype("f4")
    weighted, plain = net(x)
    a, b = net.a(x).numpy(), net.b(x).numpy()
    np.testing.assert_allclose(weighted, np.maximum(2 * a - 0.5 * b, 0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(plain, 2 * a + b, rtol=1e-4, atol=1e-5)


def test_maximum_and_its_gradients():
    np.testing.assert_array_equal(ops.maximum(X, Y, Z), np.maximum(np.maximum(X, Y), Z))
    np.testing.assert_array_equal(single(nn.Maximum(), X, Y), np.maximum(X, Y).astype("f4"))
    check_gradient(ops.maximum, ops.maximum_backward, X, Y, Z)
    da, db = ops.maximum_backward(Z, X, X)
    np.testing.assert_array_equal(da, Z)
    assert not db.any()


def test_multiply_and_its_gradients():
    np.testing.assert_allclose(ops.multiply(X, Y, Z), X * Y * Z, rtol=1e-12)
    np.testing.assert_allclose(single(nn.Multiply(), X, Y), X * Y, rtol=1e-5, atol=1e-6)
    check_gradient(ops.multiply, ops.multiply_backward, X, Y, Z)

    class Square(nn.Module):
        def forward(self, x):
            return x * x * 3

    x = fastcnn.Tensor(X.astype("f4"), requires_grad=True)
    y = Square()(x)
    np.testing.assert_allclose(y, 3 * X**2, rtol=1e-5)
    y.backward(np.ones_like(X))
    np.testing.assert_allclose(x.grad, 6 * X, rtol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_narrow_and_split(axis):
    x = rng.standard_normal((3, 4, 5, 3)).astype("f4")
    before = (slice(None),) * axis
    np.testing.assert_array_equal(ops.narrow(x, 1, 3, axis), x[(*before, slice(1, 3))])
    check_gradient(
        lambda a: ops.narrow(a, 1, 3, axis),
        lambda dy, a: ops.narrow_backward(dy, a, 1, 3, axis),
        x.astype("f8"),
    )
    parts = functional.split(x, 2, axis)
    np.testing.assert_array_equal(np.concatenate([p.numpy() for p in parts], axis), x)
    assert [p.shape[axis] for p in parts] == [2] * (x.shape[axis] // 2) + [1] * (x.shape[axis] % 2)
    np.testing.assert_array_equal(functional.narrow(x, axis, -1, 1), x[(*before, slice(-1, None))])


def test_split_layers_share_out_the_channels():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.split, self.slice = nn.Split((1, 2)), nn.Slice(1, 3)

        def forward(self, x):
            a, b = self.split(x)
            return functional.concat([b, a]), self.slice(x)

    x = fastcnn.Tensor(X.astype("f4"), requires_grad=True)
    swapped, middle = Net()(x)
    np.testing.assert_array_equal(swapped, X[:, [1, 2, 0]].astype("f4"))
    np.testing.assert_array_equal(middle, X[:, 1:3].astype("f4"))
    swapped.backward(Y[:, [1, 2, 0]].astype("f4"))
    np.testing.assert_array_equal(x.grad, Y.astype("f4"))
    with pytest.raises(ShapeError, match="add up to the axis"):
        nn.Split((1, 1))(X)
    with pytest.raises(ValueError, match="start < stop"):
        nn.Slice(2, 2)


SHAPES = [(2, 60), (120,), (2, 3, 20), (6, 4, 5, 1), (2, 5, 4, 3), (-1, 2, 2, 3), (1, 2, 3, 4, 5)]


@pytest.mark.parametrize("shape", SHAPES)
def test_reshape_keeps_the_logical_order(shape):
    np.testing.assert_array_equal(ops.reshape(X, shape), X.reshape(shape))
    np.testing.assert_array_equal(single(nn.Reshape(*shape), X), X.astype("f4").reshape(shape))
    np.testing.assert_array_equal(ops.reshape_backward(X.reshape(shape), X, shape), X)


def test_reshape_refuses_what_does_not_fit():
    with pytest.raises(ShapeError, match="120 elements"):
        ops.reshape(X, (7, -1))
    with pytest.raises(ValueError, match="one -1"):
        nn.Reshape(-1, -1)


MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}


@pytest.mark.parametrize("mode", MODES)
def test_pad_matches_numpy(mode):
    left, right, top, bottom = padding = (3, 1, 0, 2)
    value = 2.5 if mode == "constant" else 0.0
    options = {"constant_values": value} if mode == "constant" else {}
    expected = np.pad(X, ((0, 0), (0, 0), (top, bottom), (left, right)), MODES[mode], **options)
    np.testing.assert_array_equal(ops.pad2d(X, padding, mode, value), expected)
    check_gradient(
        lambda x: ops.pad2d(x, padding, mode, value),
        lambda dy, x: ops.pad2d_backward(dy, x, padding, mode, value),
        X,
    )


def test_padding_layers_match_torch():
    torch = pytest.importorskip("torch")
    x = X.astype("f4")
    for name, arguments in [
        ("ZeroPad2d", (2,)),
        ("ZeroPad2d", ((-1, 2, 0, -2),)),
        ("ConstantPad2d", ((1, 2, 3, 0), 1.5)),
        ("ReflectionPad2d", ((1, 2, 3, 0),)),
        ("ReplicationPad2d", ((1, 2, 3, 0),)),
    ]:
        expected = getattr(torch.nn, name)(*arguments)(torch.tensor(x))
        np.testing.assert_array_equal(getattr(nn, name)(*arguments)(x), expected.numpy())
    with pytest.raises(ValueError, match="expected one integer or"):
        nn.ZeroPad2d((1, 2))


def test_crop_takes_a_window():
    np.testing.assert_array_equal(single(nn.Crop2d(1, 2, 3, 2), X), X[:, :, 1:4, 2:4].astype("f4"))
    check_gradient(
        lambda x: ops.crop2d(x, 1, 2, 3, 2), lambda dy, x: ops.crop2d_backward(dy, x, 1, 2, 3, 2), X
    )
    with pytest.raises(ShapeError, match="3×4 pixels from row 1 and column 2 are not within"):
        nn.Crop2d(1, 2, 3, 4)(X)


RESIZES = [
    {"size": (7, 9)},
    {"size": 3},
    {"scale_factor": 2},
    {"scale_factor": (1.5, 0.7)},
    {"size": (7, 9), "mode": "bilinear"},
    {"size": (2, 3), "mode": "bilinear"},
    {"size": (1, 1), "mode": "bilinear", "align_corners": True},
    {"size": (7, 9), "mode": "bilinear", "align_corners": True},
    {"scale_factor": (2.5, 0.7), "mode": "bilinear"},
    {"scale_factor": 2, "mode": "bilinear", "align_corners": False},
]


@pytest.mark.parametrize("options", RESIZES, ids=str)
def test_interpolate_and_its_gradient_match_torch(options):
    torch = pytest.importorskip("torch")
    x = torch.tensor(X, requires_grad=True)
    expected = torch.nn.functional.interpolate(x, **options)
    dy = np.random.default_rng(1).standard_normal(expected.shape)
    expected.backward(torch.tensor(dy))
    np.testing.assert_allclose(ops.interpolate(X, **options), expected.detach(), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(ops.interpolate_backward(dy, X, **options), x.grad, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(single(nn.Upsample(**options), X), expected.detach(), rtol=1e-4, atol=1e-5)


def test_interpolate_refuses_options_that_do_not_go_together():
    for options, words in [
        ({}, "expected one of them"),
        ({"size": 2, "scale_factor": 2}, "expected one of them"),
        ({"size": 2, "mode": "bicubic"}, "bicubic"),
        ({"size": 2, "align_corners": True}, "align_corners"),
    ]:
        with pytest.raises(ValueError, match=words):
            nn.Upsample(**options)
    with pytest.raises(ValueError, match="scale_factor is -1"):
        ops.interpolate(X, scale_factor=-1)


def convnet_resize(x, scale):
    """cuda-convnet's definition, pixel by pixel."""
    n, c, size, _ = x.shape
    out = int(np.floor(size / scale))
    y = np.zeros((n, c, out, out))
    for i, j in np.ndindex(out, out):
        row, col = (max(0.0, min(size - 1.01, p * scale + (size - out * scale) / 2)) for p in (i, j))
        top, left = int(row), int(col)
        down, right = row - top, col - left
        above = (1 - right) * x[:, :, top, left] + right * x[:, :, top, left + 1]
        below = (1 - right) * x[:, :, top + 1, left] + right * x[:, :, top + 1, left + 1]
        y[:, :, i, j] = above + down * (below - above)
    return y


@pytest.mark.parametrize("scale", [0.5, 0.8, 1.0, 1.3, 2.0])
def test_convnet_resize_is_that_of_cuda_convnet(scale):
    x = rng.standard_normal((2, 3, 12, 12))
    expected = convnet_resize(x, scale)
    np.testing.assert_allclose(ops.convnet_resize(x, scale), expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(single(nn.ConvnetResize(scale), x), expected, rtol=1e-4, atol=1e-5)
    check_gradient(
        lambda a: ops.convnet_resize(a, scale),
        lambda dy, a: ops.convnet_resize_backward(dy, a, scale),
        x[:1, :1, :6, :6],
    )


def test_convnet_resize_rounds_sizes_down():
    assert nn.ConvnetResize(1.3)(np.zeros((1, 3, 32, 32), "f4")).shape == (1, 3, 24, 24)


def test_rgb_to_yuv_is_a_matrix():
    matrix = np.array([[0.2126, 0.7152, 0.0722], [-0.09991, -0.33609, 0.436], [0.615, -0.55861, -0.05639]])
    expected = np.einsum("ij,njhw->nihw", matrix, X)
    np.testing.assert_allclose(ops.rgb_to_yuv(X), expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(single(nn.RGBToYUV(), X), expected, rtol=1e-4, atol=1e-6)
    check_gradient(ops.rgb_to_yuv, ops.rgb_to_yuv_backward, X)


def test_rgb_to_lab_is_near_cuda_convnets_whose_root_is_a_rounded_power():
    x = np.random.default_rng(3).random((2, 3, 6, 5))
    matrix = np.array([[0.49, 0.31, 0.2], [0.17697, 0.8124, 0.01063], [0, 0.01, 0.99]])
    xyz = np.einsum("ij,njhw->nihw", matrix, x)
    a, b, c = np.moveaxis(np.where(xyz > 0.0088564517, xyz**0.3333, 7.787037 * xyz + 0.13793103), 1, 0)
    expected = np.stack([116 * b - 16, 500 * (a - b), 200 * (b - c)], axis=1)
    np.testing.assert_allclose(ops.rgb_to_lab(x), expected, atol=0.02)
    np.testing.assert_allclose(ops.rgb_to_lab(x)[:, 0], expected[:, 0], atol=0.005)
    expected[:, 0] -= 50
    np.testing.assert_allclose(single(nn.RGBToLab(center=True), x), expected, atol=0.02)
    check_gradient(ops.rgb_to_lab, ops.rgb_to_lab_backward, x, tolerance=1e-5)
    with pytest.raises(ShapeError, match="4 channels, expected 3"):
        ops.rgb_to_lab(np.zeros((1, 4, 2, 2)))
