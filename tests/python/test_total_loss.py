"""Several losses of models with several inputs and outputs, in the loop and in the fused step."""

import numpy as np
import pytest

import fastcnn
from fastcnn import metrics, nn, optim
from fastcnn.train import Trainer


class Heads(nn.Module):
    """A class, a place and the features they are told from."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(6, 8)
        self.tanh = nn.Tanh()
        self.label = nn.Linear(8, 3)
        self.place = nn.Linear(8, 2)

    def forward(self, x):
        features = self.tanh(self.trunk(x))
        return self.label(features), self.place(features), features


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(4, 3), nn.Linear(5, 3)

    def forward(self, a, b):
        return self.left(a) + self.right(b)


def total():
    return nn.TotalLoss(
        {
            "label": nn.CrossEntropyLoss(),
            "place": nn.MSELoss(coefficient=0.5),
            "again": (nn.CrossEntropyLoss(coefficient=0.25, label_smoothing=0.1), 0),
            "activity": (nn.MSELoss("batchmean", coefficient=1e-2), 2, None),
        }
    )


def batch(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((7, 6)).astype("f4")
    return x, (rng.integers(0, 3, 7), rng.standard_normal((7, 2)).astype("f4"))


def made(model_class=Heads):
    fastcnn.manual_seed(3)
    model = model_class()
    return model, optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def digest(model):
    return [array.tobytes() for array in model.state_dict().values()]


def expected_terms(model, x, targets):
    label, place, features = (value.numpy() for value in model(x))
    return {
        "label": float(nn.CrossEntropyLoss()(label, targets[0])),
        "place": 0.5 * np.mean((place - targets[1]) ** 2),
        "again": 0.25 * float(nn.CrossEntropyLoss(label_smoothing=0.1)(label, targets[0])),
        "activity": 1e-2 * np.sum(features**2) / 7,
    }


def test_the_fused_step_is_the_loop_to_the_bit():
    model, optimizer = made()
    criterion = total()
    losses = []
    for seed in range(4):
        x, targets = batch(seed)
        loss = criterion(model(x), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    other, optimizer = made()
    trainer = Trainer(other, criterion, optimizer)
    results = [trainer.step(*batch(seed)) for seed in range(4)]
    assert [result.loss for result in results] == losses
    assert digest(model) == digest(other)


def test_a_step_reports_each_term():
    model, optimizer = made()
    x, targets = batch()
    expected = expected_terms(model, x, targets)
    label = model(x)[0].numpy()
    result = Trainer(model, total(), optimizer).step(x, targets)
    assert list(result.losses) == list(expected)
    assert dict(result.losses) == pytest.approx(expected, rel=1e-5)
    assert result.loss == pytest.approx(sum(expected.values()), rel=1e-5)
    assert result.correct == np.sum(label.argmax(1) == targets[0]) and result.samples == 7


def test_gradients_of_all_terms_add_up():
    x, targets = batch()
    gradients = []
    for terms in ([0, 1, 2, 3], [0], [1], [2], [3]):
        model, _ = made()
        model.double()
        criterion = total()
        named = list(criterion._reads.items())
        part = nn.TotalLoss(
            {n: (getattr(criterion, n), *named[i][1]) for i, n in enumerate(criterion._reads) if i in terms}
        )
        part(model(x), (targets[0], targets[1].astype("f8"))).backward()
        gradients.append({n: 0 if p.grad is None else p.grad.copy() for n, p in model.named_parameters()})
    for name, whole in gradients[0].items():
        np.testing.assert_allclose(whole, sum(part[name] for part in gradients[1:]), rtol=1e-10)


def test_a_target_that_is_no_tuple_serves_all_terms():
    model, optimizer = made()
    x, (labels, _) = batch()
    criterion = nn.TotalLoss([nn.CrossEntropyLoss(), (nn.CrossEntropyLoss(coefficient=0.5), 2)])
    label, _, features = (value.numpy() for value in model(x))
    expected = float(nn.CrossEntropyLoss()(label, labels)) + 0.5 * float(
        nn.CrossEntropyLoss()(features, labels)
    )
    result = Trainer(model, criterion, optimizer).step(x, labels)
    assert result.loss == pytest.approx(expected, rel=1e-5) and list(result.losses) == ["0", "1"]


def test_one_term_is_its_loss():
    model, optimizer = made(lambda: nn.Linear(6, 3))
    x, (labels, _) = batch()
    result = Trainer(model, nn.TotalLoss([nn.CrossEntropyLoss()]), optimizer).step(x, labels)
    other, optimizer = made(lambda: nn.Linear(6, 3))
    assert result.loss == Trainer(other, nn.CrossEntropyLoss(), optimizer).step(x, labels).loss
    assert dict(result.losses) == {"0": result.loss}
    assert digest(model) == digest(other)


def test_a_loss_may_be_a_module_of_ones_own():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.CrossEntropyLoss(), nn.MSELoss()

        def forward(self, outputs, targets):
            return self.first(outputs[0], targets[0]) + 0.5 * self.second(outputs[1], targets[1])

    model, optimizer = made()
    x, targets = batch()
    expected = sum(expected_terms(model, x, targets)[name] for name in ("label", "place"))
    assert float(Own()(model(x), targets)) == pytest.approx(expected, rel=1e-5)
    assert Trainer(model, Own(), optimizer).step(x, targets).loss == pytest.approx(expected, rel=1e-5)


def test_several_inputs_train_and_evaluate():
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((9, 4)).astype("f4"), rng.standard_normal((9, 5)).astype("f4")
    labels = rng.integers(0, 3, 9)
    model, optimizer = made(TwoInputs)
    loss = nn.CrossEntropyLoss()(model(*inputs), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    other, optimizer = made(TwoInputs)
    trainer = Trainer(other, optimizer=optimizer)
    result = trainer.step(inputs, labels)
    assert (result.loss, result.samples) == (float(loss), 9)
    assert digest(model) == digest(other)
    for _ in range(200):
        trainer.step(inputs, labels)
    evaluation = trainer.evaluate([(inputs, labels)])
    assert evaluation.accuracy == 1.0 and evaluation.samples == 9
    np.testing.assert_array_equal(trainer.predict(inputs), other(*inputs).numpy())


def test_several_outputs_evaluate_with_metrics():
    model, _ = made()
    trainer = Trainer(model, total())
    batches = [batch(seed) for seed in range(3)]
    result = trainer.evaluate(batches, metrics={"top2": lambda y, t: metrics.top_k_error(y, t, 2)})
    model.eval()
    scores = np.concatenate([model(x)[0].numpy() for x, _ in batches])
    labels = np.concatenate([targets[0] for _, targets in batches])
    assert result.accuracy == pytest.approx(metrics.accuracy(scores, labels))
    assert dict(result.metrics) == {"top2": pytest.approx(metrics.top_k_error(scores, labels, 2))}
    assert [value.shape for value in trainer.predict(batches[0][0])] == [(7, 3), (7, 2), (7, 8)]


def test_a_training_step_of_several_losses_is_timed():
    model, _ = made()
    x, targets = batch()
    profile = model.profile(x, targets, criterion=total(), seconds=0.0)
    assert profile.batch_size == 7 and any(step.name.startswith("label") for step in profile.steps)


def test_numbers_in_tuples_are_one_array_as_ever():
    logits = np.zeros((2, 3), "f4")
    assert float(nn.CrossEntropyLoss()(logits, (0, 1))) == pytest.approx(np.log(3))
    assert nn.Linear(2, 1)([[1.0, 2.0], [3.0, 4.0]]).shape == (2, 1)


def test_misuse_is_named():
    model, optimizer = made()
    x, targets = batch()
    for terms, error, words in [
        ({}, ValueError, "no terms"),
        ({"train": nn.MSELoss()}, ValueError, "'train' can't be the name"),
        ([nn.CrossEntropyLoss], TypeError, "term 0 is"),
        ([(nn.MSELoss(), -1)], TypeError, "term 0 is"),
    ]:
        with pytest.raises(error, match=words):
            nn.TotalLoss(terms)
    with pytest.raises(ValueError, match="term 0 reads output 5, there are 3"):
        nn.TotalLoss([(nn.MSELoss(), 5)])(model(x), targets)
    with pytest.raises(ValueError, match="term 0 reads target 2, there are 2"):
        Trainer(model, nn.TotalLoss([(nn.MSELoss(), 2)]), optimizer).step(x, targets)

    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(6, 3)

        def forward(self, x):
            return {"y": self.fc(x)}

    odd = Odd()
    with pytest.raises(TypeError, match="the model returned dict, expected a value or a tuple"):
        Trainer(odd, optimizer=optim.SGD(odd.parameters())).step(x, targets[0])
