"""What the engine asks of a module; `fastcnn.nn.Module` is one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from fastcnn.engine.parameter import Parameter


class Module(Protocol):
    """A tree of modules that hold parameters, and `forward`, which composes ops."""

    training: bool
    input_shape: tuple[int, ...] | None
    _version: int  # changes with the module's attributes

    @property
    def dtype(self) -> str | None: ...

    def forward(self, *args: Any, **kwargs: Any) -> Any: ...

    def children(self) -> Iterator[Module]: ...

    def modules(self) -> Iterator[Module]: ...

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]: ...

    def named_state(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]: ...
