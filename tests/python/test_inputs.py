"""Whatever holds numbers goes in."""

import numpy as np
import pytest
from networks import TwoPaths, batch

import fastcnn
from fastcnn import nn, ops

IMAGE = np.random.default_rng(0).integers(0, 256, (4, 3, 11, 11)).astype(np.uint8)


@pytest.fixture(scope="module")
def model():
    fastcnn.manual_seed(3)
    return TwoPaths().eval()


@pytest.mark.parametrize(
    "dtype",
    ["float64", "float16", "uint8", "int8", "uint16", "int32", "int64", "uint64", ">f4", ">i2", "bool"],
)
def test_any_real_type_is_converted_by_value(model, dtype):
    x = (IMAGE > 127).astype(dtype) if dtype in ("bool", "int8") else IMAGE.astype(dtype)
    np.testing.assert_array_equal(model(x), model(x.astype("float32")))


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[::-1],
        lambda x: x[:, ::-1, ::2],
        lambda x: x.transpose(0, 1, 3, 2),
        lambda x: np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2),
        lambda x: np.broadcast_to(x[:1, :1], x.shape),
        lambda x: np.asfortranarray(x),
        lambda x: x[1:3],
    ],
)
def test_any_strides_are_read_in_logical_order(view):
    x = view(batch()[0])
    np.testing.assert_array_equal(ops.relu(x), np.maximum(x, 0))
    np.testing.assert_array_equal(ops.flatten(x), x.reshape(len(x), -1))


def test_elements_need_not_be_aligned():
    raw = np.zeros(4 * 6 + 1, np.uint8)
    x = raw[1:].view("f4").reshape(2, 3)
    x[...] = [[1, -2, 3], [-4, 5, -6]]
    assert not x.flags.aligned
    np.testing.assert_array_equal(ops.relu(x), [[1, 0, 3], [0, 5, 0]])


def test_lists_and_numbers():
    np.testing.assert_array_equal(ops.relu([[1, -2], [3.5, 4]]), [[1, 0], [3.5, 4]])
    assert ops.relu(-3) == 0
    linear = nn.Linear(2, 1)
    assert linear([[1, 2]]).shape == (1, 1)


class Described:
    def __init__(self, array):
        self.kept = array
        self.__array_interface__ = array.__array_interface__


def test_array_interface():
    np.testing.assert_array_equal(ops.relu(Described(np.array([-1.0, 2.0]))), [0, 2])


class Exported:
    """DLPack and nothing else."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **arguments):
        return self.array.__dlpack__(**arguments)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


def test_dlpack():
    x = np.array([[-1.0, 2.0]], "f4")
    np.testing.assert_array_equal(ops.relu(Exported(x)), [[0, 2]])


def test_torch_tensors_go_in_and_results_go_out():
    torch = pytest.importorskip("torch")
    x = torch.randn(2, 3, 4, 5)
    y = nn.ReLU()(x)
    np.testing.assert_array_equal(y, torch.relu(x).numpy())
    assert torch.equal(torch.from_dlpack(y), torch.relu(x))
    np.testing.assert_array_equal(ops.relu(x.permute(0, 2, 3, 1)), torch.relu(x.permute(0, 2, 3, 1)).numpy())
    with pytest.raises(TypeError, match="can't be read"):
        ops.relu(x.requires_grad_())


def test_labels_of_any_integer_type():
    logits = np.random.default_rng(0).standard_normal((3, 4))
    expected = ops.cross_entropy(logits, np.array([0, 3, 1]))
    for dtype in ("uint8", "int8", "int32", "uint64"):
        assert ops.cross_entropy(logits, np.array([0, 3, 1], dtype)) == expected
        assert nn.CrossEntropyLoss()(logits, np.array([0, 3, 1], dtype)).item() == expected
    assert ops.cross_entropy(logits, [0, 3, 1]) == expected


def test_the_type_of_parameters_decides_the_type_of_results():
    assert nn.Linear(2, 2)(np.zeros((1, 2), "f8")).dtype == np.float32
    assert nn.Linear(2, 2).double()(np.zeros((1, 2), "f4")).dtype == np.float64
    assert nn.ReLU()(np.zeros(2, "f8")).dtype == np.float64
    assert nn.ReLU()(np.zeros(2, "u1")).dtype == np.float32


def test_inputs_are_not_written():
    x, y = batch()
    before = x.copy()
    x.flags.writeable = False
    model = TwoPaths()
    nn.CrossEntropyLoss()(model(x), y).backward()
    nn.ReLU()(x)
    np.testing.assert_array_equal(x, before)


def test_results_are_not_overwritten_by_later_runs():
    model = TwoPaths().eval()
    first = model(batch(seed=0)[0]).numpy()
    kept = first.copy()
    model(batch(seed=1)[0])
    np.testing.assert_array_equal(first, kept)
    assert first.flags.c_contiguous


def test_an_empty_batch_gives_an_empty_result():
    model = TwoPaths()
    output = model(np.zeros((0, 3, 11, 11), "f4"))
    assert output.shape == (0, 4)
    output.backward(np.zeros((0, 4)))
    assert not model.conv1.weight.grad.any()
    assert np.isnan(float(nn.CrossEntropyLoss()(output.numpy(), np.zeros(0, int))))
