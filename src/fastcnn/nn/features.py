"""What a layer inside a model computes."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from fastcnn.calls import describe_arguments, read_arguments
from fastcnn.tensor import Tensor, run
from fastcnn.trace import Scope, Symbol, trace

if TYPE_CHECKING:
    from fastcnn.nn.module import Module


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
    from fastcnn.nn.module import in_mode

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
