"""Activations of a layer inside a model."""

from __future__ import annotations

import difflib
from typing import Any

from fastcnn.engine.arguments import describe_arguments, read_arguments
from fastcnn.engine.compiled import trace
from fastcnn.engine.symbol import Symbol
from fastcnn.engine.tensor import Tensor, run
from fastcnn.engine.tracer import Scope
from fastcnn.nn.module import Module, in_mode


def features(model: Module, x: Any, layer: str) -> Any:
    """See nn.features."""
    paths = dict(model.named_modules())
    if layer not in paths:
        near = " or ".join(difflib.get_close_matches(layer, paths))
        hint = f"did you mean {near}?" if near else f"the layers are {', '.join(filter(None, paths))}"
        raise ValueError(f"{type(model).__name__} has no layer {layer!r}; {hint}")
    arrays, key = read_arguments((x,))

    def forward(symbol: Symbol) -> Any:
        return symbol._tracer.call_until(model, (symbol,), paths[layer])

    with in_mode(model, training=False):
        cache = model._plan_cache()
        compiled = cache.plans().get((layer, key))
        if compiled is None:
            arguments = describe_arguments(model, (x,), arrays)
            compiled = trace(forward, arguments, scope=Scope(("", model)), dtype=model.dtype, training=False)
            cache.add((layer, key), compiled)
        output = run(compiled, (x,), arrays)
    if isinstance(output, Tensor):
        return output.numpy()
    return type(output)(tensor.numpy() for tensor in output)
