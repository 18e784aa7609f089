"""The compiled core, as cpp/bindings makes it. Private: its users are the modules of this package."""

from collections.abc import Sequence
from typing import Any, Final, TypedDict

import numpy as np

_Array = np.ndarray[Any, Any]
_Attribute = bool | int | float | str | Sequence[float]

__version__: str
COMPILER: Final[str]
BLAS: Final[str]
NO_VALUE: Final[int]  # an absent optional input of a node

class ShapeError(ValueError):
    """Extents that don't fit together; the message names the layer."""

class Parameter:
    """A tensor that training changes, and its gradient (none for int64), made as zeros."""

    def __init__(self, shape: Sequence[int], dtype: str = "float32") -> None: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> str: ...
    @property
    def value(self) -> _Array:
        """A writable view in logical (OIHW) axes; no copy."""
    @property
    def grad(self) -> _Array | None:
        """As `value`; None while there is none."""
    @property
    def has_grad(self) -> bool: ...
    requires_grad: bool
    def zero_grad(self) -> None:
        """Drops the gradient; the next backward pass writes instead of adding."""
    def fill_uniform(self, seed: int, stream: int, low: float, high: float) -> None: ...
    def fill_normal(self, seed: int, stream: int, mean: float, std: float) -> None: ...

class Op:
    """An operation with its hyper-parameters; immutable."""

    @property
    def kind(self) -> str: ...
    @property
    def attributes(self) -> dict[str, _Attribute]:
        """All of them: make_op(op.kind, **op.attributes) is an equal op."""

def make_op(kind: str, /, **attributes: _Attribute) -> Op: ...
def op_kinds() -> list[str]: ...

class _Value(TypedDict):
    kind: str  # "input", "parameter" or "node"
    index: int  # among the inputs, parameters or nodes
    output: int  # of a node: which of its outputs
    name: str
    shape: tuple[int, ...]
    dtype: str
    channels_last: bool

class _Node(TypedDict):
    name: str  # "conv1 + relu1"
    layers: list[str]  # ["conv1", "relu1"]
    kind: str
    attributes: dict[str, _Attribute]
    inputs: list[int]  # values; NO_VALUE for an absent optional one
    outputs: list[int]
    description: str
    output_shape: tuple[int, ...]  # of the first output
    output_shapes: list[tuple[int, ...]]
    parameters: list[Parameter]
    macs: int

_Algorithm = TypedDict(
    "_Algorithm",
    {"pass": str, "name": str, "passed_over": list[tuple[str, str]]},  # those before it in the list, and why
)

class _Step(TypedDict):
    name: str
    layers: list[str]  # of its node
    algorithms: list[_Algorithm]  # one per part of the step for which there are several
    node: int  # into Plan.nodes(); -1 for a step of no node
    phase: str
    dtype: str
    operations: int
    bytes: int

class Graph:
    """A model as data. Values are numbers; shapes are logical (NCHW, OIHW)."""

    def input(self, shape: Sequence[int], dtype: str, name: str, requires_grad: bool = False) -> int: ...
    def parameter(self, parameter: Parameter, name: str) -> int: ...
    def add(self, op: Op, inputs: Sequence[int], name: str) -> int: ...
    def add_node(self, op: Op, inputs: Sequence[int], name: str) -> list[int]:
        """As `add`, which gives the first output alone."""
    def output(self, value: int, seeded: bool) -> None: ...
    def shape(self, value: int) -> tuple[int, ...]: ...
    def dtype(self, value: int) -> str: ...
    def nodes(self) -> list[_Node]: ...
    def values(self) -> list[_Value]: ...
    @property
    def inputs(self) -> list[int]: ...
    @property
    def parameters(self) -> list[int]: ...
    @property
    def outputs(self) -> list[int]: ...

class Plan:
    """A graph after its passes, with every step and address decided."""

    def __init__(self, graph: Graph, training: bool, applies_gradients: bool = False) -> None: ...
    @property
    def training(self) -> bool: ...
    @property
    def arena_bytes(self) -> int: ...
    def explain(self) -> str: ...
    @property
    def graph(self) -> Graph:
        """After the passes."""
    def nodes(self) -> list[_Node]:
        """Those of the graph."""
    @property
    def scratch_per_thread(self) -> int:
        """Bytes."""
    @property
    def prepared_bytes(self) -> int: ...
    @property
    def output_bytes(self) -> int: ...
    @property
    def outputs(self) -> list[tuple[tuple[int, ...], str]]:
        """Shapes and types."""
    def steps(self) -> list[_Step]:
        """Forward steps, then backward steps."""

