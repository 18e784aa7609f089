"""Normalisation across maps, within them, by group and by layer, against NumPy loops and PyTorch."""

import numpy as np
import pytest
import references
from test_ops_dense import check_gradient

import fastcnn
from fastcnn import ShapeError, nn, ops

rng = np.random.default_rng(0)
X = rng.standard_normal((2, 7, 3, 4))


@pytest.mark.parametrize("blocked", [False, True])
@pytest.mark.parametrize("size", [1, 3, 4, 5, 9])
def test_local_response_norm_and_its_gradient(size, blocked):
    arguments = (size, 0.3, 0.75, 2.0)
    expected = references.local_response_norm(X, *arguments, blocked)
    np.testing.assert_allclose(ops.local_response_norm(X, *arguments, blocked=blocked), expected, rtol=1e-10)
    np.testing.assert_allclose(nn.LocalResponseNorm(*arguments, blocked)(X).numpy(), expected, rtol=1e-10)
    check_gradient(
        lambda a: ops.local_response_norm(a, *arguments, blocked=blocked),
        lambda dy, a: ops.local_response_norm_backward(dy, a, *arguments, blocked=blocked),
        X,
    )


@pytest.mark.parametrize("size", [2, 4, 5])
def test_local_response_norm_matches_torch(size):
    torch = pytest.importorskip("torch")
    x = X.astype("f4")
    expected = torch.nn.functional.local_response_norm(torch.tensor(x), size, 5e-4, 0.75, 2.0).numpy()
    np.testing.assert_allclose(
        ops.local_response_norm(x, size, 5e-4, 0.75, 2.0), expected, rtol=1e-5, atol=1e-6
    )


WITHIN_MAPS = {
    "rnorm": (ops.spatial_response_norm, ops.spatial_response_norm_backward, nn.SpatialResponseNorm, False),
    "cnorm": (ops.contrast_norm, ops.contrast_norm_backward, nn.ContrastNorm, True),
}


