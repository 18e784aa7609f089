"""Losses against their definitions, finite differences and PyTorch; metrics."""

import numpy as np
import pytest
import references
from test_ops_dense import check_gradient

import fastcnn
from fastcnn import ShapeError, metrics, nn, ops

rng = np.random.default_rng(0)
N, C = 6, 5
LOGITS = 3 * rng.standard_normal((N, C))
LABELS = np.array([0, 4, 2, 2, -100, 1])
DISTRIBUTIONS = references.softmax(rng.standard_normal((N, C)))
WEIGHT = rng.uniform(0.5, 2, C)
ANSWERS = rng.uniform(0, 1, (N, C))
REDUCTIONS = ["mean", "sum", "none"]
OPTIONS = {
    "plain": {},
    "weight": {"weight": WEIGHT},
    "smoothing": {"label_smoothing": 0.2},
    "both": {"weight": WEIGHT, "label_smoothing": 0.2},
}


def with_torch(options):
    torch = pytest.importorskip("torch")
    return {name: torch.tensor(v) if isinstance(v, np.ndarray) else v for name, v in options.items()}


def torch_loss(function, x, target, **options):
    """PyTorch's value and gradient of x for the sum of the losses times 1, 2, 3, ..."""
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(x, requires_grad=True)
    loss = getattr(torch.nn.functional, function)(tensor, torch.tensor(target), **with_torch(options))
    dy = np.arange(1.0, loss.numel() + 1).reshape(loss.shape)
    loss.backward(torch.tensor(dy))
    return loss.detach().numpy(), tensor.grad.numpy(), dy


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("target", [LABELS, DISTRIBUTIONS], ids=["labels", "distributions"])
def test_cross_entropy_is_pytorchs(target, options, reduction):
    value, gradient, dy = torch_loss("cross_entropy", LOGITS, target, reduction=reduction, **options)
    np.testing.assert_allclose(ops.cross_entropy(LOGITS, target, reduction, **options), value, rtol=1e-12)
    dx = ops.cross_entropy_backward(dy, LOGITS, target, reduction, **options)
    np.testing.assert_allclose(dx if target is LABELS else dx[0], gradient, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_module_is_the_function(options, reduction):
    options = {name: v.astype("f4") if isinstance(v, np.ndarray) else v for name, v in options.items()}
    x = LOGITS.astype("f4")
    loss = nn.CrossEntropyLoss(reduction, coefficient=0.5, **options)
    for target in (LABELS, DISTRIBUTIONS.astype("f4")):
        expected = ops.cross_entropy(x, target, reduction, **options)
        np.testing.assert_allclose(loss(x, target).numpy(), 0.5 * expected, rtol=1e-6)


def test_an_ignored_class_counts_for_nothing():
    target = np.array([0, 1, 2, 2, 0, 1])
    value, gradient, dy = torch_loss("cross_entropy", LOGITS, target, ignore_index=2, weight=WEIGHT)
    arguments = {"ignore_index": 2, "weight": WEIGHT}
    np.testing.assert_allclose(ops.cross_entropy(LOGITS, target, **arguments), value, rtol=1e-12)
    dx = ops.cross_entropy_backward(dy, LOGITS, target, **arguments)
    np.testing.assert_allclose(dx, gradient, rtol=1e-10, atol=1e-14)
    assert not dx[2].any() and not dx[3].any()
    assert np.isnan(ops.cross_entropy(LOGITS, np.full(N, 2), ignore_index=2))


def test_batchmean_divides_by_the_samples():
    total = ops.cross_entropy(LOGITS, LABELS, "sum", weight=WEIGHT)
    np.testing.assert_allclose(ops.cross_entropy(LOGITS, LABELS, "batchmean", weight=WEIGHT), total / N)
    np.testing.assert_allclose(
        ops.squared_error(LOGITS, ANSWERS, "batchmean"), np.sum((LOGITS - ANSWERS) ** 2) / N
    )
    bce = ops.binary_cross_entropy(LOGITS, ANSWERS, "sum")
    np.testing.assert_allclose(ops.binary_cross_entropy(LOGITS, ANSWERS, "batchmean"), bce / N)


@pytest.mark.parametrize("reduction", [*REDUCTIONS, "batchmean"])
def test_a_distribution_has_a_gradient(reduction):
    options = {"weight": WEIGHT, "label_smoothing": 0.1}
    check_gradient(
        lambda x, t: ops.cross_entropy(x, t, reduction, **options),
        lambda dy, x, t: ops.cross_entropy_backward(dy, x, t, reduction, **options),
        LOGITS,
        DISTRIBUTIONS,
    )
    soft = fastcnn.Tensor(DISTRIBUTIONS, requires_grad=True)
    nn.CrossEntropyLoss("sum")(LOGITS, soft).backward()
    np.testing.assert_allclose(soft.grad, -np.log(references.softmax(LOGITS)), rtol=1e-10)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("pos_weight", [None, np.array([2.5]), WEIGHT], ids=["plain", "one", "by class"])
def test_binary_cross_entropy_with_logits_is_pytorchs(pos_weight, reduction):
    options = {} if pos_weight is None else {"pos_weight": pos_weight}
    function = "binary_cross_entropy_with_logits"
    value, gradient, dy = torch_loss(function, LOGITS, ANSWERS, reduction=reduction, **options)
    np.testing.assert_allclose(
        ops.binary_cross_entropy(LOGITS, ANSWERS, reduction, **options), value, rtol=1e-12
    )
    dx, _ = ops.binary_cross_entropy_backward(dy, LOGITS, ANSWERS, reduction, **options)
    np.testing.assert_allclose(dx, gradient, rtol=1e-10, atol=1e-14)
    check_gradient(
        lambda x, t: ops.binary_cross_entropy(x, t, reduction, **options),
        lambda dy, x, t: ops.binary_cross_entropy_backward(dy, x, t, reduction, **options),
        LOGITS,
        ANSWERS,
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_binary_cross_entropy_of_probabilities_is_pytorchs(reduction):
    p = references.softmax(LOGITS)
    p[0, :2] = 0, 1
    value, gradient, dy = torch_loss("binary_cross_entropy", p, ANSWERS, reduction=reduction)
    result = ops.binary_cross_entropy(p, ANSWERS, reduction, from_logits=False)
    np.testing.assert_allclose(result, value, rtol=1e-12)
    dx, _ = ops.binary_cross_entropy_backward(dy, p, ANSWERS, reduction, from_logits=False)
    np.testing.assert_allclose(dx, gradient, rtol=1e-8, atol=1e-14)
    with pytest.raises(ValueError, match="expected 0 to 1"):
        ops.binary_cross_entropy(LOGITS, ANSWERS, from_logits=False)


def test_binary_cross_entropy_modules():
    x, t = LOGITS.astype("f4"), (ANSWERS > 0.5).astype(np.int64)
    expected = ops.binary_cross_entropy(x, t.astype("f4"), pos_weight=[2.0])
    np.testing.assert_allclose(float(nn.BCEWithLogitsLoss(pos_weight=2.0)(x, t)), expected, rtol=1e-6)
    p = ops.sigmoid(x)
    loss = nn.BCELoss(pos_weight=2.0, coefficient=3.0)
    np.testing.assert_allclose(float(loss(p, t)), 3 * expected, rtol=1e-5)
    # Through the logistic neuron, as cuda-convnet2 has it, the gradient is that of the logits.
    tensor = fastcnn.Tensor(x, requires_grad=True)
    nn.BCELoss("sum")(nn.Sigmoid()(tensor), t).backward()
    dx, _ = ops.binary_cross_entropy_backward(1.0, x, t.astype("f4"), "sum")
    np.testing.assert_allclose(tensor.grad, dx, rtol=1e-3, atol=1e-5)


def test_the_sum_of_squares_needs_no_target():
    for reduction, expected in [("sum", np.sum(LOGITS**2)), ("batchmean", np.sum(LOGITS**2) / N)]:
        np.testing.assert_allclose(ops.squared_error(LOGITS, None, reduction), expected, rtol=1e-12)
    np.testing.assert_allclose(ops.squared_error_backward(1.0, LOGITS, None, "sum"), 2 * LOGITS)
    np.testing.assert_allclose(float(nn.MSELoss("sum", coefficient=0.1)(LOGITS)), 0.1 * np.sum(LOGITS**2))


def test_what_does_not_fit_is_named():
    with pytest.raises(ShapeError, match=r"weight has shape \(4,\), expected \(5,\), one per class"):
        ops.cross_entropy(LOGITS, LABELS, weight=np.ones(4))
    with pytest.raises(ValueError, match="label_smoothing is 2"):
        nn.CrossEntropyLoss(label_smoothing=2)
    with pytest.raises(ShapeError, match=r"target has shape \(6, 4\), expected \(6, 5\), as logits"):
        ops.cross_entropy(LOGITS, DISTRIBUTIONS[:, :4])
    with pytest.raises(ShapeError, match=r"pos_weight has shape \(3,\)"):
        ops.binary_cross_entropy(LOGITS, ANSWERS, pos_weight=np.ones(3))
    for loss in (nn.MSELoss, nn.BCELoss, nn.CrossEntropyLoss):
        with pytest.raises(ValueError, match="expected mean, batchmean, sum or none"):
            loss("average")


def test_accuracy_counts_labels_among_the_largest():
    scores = np.array([[0.1, 0.5, 0.4], [0.2, 0.2, 0.1], [0.3, 0.3, 0.3], [np.nan, 0.0, 1.0]])
    assert [metrics.count_correct(scores, np.array(labels), 2) for labels in ([2] * 4, [0] * 4, [1] * 4)] == [
        2,
        2,
        4,
    ]
    assert metrics.accuracy(scores[:2], [1, 1]) == 0.5
    assert metrics.top_k_error(scores[:2], [0, 1], k=2) == 0.5
    assert metrics.count_correct(scores, np.array([-100, 7, 0, 0]), 2) == 1
    with pytest.raises(ValueError, match="expected"):
        metrics.accuracy(scores, [0.5, 1, 1, 1])


def test_top_k_is_pytorchs():
    torch = pytest.importorskip("torch")
    scores = rng.standard_normal((200, 20))
    labels = rng.integers(0, 20, 200)
    for k in (1, 3, 5, 20):
        top = torch.tensor(scores).topk(k, dim=1).indices.numpy()
        assert metrics.accuracy(scores, labels, k) == np.mean((top == labels[:, None]).any(axis=1))
