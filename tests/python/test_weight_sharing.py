"""One Parameter in several layers, and layers that don't train."""

import copy

import numpy as np
import pytest

import fastcnn
from fastcnn import nn, optim
from fastcnn.train import Trainer, load_checkpoint, save_checkpoint


class Shared(nn.Module):
    """cuda-convnet's weightSource: two convolutions with the weights of the first, of other strides."""

    def __init__(self, shared=True):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 3, 3, padding=1)
        self.tanh = nn.Tanh()
        self.conv2 = nn.Conv2d(3, 3, 3, stride=2)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(27, 4)
        if shared:
            self.conv2.weight = self.conv1.weight

    def forward(self, x):
        return self.fc(self.flatten(self.conv2(self.tanh(self.conv1(x)))))


def batch(seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((5, 3, 7, 7), dtype=np.float32), rng.integers(0, 4, 5)


def made(shared=True, seed=1, **settings):
    fastcnn.manual_seed(seed)
    model = Shared(shared)
    return model, optim.SGD(model.parameters(), lr=0.1, momentum=0.9, **settings)


def digest(model):
    return {name: array.tobytes() for name, array in model.state_dict().items()}


def test_gradients_of_both_layers_add_up():
    model, _ = made()
    apart, _ = made(shared=False)
    apart.load_state_dict({**model.state_dict(), "conv2.weight": model.conv1.weight.numpy()})
    x, y = batch()
    for one in (model.double(), apart.double()):
        nn.CrossEntropyLoss()(one(x), y).backward()
    assert model.conv2.weight is model.conv1.weight
    both = apart.conv1.weight.grad + apart.conv2.weight.grad
    np.testing.assert_allclose(model.conv1.weight.grad, both, rtol=1e-10, atol=1e-14)


def test_it_is_updated_once_and_the_fused_step_is_the_loop_to_the_bit():
    model, optimizer = made()
    assert len(optimizer.param_groups[0]["params"]) == 5
    for seed in range(3):
        x, y = batch(seed)
        loss = nn.CrossEntropyLoss()(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        w, g = model.conv1.weight.numpy(), model.conv1.weight.grad.copy()
        v = optimizer.state_dict()["velocity"].get(0, 0)
        optimizer.step()
        np.testing.assert_allclose(model.conv1.weight.value, w - 0.1 * (0.9 * v + g), rtol=1e-5, atol=1e-7)
    other, optimizer = made()
    trainer = Trainer(other, optimizer=optimizer)
    for seed in range(3):
        trainer.step(*batch(seed))
    assert digest(model) == digest(other)


@pytest.mark.parametrize("training", [True, False])
def test_a_model_that_shares_is_pytorchs(training):
    torch = pytest.importorskip("torch")
    model, optimizer = made()
    convs = [torch.nn.Conv2d(3, 3, 3, padding=1), torch.nn.Conv2d(3, 3, 3, stride=2)]
    convs[1].weight = convs[0].weight
    twin = torch.nn.Sequential(
        convs[0], torch.nn.Tanh(), convs[1], torch.nn.Flatten(), torch.nn.Linear(27, 4)
    )
    with torch.no_grad():
        for layer, name in ((twin[0], "conv1"), (twin[2], "conv2"), (twin[4], "fc")):
            ours = getattr(model, name)
            layer.weight.copy_(torch.tensor(ours.weight.numpy()))
            layer.bias.copy_(torch.tensor(ours.bias.numpy()))
    if training:
        sgd = torch.optim.SGD(twin.parameters(), lr=0.1, momentum=0.9)
        trainer = Trainer(model, optimizer=optimizer)
        for seed in range(5):
            x, y = batch(seed)
            trainer.step(x, y)
            sgd.zero_grad()
            torch.nn.functional.cross_entropy(twin(torch.tensor(x)), torch.tensor(y)).backward()
            sgd.step()
    x, _ = batch(9)
    np.testing.assert_allclose(
        model.eval()(x).numpy(), twin(torch.tensor(x)).detach().numpy(), rtol=1e-4, atol=1e-5
    )


def test_it_is_saved_once_and_loads_into_both_layers(tmp_path):
    pytest.importorskip("safetensors")
    model, optimizer = made()
    Trainer(model, optimizer=optimizer).step(*batch())
    assert sorted(model.state_dict()) == ["conv1.bias", "conv1.weight", "conv2.bias", "fc.bias", "fc.weight"]
    save_checkpoint(tmp_path / "x", model, optimizer)
    other, resumed = made(seed=5)
    load_checkpoint(tmp_path / "x", other, resumed)
    assert other.conv2.weight is other.conv1.weight
    for one, sgd in ((model, optimizer), (other, resumed)):
        Trainer(one, optimizer=sgd).step(*batch(1))
    assert digest(model) == digest(other)


def test_a_copy_and_another_type_share_as_well():
    model, _ = made()
    twin = copy.deepcopy(model)
    assert twin.conv2.weight is twin.conv1.weight and twin.conv1.weight is not model.conv1.weight
    twin.double()
    assert twin.conv2.weight.dtype == "float64"
    x, _ = batch()
    np.testing.assert_allclose(twin(x).numpy(), model(x).numpy(), rtol=1e-4, atol=1e-5)
    assert (
        model.summary((1, 3, 7, 7)).parameters
        == sum(p.size for p in model.parameters())
        == 81 + 3 + 3 + 108 + 4
    )


def test_sharing_after_a_run_is_seen():
    model, _ = made(shared=False)
    x, _ = batch()
    before = model(x).numpy()
    model.conv2.weight = model.conv1.weight
    expected, _ = made(shared=True)
    expected.load_state_dict(model.state_dict())
    assert not np.array_equal(model(x).numpy(), before)
    np.testing.assert_array_equal(model(x).numpy(), expected(x).numpy())


def backward_steps(model, x, y):
    return [step.name for step in model.profile(x, y, seconds=0.0).steps if step.phase == "backward"]


def test_gradients_of_frozen_layers_are_not_computed():
    model, optimizer = made(shared=False)
    x, y = batch()
    assert any("conv1" in name for name in backward_steps(model, x, y))
    model.conv1.requires_grad_(False)
    steps = backward_steps(model, x, y)
    assert not any("conv1" in name or "tanh" in name for name in steps) and any("conv2" in n for n in steps)
    before = model.state_dict()
    Trainer(model, optimizer=optimizer).step(x, y)
    after = model.state_dict()
    changed = {name for name in after if not np.array_equal(after[name], before[name])}
    assert changed == {"conv2.weight", "conv2.bias", "fc.weight", "fc.bias"}


def test_a_rate_of_zero_freezes_to_the_bit():
    model, _ = made(shared=False)
    optimizer = optim.SGD(
        [
            {"params": model.conv1.parameters(), "lr": 0.0},
            {"params": [*model.conv2.parameters(), *model.fc.parameters()]},
        ],
        lr=0.1,
        momentum=0.9,
        weight_decay=0.1,
        lr_in_velocity=True,
    )
    before = model.state_dict()
    trainer = Trainer(model, optimizer=optimizer)
    for seed in range(3):
        trainer.step(*batch(seed))
    after = model.state_dict()
    assert {n for n in after if after[n].tobytes() == before[n].tobytes()} == {"conv1.weight", "conv1.bias"}
