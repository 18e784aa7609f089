"""Predicted memory use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from fastcnn import _core
from fastcnn.engine.compiled import Compiled, trace, trace_training_step
from fastcnn.engine.parameter import Parameter
from fastcnn.engine.symbol import Argument
from fastcnn.engine.tracer import Scope
from fastcnn.nn.loss import CrossEntropyLoss, TotalLoss
from fastcnn.nn.module import Module, in_mode
from fastcnn.optim.optimizer import Optimizer
from fastcnn.optim.sgd import SGD

_Output = tuple[tuple[int, ...], str]  # shape and type


@dataclass(frozen=True)
class Memory:
    """Bytes at the peak, part by part; `print` shows a table. The caller's arrays are not in it.

    Attributes:
        parameters: the values.
        velocities: what the optimiser keeps of the parameters that train: SGD velocities, Adam two means; 0
            for inference.
        arena: values between layers, their gradients and those of parameters, what backward needs kept, and
            scratch: the most that is alive at once.
        prepared: weights as inference reads them fastest; 0 for training without evaluation.
        threads: working memory of all threads.
        outputs: the arrays that one call returns.
    """

    parameters: int
    velocities: int
    arena: int
    prepared: int
    threads: int
    outputs: int

    @property
    def total(self) -> int:
        return sum(getattr(self, field.name) for field in fields(self))

    def to_dict(self) -> dict[str, int]:
        """The parts and `total`."""
        return {**asdict(self), "total": self.total}

    def __str__(self) -> str:
        return "\n".join(
            f"{name:<10} {size / 1e6:>10,.2f} MB" for name, size in self.to_dict().items() if size
        )


def predict_memory(
    model: Module,
    input_shape: tuple[int, ...],
    *,
    training: bool,
    criterion: Module | None,
    momentum: bool,
    optimizer: Optimizer | None,
    evaluation: bool,
) -> Memory:
    """See Module.memory. One arena serves all plans of a model, in turn: it is as large as the largest."""
    plans = []
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if optimizer is None and momentum and trained:
        optimizer = SGD(trained, momentum=0.9)
    if training:
        with in_mode(model, True):
            plans.append(_compile(model, input_shape, True, criterion).plan)
    if evaluation or not training:
        with in_mode(model, False):
            plans.append(_compile(model, input_shape, False, criterion).plan)
    return Memory(
        parameters=sum(map(_bytes, model.parameters())),
        velocities=optimizer._prepared().state_bytes() if training and optimizer is not None else 0,
        arena=max(plan.arena_bytes for plan in plans),
        prepared=sum(plan.prepared_bytes for plan in plans),
        threads=max(plan.scratch_per_thread for plan in plans) * _core.num_threads()[0],
        outputs=max(plan.output_bytes for plan in plans),
    )


def _compile(
    model: Module, input_shape: tuple[int, ...], training: bool, criterion: Module | None
) -> Compiled:
    x = Argument("x", input_shape, model.dtype or "float32")
    alone = trace(
        lambda x: x._tracer.call_model(model, (x,)),
        [x],
        scope=Scope(("", model)),
        dtype=model.dtype,
        training=False,
    )
    if not training:
        return alone
    criterion = criterion or CrossEntropyLoss()
    return trace_training_step(model, criterion, [x], _targets(criterion, alone.plan.outputs))


def _targets(criterion: Module, outputs: Sequence[_Output]) -> Argument | list[Argument]:
    """What `criterion` compares the outputs with."""
    if not isinstance(criterion, TotalLoss):
        return _target(criterion, outputs[0])
    read = {
        target: _target(loss, outputs[output])
        for loss, output, target in criterion.terms()
        if target is not None and output < len(outputs)
    }
    return [read.get(i, Argument("unread", (), "float32")) for i in range(max(read, default=-1) + 1)]


def _target(loss: Module, output: _Output) -> Argument:
    shape, dtype = output
    if isinstance(loss, CrossEntropyLoss):
        return Argument("target", shape[:1], "int64")
    return Argument("target", shape, dtype)


def _bytes(parameter: Parameter) -> int:
    return parameter.value.nbytes