@pytest.mark.parametrize("size", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("name", WITHIN_MAPS)
def test_norms_within_maps_and_their_gradients(name, size):
    forward, backward, module, contrast = WITHIN_MAPS[name]
    x = rng.standard_normal((2, 3, 5, 6)) + 1
    arguments = (size, 2.0, 0.75, 1.5)
    expected = references.spatial_norm(x, *arguments, contrast)
    np.testing.assert_allclose(forward(x, *arguments), expected, rtol=1e-10)
    np.testing.assert_allclose(forward(x.astype("f4"), *arguments), expected, rtol=1e-5)
    np.testing.assert_allclose(module(*arguments)(x).numpy(), expected, rtol=1e-10)
    check_gradient(lambda a: forward(a, *arguments), lambda dy, a: backward(dy, a, *arguments), x)


def test_contrast_norm_leaves_an_even_image_as_it_is():
    x = np.full((1, 2, 6, 6), 3.0)
    np.testing.assert_array_equal(ops.contrast_norm(x, 3, alpha=10.0), x)
    assert (ops.spatial_response_norm(x, 3, alpha=10.0) < x).all()


GROUPED = {
    "rank 4": ((2, 6, 3, 4), 3),
    "rank 2": ((4, 6), 2),
    "one group": ((2, 6, 3, 4), 1),
    "each": ((3, 6, 2, 2), 6),
}


@pytest.mark.parametrize("case", GROUPED)
def test_group_norm_and_its_gradients_match_torch(case):
    torch = pytest.importorskip("torch")
    shape, groups = GROUPED[case]
    x, gamma, beta = rng.standard_normal(shape) + 2, rng.standard_normal(6), rng.standard_normal(6)
    check_against_torch(
        lambda x, g, b: torch.nn.functional.group_norm(x, groups, g, b, 1e-3),
        lambda x, g, b: ops.group_norm(x, groups, g, b, eps=1e-3),
        lambda dy, x, g, b: ops.group_norm_backward(dy, x, groups, g, b, eps=1e-3),
        (x, gamma, beta),
    )


LAYERED = {
    "rows": ((5, 7), 7),
    "sequences": ((2, 5, 7), (7,)),
    "two axes": ((2, 5, 7), (5, 7)),
    "images": ((2, 3, 4, 5), (3, 4, 5)),
    "all": ((2, 3, 4, 5), (2, 3, 4, 5)),
    "maps": ((2, 3, 4, 5), (4, 5)),
    "rows of maps": ((2, 3, 4, 5), 5),
}


@pytest.mark.parametrize("case", LAYERED)
def test_layer_norm_and_its_gradients_match_torch(case):
    torch = pytest.importorskip("torch")
    shape, normalized = LAYERED[case]
    sizes = (normalized,) if isinstance(normalized, int) else normalized
    x, gamma, beta = rng.standard_normal(shape) + 2, rng.standard_normal(sizes), rng.standard_normal(sizes)
    check_against_torch(
        lambda x, g, b: torch.nn.functional.layer_norm(x, sizes, g, b, 1e-3),
        lambda x, g, b: ops.layer_norm(x, normalized, g, b, eps=1e-3),
        lambda dy, x, g, b: ops.layer_norm_backward(dy, x, normalized, g, b, eps=1e-3),
        (x, gamma, beta),
    )


def check_against_torch(theirs, forward, backward, inputs):
    """With all of x, gamma and beta, and with x alone."""
    torch = pytest.importorskip("torch")
    for given in (inputs, (inputs[0], None, None)):
        tensors = [None if a is None else torch.tensor(a, requires_grad=True) for a in given]
        expected = theirs(*tensors)
        dy = np.random.default_rng(1).standard_normal(tuple(expected.shape))
        expected.backward(torch.tensor(dy))
        np.testing.assert_allclose(forward(*given), expected.detach().numpy(), rtol=1e-9, atol=1e-11)
        for gradient, tensor in zip(backward(dy, *given), tensors, strict=True):
            if tensor is None:
                assert gradient is None
            else:
                np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("training", [True, False])
def test_a_model_of_group_and_layer_norms_matches_torch(training):
    torch = pytest.importorskip("torch")

    def layers(nn):
        return (
            *(nn.Conv2d(3, 8, 3), nn.GroupNorm(4, 8), nn.ReLU(), nn.LayerNorm((8, 4, 4))),
            *(nn.LayerNorm((4, 4)), nn.LayerNorm(4), nn.Flatten()),
            *(nn.Linear(128, 6), nn.LayerNorm(6, eps=1e-3), nn.GroupNorm(3, 6, affine=False)),
        )

    ours = nn.Sequential(*layers(nn)).double().train(training)
    twin = torch.nn.Sequential(*layers(torch.nn)).double()
    for parameter in ours.parameters():
        parameter.value[...] = rng.standard_normal(parameter.shape)
    twin.load_state_dict({name: torch.tensor(array) for name, array in ours.state_dict().items()})
    x = rng.standard_normal((3, 3, 6, 6))
    y, expected = ours(x), twin(torch.tensor(x))
    np.testing.assert_allclose(y.numpy(), expected.detach().numpy(), rtol=1e-8, atol=1e-10)
    if not training:
        return
    dy = rng.standard_normal(y.shape)
    y.backward(dy)
    expected.backward(torch.tensor(dy))
    for (name, parameter), theirs in zip(ours.named_parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(parameter.grad, theirs.grad.numpy(), rtol=1e-7, atol=1e-9, err_msg=name)


def test_a_training_step_goes_through_all_norms():
    model = nn.Sequential(
        *(
            nn.Conv2d(1, 8, 3),
            nn.SpatialResponseNorm(3),
            nn.ContrastNorm(3),
            nn.LocalResponseNorm(4, blocked=True),
        ),
        *(nn.GroupNorm(2, 8), nn.Flatten(), nn.LayerNorm(8 * 36), nn.Linear(8 * 36, 10)),
    )
    trainer = fastcnn.Trainer(model, nn.CrossEntropyLoss(), fastcnn.optim.SGD(model.parameters(), lr=0.05))
    x, y = rng.standard_normal((16, 1, 8, 8)).astype("f4"), rng.integers(0, 10, 16)
    losses = [trainer.step(x, y).loss for _ in range(20)]
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.local_response_norm(X, 0), "size must be at least 1, got 0"),
        (lambda: ops.spatial_response_norm(X, 0), "size must be at least 1, got 0"),
        (lambda: nn.ContrastNorm(0), "size must be at least 1, got 0"),
        (lambda: nn.GroupNorm(3, 8), "num_groups=3 doesn't divide num_channels=8"),
        (lambda: nn.GroupNorm(2, 8, eps=-1.0), "eps is -1, expected at least 0"),
        (lambda: nn.LayerNorm(()), r"the shape is \(\), expected one or more positive integers"),
        (lambda: nn.LayerNorm((3, 0)), r"the shape is \(3, 0\)"),
    ],
)
def test_settings_out_of_range_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="input has rank 2, expected 4"):
        nn.SpatialResponseNorm(3)(np.ones((2, 8)))
    with pytest.raises(ShapeError, match="input has 7 channels, expected a multiple of groups=2"):
        ops.group_norm(X, 2)
    with pytest.raises(ShapeError, match=r"expected one that ends in \(5,\)"):
        ops.layer_norm(X, 5)
    with pytest.raises(ValueError, match=r"dy has shape \(2, 5\), expected that of y"):
        ops.layer_norm_backward(np.ones((2, 5)), np.ones((1, 2, 5, 1)), 1)


def test_settings_are_in_the_repr():
    assert repr(nn.LocalResponseNorm(5)) == "LocalResponseNorm(5, alpha=0.0001, beta=0.75, k=1.0)"
    assert repr(nn.LocalResponseNorm(4, blocked=True)).endswith("k=1.0, blocked=True)")
    assert repr(nn.ContrastNorm(3, k=2.0)) == "ContrastNorm(3, alpha=0.0001, beta=0.75, k=2.0)"
    assert repr(nn.GroupNorm(2, 8)) == "GroupNorm(2, 8, eps=1e-05, affine=True)"
    assert repr(nn.LayerNorm(8)) == "LayerNorm((8,), eps=1e-05, elementwise_affine=True)"
