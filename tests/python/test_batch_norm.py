"""Batch normalisation as op, module, state and checkpoint, against PyTorch and finite differences."""

import copy

import numpy as np
import pytest
from test_ops_dense import check_gradient

from fastcnn import ShapeError, Trainer, nn, ops, optim
from fastcnn.train import load_checkpoint, save_checkpoint

rng = np.random.default_rng(0)
X = rng.standard_normal((4, 5, 3, 2)) * 2 + 1
ROWS = rng.standard_normal((6, 5))
GAMMA, BETA = rng.standard_normal(5), rng.standard_normal(5)
MEAN, VAR = rng.standard_normal(5), rng.uniform(0.5, 2, 5)


def normalized(x, mean, var):
    shape = (1, 5) + (1,) * (x.ndim - 2)
    y = (x - mean.reshape(shape)) / np.sqrt(var.reshape(shape) + 1e-5)
    return y * GAMMA.reshape(shape) + BETA.reshape(shape)


@pytest.mark.parametrize("x", [ROWS, X], ids=["rank 2", "rank 4"])
def test_values_match_the_definition(x):
    axes = (0, 2, 3)[: x.ndim - 1]
    batch = normalized(x, x.mean(axes), x.var(axes))
    np.testing.assert_allclose(ops.batch_norm(x, GAMMA, BETA), batch, rtol=1e-12, atol=1e-12)
    running = ops.batch_norm(x, GAMMA, BETA, MEAN, VAR, training=False)
    np.testing.assert_allclose(running, normalized(x, MEAN, VAR), rtol=1e-12, atol=1e-12)
    without = ops.batch_norm(x, GAMMA, BETA, training=False)
    np.testing.assert_allclose(without, batch, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("x", [ROWS, X], ids=["rank 2", "rank 4"])
@pytest.mark.parametrize("training", [True, False])
def test_gradients_match_finite_differences(x, training):
    check_gradient(
        lambda x, g, b: ops.batch_norm(x, g, b, MEAN, VAR, training=training),
        lambda dy, x, g, b: ops.batch_norm_backward(dy, x, g, b, MEAN, VAR, training=training),
        x,
        GAMMA,
        BETA,
    )


def test_gradients_of_absent_parameters_are_none():
    dx, dgamma, dbeta = ops.batch_norm_backward(X, X)
    assert dx.shape == X.shape
    assert dgamma is None
    assert dbeta is None


class Block(nn.Module):
    """Normalisation with an activation, with a sum and an activation, alone, and on rows."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(8, eps=1e-3, momentum=0.3)
        self.bn3 = nn.BatchNorm2d(8, affine=False)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(8 * 36, 4)
        self.bn4 = nn.BatchNorm1d(4, track_running_stats=False)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)) + x)
        return self.bn4(self.fc(self.flatten(self.bn3(x))))


def torch_block(state):
    torch = pytest.importorskip("torch")

    class Twin(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = torch.nn.Conv2d(3, 8, 3, padding=1, bias=False)
            self.bn1 = torch.nn.BatchNorm2d(8)
            self.conv2 = torch.nn.Conv2d(8, 8, 3, padding=1, bias=False)
            self.bn2 = torch.nn.BatchNorm2d(8, eps=1e-3, momentum=0.3)
            self.bn3 = torch.nn.BatchNorm2d(8, affine=False)
            self.fc = torch.nn.Linear(8 * 36, 4)
            self.bn4 = torch.nn.BatchNorm1d(4, track_running_stats=False)

        def forward(self, x):
            x = torch.relu(self.bn1(self.conv1(x)))
            x = torch.relu(self.bn2(self.conv2(x)) + x)
            return self.bn4(self.fc(self.bn3(x).flatten(1)))

    twin = Twin().double()
    twin.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
    return torch, twin


def batches(count=3):
    generator = np.random.default_rng(7)
    return [(generator.standard_normal((8, 3, 6, 6)), generator.integers(0, 4, 8)) for _ in range(count)]


def test_training_and_inference_match_torch():
    model = Block().double()
    torch, twin = torch_block(model.state_dict())
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    trainer = Trainer(model, nn.CrossEntropyLoss(), optimizer)
    twin_optimizer = torch.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9)
    for x, y in batches():
        loss = torch.nn.functional.cross_entropy(twin(torch.tensor(x)), torch.tensor(y))
        twin_optimizer.zero_grad()
        loss.backward()
        twin_optimizer.step()
        assert trainer.step(x, y).loss == pytest.approx(loss.item(), rel=1e-9)
    expected = twin.state_dict()
    assert list(model.state_dict()) == list(expected)
    for name, array in model.state_dict().items():
        assert array.shape == tuple(expected[name].shape)
        np.testing.assert_allclose(array, expected[name].numpy(), rtol=1e-8, atol=1e-9, err_msg=name)
    x = batches()[0][0]
    with torch.no_grad():
        np.testing.assert_allclose(
            model.eval()(x).numpy(), twin.eval()(torch.tensor(x)).numpy(), rtol=1e-8, atol=1e-9
        )


def test_a_state_of_torch_loads():
    model = Block()
    torch, twin = torch_block(model.double().state_dict())
    twin(torch.tensor(batches()[0][0]))
    model.load_state_dict(twin.state_dict())
    assert model.bn1.num_batches_tracked.value == 1
    np.testing.assert_array_equal(model.bn1.running_var.numpy(), twin.bn1.running_var.numpy())


def test_frozen_statistics_stay_and_gradients_flow_in_training():
    model = Block().double()
    torch, twin = torch_block(model.state_dict())
    model.bn1.eval()
    twin.bn1.eval()
    before = model.bn1.running_mean.numpy()
    x = batches()[0][0]
    model(x).backward(np.ones((8, 4)) * np.arange(4))
    twin(torch.tensor(x)).backward(torch.ones(8, 4, dtype=torch.float64) * torch.arange(4))
    np.testing.assert_array_equal(model.bn1.running_mean.numpy(), before)
    assert model.bn1.num_batches_tracked.value == 0
    assert model.bn2.num_batches_tracked.value == 1
    for name, parameter in model.named_parameters():
        expected = dict(twin.named_parameters())[name].grad.numpy()
        np.testing.assert_allclose(parameter.grad, expected, rtol=1e-7, atol=1e-9, err_msg=name)


def test_buffers_are_state_but_not_parameters():
    bn = nn.BatchNorm2d(5)
    assert [name for name, _ in bn.named_parameters()] == ["weight", "bias"]
    names = ["running_mean", "running_var", "num_batches_tracked"]
    assert [name for name, _ in bn.named_buffers()] == names
    assert list(bn.state_dict()) == ["weight", "bias", *names]
    assert bn.summary((1, 5, 4, 4)).layers[0].parameters == 10
    assert bn.double().running_var.dtype == "float64"
    assert bn.num_batches_tracked.dtype == "int64"
    bn(np.ones((2, 5, 1, 2)))
    twin = copy.deepcopy(bn)
    twin(np.ones((2, 5, 1, 2)))
    assert (bn.num_batches_tracked.value, twin.num_batches_tracked.value) == (1, 2)
    assert (bn.running_mean.value == 0.1).all()
    bn.reset_running_stats()
    assert (bn.running_mean.value == 0).all()


def test_a_registered_buffer_is_saved_with_the_module():
    layer = nn.Linear(2, 2)
    layer.register_buffer("scale", np.full(3, 2.0))
    layer.register_buffer("nothing", None)
    np.testing.assert_array_equal(layer.state_dict()["scale"], [2, 2, 2])
    assert layer.nothing is None


def test_checkpoints_keep_running_statistics(tmp_path):
    pytest.importorskip("safetensors")
    model = Block()
    for x, _ in batches():
        model(x)
    save_checkpoint(tmp_path / "a.safetensors", model)
    other = Block()
    load_checkpoint(tmp_path / "a.safetensors", other)
    assert other.bn2.num_batches_tracked.value == 3
    x = batches()[0][0]
    np.testing.assert_array_equal(model.eval()(x), other.eval()(x))


def test_a_loop_and_a_trainer_give_the_same_bytes():
    loop, fused = Block(), Block()
    fused.load_state_dict(loop.state_dict())
    optimizer = optim.SGD(loop.parameters(), lr=0.1)
    trainer = Trainer(fused, nn.CrossEntropyLoss(), optim.SGD(fused.parameters(), lr=0.1))
    criterion = nn.CrossEntropyLoss()
    for x, y in batches():
        trainer.step(x, y)
        loss = criterion(loop(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for name, array in loop.state_dict().items():
        np.testing.assert_array_equal(array, fused.state_dict()[name], err_msg=name)


def test_errors_name_the_layer():
    model = nn.Sequential({"bn": nn.BatchNorm2d(4)})
    with pytest.raises(ShapeError, match=r"bn \(BatchNorm 5\): input has 5 channels, expected 4"):
        model(np.ones((2, 5, 3, 3)))
    with pytest.raises(ShapeError, match=r"bn: batch statistics need more than one value per channel"):
        model(np.ones((1, 4, 1, 1)))
    model.eval()(np.ones((1, 4, 1, 1)))
    with pytest.raises(ValueError, match="momentum is None"):
        nn.BatchNorm2d(4, momentum=None)
    with pytest.raises(ValueError, match="eps is -1"):
        nn.BatchNorm2d(4, eps=-1)
