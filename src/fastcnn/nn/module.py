"""Modules: declarations of a network's parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from fastcnn import _clock
from fastcnn._arrays import Array, as_array
from fastcnn.engine.parameter import Buffer, Parameter
from fastcnn.engine.plan_cache import PlanCache, call_module
from fastcnn.engine.symbol import Symbol

if TYPE_CHECKING:
    import builtins

    from fastcnn.inspect.memory import Memory
    from fastcnn.inspect.profile import Profile
    from fastcnn.inspect.summary import Summary

M = TypeVar("M", bound="Module")


def features(model: Module, x: Any, layer: str) -> Any:
    """The output of one layer of a model in inference mode; what comes after the layer isn't computed.

    The same as `model.features(x, layer)`, which models with a child of that name don't have.

    Args:
        x: a batch, as the model reads it.
        layer: path of a module, such as "fc7" or "layer1.0.relu" (`named_modules` lists them). Of a module
            that is called several times, the first call counts.

    Returns:
        An array, or where the layer returns several values, a tuple or list of them.

    Raises:
        ValueError: no module of the model has that path, or the model doesn't call it.
    """
    from fastcnn.inspect.features import features

    return features(model, x, layer)


class Module:
    """Base of all layers and networks.

    Assign Parameters and Modules as attributes and compose them in `forward`. Calling a module on arrays
    traces `forward` once per input shape, type and training state, plans the graph, and runs the plan;
    `forward` itself sees symbolic values (`fastcnn.Symbol`). Arrays are read in any layout as (n, c, h, w),
    and floating-point numbers and images of integers as the type of the module's parameters.

    Attributes:
        training: True keeps what backward needs and makes dropout drop; see `train` and `eval`.
        input_shape: of one sample, such as (3, 227, 227), where a model is made for one; else None.
    """

    training: bool = True
    input_shape: tuple[int, ...] | None = None
    _version: int = 0
    _plans: PlanCache | None = None

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes, on symbolic values; takes positional inputs."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, *inputs: Any) -> Any:
        for value in inputs:
            first = value[0] if isinstance(value, (tuple, list)) and value else value
            if isinstance(first, Symbol):
                return first._tracer.call(self, inputs)
        return call_module(self, self._plan_cache(), inputs)

    # The tree

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "training":
            self.set_mode(bool(value))
            return
        object.__setattr__(self, name, value)
        object.__setattr__(self, "_version", _clock.tick())

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        object.__setattr__(self, "_version", _clock.tick())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Modules directly below, in the order of assignment."""
        attributes = list(vars(self).items())  # a call meanwhile may add some
        return ((name, value) for name, value in attributes if isinstance(value, Module))

    def children(self) -> Iterator[Module]:
        return (child for _, child in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module (named `prefix`) and all below, each once, by path: "features.conv2"."""
        return self._walk(prefix, set())

    def _walk(self, prefix: str, seen: set[int]) -> Iterator[tuple[str, Module]]:
        if id(self) in seen:
            return
        seen.add(id(self))
        yield prefix, self
        for name, child in self.named_children():
            yield from child._walk(_join(prefix, name), seen)

    def modules(self) -> Iterator[Module]:
        return (module for _, module in self.named_modules())

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """All parameters at and below this module, each once, by path."""
        return ((name, p) for name, p in self.named_state(prefix) if not isinstance(p, Buffer))

    def parameters(self) -> Iterator[Parameter]:
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self, prefix: str = "") -> Iterator[tuple[str, Buffer]]:
        """All buffers at and below this module, each once, by path."""
        return ((name, b) for name, b in self.named_state(prefix) if isinstance(b, Buffer))

    def buffers(self) -> Iterator[Buffer]:
        return (buffer for _, buffer in self.named_buffers())

    def named_state(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """What `state_dict` copies: module by module, its parameters and then its buffers, each once."""
        seen: set[int] = set()
        for path, module in self.named_modules(prefix):
            own = [(name, value) for name, value in vars(module).items() if isinstance(value, Parameter)]
            for name, value in sorted(own, key=lambda item: isinstance(item[1], Buffer)):
                if id(value) not in seen:
                    seen.add(id(value))
                    yield _join(path, name), value

    def register_buffer(self, name: str, value: Any) -> None:
        """Makes `value`, a Buffer or an array-like (None for none), the attribute `name`."""
        setattr(self, name, value if value is None or isinstance(value, Buffer) else Buffer(value))

    @property
    def dtype(self) -> str | None:
        """Type of the first parameter, as which inputs are read; None without parameters."""
        first = next(self.parameters(), None)
        return None if first is None else first.dtype

    # State

    def state_dict(self) -> dict[str, Array]:
        """Copies of all parameters and buffers by path, C-contiguous."""
        return {name: value.numpy() for name, value in self.named_state()}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Copies values into the parameters and buffers; all or, when it raises, none.

        Args:
            state: array-likes by path.
            strict: every parameter and buffer must be there, and nothing else.

        Raises:
            ValueError: names what is missing, unexpected or of another shape.
        """
        own = dict(self.named_state())
        arrays = {name: as_array(state[name], name) for name in own if name in state}
        problems = [
            f"{name} has shape {array.shape}, expected {own[name].shape}"
            for name, array in arrays.items()
            if array.shape != own[name].shape
        ]
        if strict:
            problems += [f"{name} is missing" for name in own if name not in state]
            problems += [f"{name} is unexpected" for name in state if name not in own]
        if problems:
            raise ValueError(f"{type(self).__name__}.load_state_dict: " + "; ".join(problems))
        for name, array in arrays.items():
            own[name].value[...] = array

    def train(self: M, mode: bool = True) -> M:
        """Training mode here and below. Returns the module."""
        for module in self.modules():
            module.set_mode(mode)
        return self

    def eval(self: M) -> M:
        """Inference mode here and below: no gradients, dropout is the identity. Returns the module."""
        return self.train(False)

    def set_mode(self, training: bool) -> None:
        """Training or inference mode for this module alone, not for those below."""
        if self.training != training:
            object.__setattr__(self, "training", training)  # not a change of structure
            _clock.tick()

    features: Any = features  # a method; Any, because a child may have the name

    def zero_grad(self) -> None:
        """Drops the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.zero_grad()

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        """Whether backward computes gradients for the parameters here and below. Returns the module."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def to(self: M, dtype: str) -> M:
        """Makes all parameters and floating-point buffers "float32" or "float64"; returns the module. Make
        optimisers afterwards."""
        for _, value in self.named_state():
            if value.dtype != "int64":
                value.to(dtype)
        return self

    def float(self: M) -> M:
        """As `to("float32")`."""
        return self.to("float32")

    def double(self: M) -> M:
        """As `to("float64")`: slower, for gradient checks."""
        return self.to("float64")

    def summary(self, input_shape: tuple[int, ...]) -> Summary:
        """Layers with their output shapes, parameters and multiply-adds; `print` shows a table.

        Args:
            input_shape: of one input, batch included: (1, 3, 227, 227).
        """
        from fastcnn.inspect.summary import summarize

        return summarize(self, input_shape)

    def memory(
        self,
        batch_or_shape: int | tuple[int, ...],
        training: bool = True,
        *,
        criterion: Module | None = None,
        momentum: bool = True,
        optimizer: Any = None,
        evaluation: bool = False,
    ) -> Memory:
        """Predicted memory use: bytes at the peak of training or inference; `print` shows a table. Smaller
        batches, such as the last one of an epoch, take no more.

        Args:
            batch_or_shape: shape of one input, batch included, or the batch alone for a model that says the
                rest (`input_shape`).
            training: a step of `Trainer`, else a call in inference mode.
            criterion: the loss, of labels (CrossEntropyLoss() when left out) or of arrays like the output,
                which is the first where there are several; an nn.TotalLoss of such losses reads them all.
            momentum: whether the optimiser is SGD that keeps velocities.
            optimizer: the optimiser itself instead, one of `fastcnn.optim`.
            evaluation: whether batches of that size are evaluated between the steps, as by `Trainer.fit` with
                validation data.

        Raises:
            ValueError: the model doesn't say what it reads; a shape that doesn't fit it.
        """
        from fastcnn.inspect.memory import predict_memory

        shape = self._whole_shape(batch_or_shape)
        return predict_memory(
            self,
            shape,
            training=training,
            criterion=criterion,
            momentum=momentum,
            optimizer=optimizer,
            evaluation=evaluation,
        )

    def profile(
        self, x: Any, y: Any = None, *, criterion: Module | None = None, seconds: builtins.float = 2.0
    ) -> Profile:
        """Times inference of x or, when y is given, training steps on x and y, step by step of the plan.

        What runs is what `Trainer` runs; parameters keep their values.

        Args:
            criterion: the loss; CrossEntropyLoss() when left out.
            seconds: runs are repeated for so long, five at the least.
        """
        from fastcnn.inspect.profile import profile

        return profile(self, x, y, criterion=criterion, seconds=seconds)

    def _whole_shape(self, batch_or_shape: int | tuple[int, ...]) -> tuple[int, ...]:
        if not isinstance(batch_or_shape, int):
            return tuple(batch_or_shape)
        if self.input_shape is None:
            raise ValueError(
                f"{type(self).__name__} doesn't say the shape of its input (input_shape); give it whole, "
                f"such as ({batch_or_shape}, 3, 224, 224)"
            )
        return (batch_or_shape, *self.input_shape)

    def _plan_cache(self) -> PlanCache:
        if self._plans is None:
            object.__setattr__(self, "_plans", PlanCache(self))
        assert self._plans is not None
        return self._plans

    # Copies (copy.deepcopy) are new modules with plans of their own.

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_plans", "_version")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def extra_repr(self) -> str:
        """What stands between the parentheses of `repr`."""
        return ""

    def __repr__(self) -> str:
        children = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.named_children()]
        if not children:
            return f"{type(self).__name__}({self.extra_repr()})"
        return f"{type(self).__name__}(\n  " + "\n  ".join(children) + "\n)"


@contextmanager
def in_mode(module: Module, training: bool) -> Iterator[None]:
    """Training or inference mode at and below `module` for the length of a block, then as it was."""
    before = [(item, item.training) for item in module.modules()]
    module.train(training)
    try:
        yield
    finally:
        for item, mode in before:
            item.set_mode(mode)


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
