"""What the user reads when something doesn't fit."""

import numpy as np
import pytest
from networks import TwoPaths, batch

import fastcnn
from fastcnn import nn, optim


def test_shape_errors_name_layer_shapes_and_producer():
    model = nn.Sequential(
        {"conv1": nn.Conv2d(3, 64, 3), "pool1": nn.MaxPool2d(2), "conv2": nn.Conv2d(96, 256, 5, groups=2)}
    )
    with pytest.raises(fastcnn.ShapeError) as raised:
        model(np.zeros((8, 3, 56, 56), "f4"))
    assert str(raised.value) == (
        "conv2 (Conv2d 96→256, 5x5, groups=2): input has 64 channels, expected 96, from pool1; "
        "x=(8, 64, 27, 27)"
    )


def test_shape_error_is_a_value_error_of_the_package():
    assert issubclass(fastcnn.ShapeError, ValueError)
    assert f"{fastcnn.ShapeError.__module__}.{fastcnn.ShapeError.__name__}" == "fastcnn.ShapeError"


def test_a_wrong_input_is_named_as_forward_names_it():
    with pytest.raises(
        fastcnn.ShapeError, match=r"conv1 .*input has 1 channel, expected 3, from input x; x="
    ):
        TwoPaths()(np.zeros((8, 1, 11, 11)))
    with pytest.raises(fastcnn.ShapeError, match=r"conv1 .*\(3, 11, 11\)"):
        TwoPaths()(np.zeros((3, 11, 11)))
    with pytest.raises(fastcnn.ShapeError, match=r"fc1 .*from flatten|fc1 .*from drop"):
        TwoPaths()(np.zeros((8, 3, 15, 11)))


def test_labels_that_do_not_fit_are_named():
    model = TwoPaths()
    x, y = batch()
    criterion = nn.CrossEntropyLoss()
    with pytest.raises(ValueError, match=r"crossentropyloss: .*4.*"):
        criterion(model(x), np.full(8, 4))
    with pytest.raises(fastcnn.ShapeError, match=r"\(7\)|\(7,\)|7"):
        criterion(model(x), y[:7])
    with pytest.raises(TypeError, match=r"target|label|int"):
        criterion(model(x), y + 0.5)
    trainer = fastcnn.Trainer(model, optimizer=optim.SGD(model.parameters()))
    with pytest.raises(ValueError, match=r"criterion: .*-1"):
        trainer.step(x, np.full(8, -1))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("text", "expected an array of real numbers"),
        (None, "expected an array of real numbers, got NoneType"),
        (np.zeros((8, 3, 11, 11), complex), "elements of type complex128"),
        (np.array(["a"]), "elements of type <U1"),
        (object(), "expected an array of real numbers, got object"),
        ([[1.0, 2.0], [3.0]], "can't be read as an array"),
    ],
)
def test_inputs_that_are_no_numbers_are_type_errors(value, words):
    with pytest.raises(TypeError, match=words):
        TwoPaths()(value)


def test_too_many_axes_are_a_shape_error():
    with pytest.raises(fastcnn.ShapeError, match="at most 6 axes"):
        nn.ReLU()(np.zeros((1,) * 7))


def test_a_core_op_of_unknown_kind_names_the_near_one():
    with pytest.raises(ValueError, match="did you mean conv2d"):
        fastcnn._core.make_op("conv2")
    with pytest.raises(ValueError, match="did you mean stride"):
        fastcnn._core.make_op("conv2d", strid=1)
    with pytest.raises(ValueError, match=r"expected one positive integer or a pair, got \(1.5, 2.0\)"):
        fastcnn._core.make_op("conv2d", stride=(1.5, 2))
    with pytest.raises(TypeError, match="conv2d: stride: expected numbers"):
        fastcnn._core.make_op("conv2d", stride=("1", 2))
    with pytest.raises(TypeError, match="conv2d: stride: expected a number"):
        fastcnn._core.make_op("conv2d", stride=None)


def test_an_executor_refuses_what_its_plan_does_not_take():
    graph = fastcnn._core.Graph()
    x = graph.input((2, 3), "float32", "x")
    graph.output(graph.add(fastcnn._core.make_op("activation", function="relu"), [x], "relu"), False)
    executor = fastcnn._core.Executor(fastcnn._core.Plan(graph, False))
    with pytest.raises(ValueError, match="got 0 inputs, expected 1"):
        executor.run([], 0, 0)
    with pytest.raises(fastcnn.ShapeError, match="input x"):
        executor.run([np.zeros((3, 2))], 0, 0)
    with pytest.raises(TypeError, match="native byte order"):
        executor.run([np.zeros((2, 3), ">f4")], 0, 0)
    with pytest.raises(RuntimeError, match="inference"):
        executor.backward([])
    with pytest.raises(ValueError, match="no value 9"):
        graph.add(fastcnn._core.make_op("add"), [x, 9], "add")


def test_a_call_without_inputs_is_refused():
    with pytest.raises(TypeError, match="TwoPaths: expected at least one input"):
        TwoPaths()()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            nn.MaxPool2d(2),
            "1 (MaxPool2d 2x2): input has rank 2, expected 4 (n, c, h, w); got (2, 6), from 0; x=(2, 6)",
        ),
        (nn.BatchNorm2d(3), "1 (BatchNorm 6): input has 6 channels, expected 3, as gamma, from 0; x=(2, 6)"),
        (nn.Linear(3, 4), "1 (Linear 3→4): input has 6 features, expected 3, from 0; x=(2, 6)"),
    ],
)
def test_an_input_that_does_not_fit_is_told_with_the_layer_before(layer, message):
    with pytest.raises(fastcnn.ShapeError) as error:
        nn.Sequential(nn.ReLU(), layer)(np.zeros((2, 6), np.float32))
    assert str(error.value) == message


def test_an_input_of_a_wrong_type_is_told_with_where_it_comes_from():
    graph = fastcnn._core.Graph()
    x = graph.input((2, 3, 4, 4), "int64", "x")
    with pytest.raises(TypeError) as error:
        graph.add(fastcnn._core.make_op("max_pool2d", kernel=2), [x], "pool")
    assert str(error.value) == (
        "pool (MaxPool2d 2x2): input has type int64, expected float32 or float64, from input x; "
        "x=(2, 3, 4, 4)"
    )
