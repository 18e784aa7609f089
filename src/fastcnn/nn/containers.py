"""Modules of modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, overload

from fastcnn.nn.module import Module


class _Numbered(Module):
    """Children under the names "0", "1", ... or names of their own."""

    def _children(self) -> list[Module]:
        return list(self.children())

    def __len__(self) -> int:
        return len(self._children())

    def __iter__(self) -> Iterator[Module]:
        return iter(self._children())

    def append(self, module: Module) -> None:
        """Adds a module at the end, named by its number."""
        setattr(self, str(len(self)), _module(type(self).__name__, module))


class Sequential(_Numbered):
    """Modules one after the other; the output of each is the input of the next.

    Args:
        modules: any number of modules, named "0", "1", ...; or one dict of modules by name.
    """

    def __init__(self, *modules: Module | dict[str, Module]) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], dict):
            for name, module in modules[0].items():
                if (hasattr(Module, name) and name != "features") or "." in name:
                    raise ValueError(f"Sequential: {name!r} can't be the name of a module")
                setattr(self, name, _module("Sequential", module))
        else:
            for entry in modules:
                self.append(_module("Sequential", entry))

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module:
        """A module, or a Sequential of the same modules under their names."""
        if isinstance(index, slice):
            return Sequential(dict(list(self.named_children())[index]))
        return self._children()[index]

    def forward(self, x: Any) -> Any:
        for module in self._children():
            x = module(x)
        return x


class ModuleList(_Numbered):
    """A list of modules, to be called as one likes."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        for module in modules:
            self.append(module)

    def __getitem__(self, index: int) -> Module:
        return self._children()[index]

    def extend(self, modules: Iterable[Module]) -> None:
        """Adds several at the end."""
        for module in modules:
            self.append(module)


def _module(container: str, value: Any) -> Module:
    if not isinstance(value, Module):
        raise TypeError(f"{container}: expected a Module, got {type(value).__name__}")
    return value