class Executor:
    """One run of a plan at a time, in memory that it borrows. Not for two threads at once."""

    def __init__(self, plan: Plan) -> None: ...
    def run(self, inputs: Sequence[_Array], seed: int, step: int) -> list[_Array]:
        """Forward; inputs of any strides, outputs C-contiguous."""
    def backward(self, gradients: Sequence[_Array]) -> list[_Array]:
        """From one gradient per seeded output to one per input that asked for it; once per run."""
    def train_step(
        self, inputs: Sequence[_Array], optimizer: Optimizer, seed: int, step: int
    ) -> list[_Array]:
        """Forward, backward and update in one call, by a plan that applies gradients."""
    def release(self) -> None:
        """Gives the memory back, and with it all values; the next run borrows it again."""
    def set_timing(self, on: bool) -> None: ...
    def step_seconds(self) -> list[float]:
        """Of the last run, beside Plan.steps; the backward part is 0 after a forward pass alone."""
    def step_calls(self) -> list[list[tuple[int, bool, float]]]:
        """Beside step_seconds: of each call of parallel_for its tasks, whether there is enough work to share,
        and its seconds."""

class Optimizer:
    """States of the parameters of all groups, counted group by group; a class per rule."""

    def step(self) -> None: ...
    def zero_grad(self) -> None: ...
    def state_bytes(self) -> int:
        """What the states take when every parameter that trains has been updated."""
    @property
    def state_names(self) -> list[str]: ...
    def steps(self, index: int) -> int:
        """Updates so far."""
    def set_steps(self, index: int, steps: int) -> None: ...
    def state(self, index: int, name: str) -> _Array | None:
        """A view; None before the first update that uses it."""
    def set_state(self, index: int, name: str, array: _Array | None) -> None: ...

class Sgd(Optimizer):
    def __init__(self, groups: Sequence[Sequence[Parameter]]) -> None: ...
    def configure(
        self,
        group: int,
        lr: float,
        momentum: float,
        weight_decay: float,
        nesterov: bool,
        lr_in_velocity: bool,
        filter_norm: float,
    ) -> None: ...

class Adam(Optimizer):
    def __init__(self, groups: Sequence[Sequence[Parameter]]) -> None: ...
    def configure(
        self,
        group: int,
        lr: float,
        beta1: float,
        beta2: float,
        eps: float,
        weight_decay: float,
        decoupled: bool,
        amsgrad: bool,
    ) -> None: ...

class Rmsprop(Optimizer):
    def __init__(self, groups: Sequence[Sequence[Parameter]]) -> None: ...
    def configure(
        self,
        group: int,
        lr: float,
        alpha: float,
        eps: float,
        weight_decay: float,
        momentum: float,
        centered: bool,
    ) -> None: ...

class Adagrad(Optimizer):
    def __init__(self, groups: Sequence[Sequence[Parameter]]) -> None: ...
    def configure(
        self,
        group: int,
        lr: float,
        lr_decay: float,
        weight_decay: float,
        initial_accumulator_value: float,
        eps: float,
    ) -> None: ...

def num_threads() -> tuple[int, str]:
    """How many, and why."""

def set_num_threads(threads: int) -> None: ...
def active_isa() -> str: ...
def available_isas() -> list[str]: ...
def conv_algorithms() -> str: ...
def set_conv_algorithms(names: str) -> None: ...
def gemm_provider() -> str: ...
def available_gemm_providers() -> list[str]: ...
def set_gemm_provider(name: str) -> None: ...
def gemm_provider_details(name: str) -> str: ...
def policy() -> int:
    """What plans depend on besides their graph, as one number."""

def measure_flops(threads: int) -> float:
    """The most floating-point operations per second, in float32."""

def measure_read_bandwidth(threads: int) -> float:
    """Bytes per second."""

def measure_add_bandwidth(threads: int) -> float:
    """Bytes per second, read and written."""
