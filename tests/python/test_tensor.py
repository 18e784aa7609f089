"""Tensors and the way back through them."""

import gc

import numpy as np
import pytest
from networks import TwoPaths, batch

import fastcnn
from fastcnn import nn
from fastcnn.nn import functional


def test_a_tensor_reads_as_its_numbers():
    t = fastcnn.Tensor([[1.5]])
    assert float(t) == t.item() == 1.5 and int(t) == 1 and bool(t) and len(t) == 1
    assert t.shape == (1, 1) and t.ndim == 2 and t.dtype == np.float64
    assert np.asarray(t).dtype == np.float64 and np.asarray(t, dtype="f4").dtype == np.float32
    assert np.asarray(t) is t.numpy()
    assert np.array(t, copy=True) is not t.numpy()
    np.testing.assert_array_equal(np.from_dlpack(t), [[1.5]])
    assert repr(t) == "Tensor([[1.5]], dtype=float64)"
    assert repr(fastcnn.Tensor(1.0, requires_grad=True)) == "Tensor(1., dtype=float64, requires_grad=True)"


def test_input_gradients_are_there_when_asked_for():
    x = fastcnn.Tensor(np.array([[1.0, -2.0]]), requires_grad=True)
    functional.square(x).backward([[1, 1]])
    np.testing.assert_array_equal(x.grad, [[2, -4]])
    functional.square(x).backward([[1, 1]])
    np.testing.assert_array_equal(x.grad, [[4, -8]])


def test_gradients_of_all_uses_add_up():
    x = fastcnn.Tensor(np.array([3.0]), requires_grad=True)
    y = functional.square(x)
    z = functional.square(y) + y * 2 + x
    z.backward()
    assert x.grad.item() == 4 * 27 + 2 * 6 + 1


def test_model_input_gradients_match_finite_differences():
    model = TwoPaths().double()
    array, y = batch(1)
    array = array.astype("f8")
    x = fastcnn.Tensor(array, requires_grad=True)
    criterion = nn.CrossEntropyLoss()
    criterion(model(x), y).backward()
    for index in [(0, 0, 0, 0), (0, 1, 5, 5), (0, 2, 10, 3)]:
        losses = []
        for shift in (1e-5, -1e-5):
            shifted = array.copy()
            shifted[index] += shift
            losses.append(float(criterion(model(shifted), y)))
        np.testing.assert_allclose(x.grad[index], (losses[0] - losses[1]) / 2e-5, atol=1e-7)


def test_parameter_gradients_match_finite_differences():
    model = TwoPaths().double()
    x, y = batch(2)
    criterion = nn.CrossEntropyLoss()
    criterion(model(x), y).backward()
    rng = np.random.default_rng(0)
    for name, parameter in model.named_parameters():
        index = tuple(rng.integers(0, extent) for extent in parameter.shape)
        losses = []
        for shift in (1e-5, -2e-5):
            parameter.value[index] += shift
            losses.append(float(criterion(model(x), y)))
        parameter.value[index] += 1e-5
        numerical = (losses[0] - losses[1]) / 2e-5
        np.testing.assert_allclose(parameter.grad[index], numerical, atol=1e-7, err_msg=name)


def test_two_forwards_before_a_backward_keep_their_values_apart():
    model = TwoPaths()
    criterion = nn.CrossEntropyLoss()
    gradients = []
    for seed in (0, 1):
        model.zero_grad()
        x, y = batch(seed=seed)
        criterion(model(x), y).backward()
        gradients.append(model.fc1.weight.grad.copy())
    model.zero_grad()
    losses = [criterion(model(x), y) for x, y in (batch(seed=0), batch(seed=1))]
    losses[0].backward()
    np.testing.assert_array_equal(model.fc1.weight.grad, gradients[0])
    losses[1].backward()
    np.testing.assert_array_equal(model.fc1.weight.grad, gradients[0] + gradients[1])


def test_a_sum_of_losses_goes_back_through_all():
    model = TwoPaths()
    criterion = nn.CrossEntropyLoss()
    (x0, y0), (x1, y1) = batch(seed=0), batch(seed=1)
    (criterion(model(x0), y0) + criterion(model(x1), y1)).backward()
    together = model.fc1.weight.grad.copy()
    model.zero_grad()
    criterion(model(x0), y0).backward()
    criterion(model(x1), y1).backward()
    np.testing.assert_allclose(together, model.fc1.weight.grad, rtol=1e-5, atol=1e-7)


def test_gradients_from_one_of_several_outputs():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(2, 2)
            self.b = nn.Linear(2, 2)

        def forward(self, x):
            return self.a(x), self.b(x)

    model = Net()
    left, _ = model(np.ones((1, 2)))
    left.backward([[1, 1]])
    np.testing.assert_array_equal(model.a.weight.grad, np.ones((2, 2)))
    assert not model.b.weight.grad.any()


def test_a_second_backward_is_refused():
    model = TwoPaths()
    x, y = batch()
    output = model(x)
    loss = nn.CrossEntropyLoss()(output, y)
    loss.backward()
    with pytest.raises(RuntimeError, match="run the forward pass again"):
        loss.backward()
    with pytest.raises(RuntimeError, match="run the forward pass again"):
        output.backward(np.ones(output.shape))


def test_what_has_no_gradient_says_why():
    model = TwoPaths().eval()
    x, y = batch()
    with pytest.raises(RuntimeError, match="training mode"):
        model(x).backward(np.ones((8, 4)))
    with pytest.raises(RuntimeError, match="training mode"):
        nn.CrossEntropyLoss()(model(x), y).backward()
    with pytest.raises(RuntimeError, match="training mode"):
        fastcnn.Tensor(1.0).backward()
    with pytest.raises(fastcnn.ShapeError, match="needs a gradient of that shape"):
        model.train()(x).backward()
    with pytest.raises(fastcnn.ShapeError, match=r"gradient has shape \(4, 8\), expected \(8, 4\)"):
        model(x).backward(np.ones((4, 8)))
    with pytest.raises(TypeError, match="floating-point"):
        fastcnn.Tensor([1, 2], requires_grad=True)


def test_executors_return_when_results_are_dropped():
    model = TwoPaths()
    x, _ = batch()
    kept = [model(x) for _ in range(3)]
    compiled = next(iter(model._plan_cache().plans().values()))
    assert len(compiled._idle) == 0
    del kept
    gc.collect()
    assert len(compiled._idle) == 3
    model(x)
    assert len(compiled._idle) == 3
