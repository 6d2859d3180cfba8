"""A frozen low-rank addition beside the adapter that is trained: W x + s B A x + Σ Bₖ Aₖ x, with W as it is held.

It is added to the output of peft's layer by a hook, so nothing is merged: weights in 4 or 8 bits stay what they are,
and taking the hooks away leaves the model as it was, bit for bit.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from numpy.typing import NDArray

from .errors import AppError
from .strategy.factors import A, B


@contextlib.contextmanager
def added(net: torch.nn.Module, arrays: Mapping[str, NDArray[Any]]) -> Iterator[None]:
    """While it lasts every layer named in `arrays` (A [rank, in], B [out, rank], scale 1) adds B A x to its output.

    The products are computed in float32, as the adapter's are; gradients go through to x, none to A and B. Raises
    AppError where the model has no such layer or the factors do not fit it.
    """
    layers = dict(net.named_modules())
    handles = []
    try:
        for name in sorted(arrays):
            if name.endswith(A) and arrays[name].shape[0]:
                module = name.removesuffix(A)
                handles.append(_hook(layers, module, arrays[name], arrays[module + B]))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hook(layers: Mapping[str, torch.nn.Module], module: str, a: NDArray[Any], b: NDArray[Any]) -> Any:
    layer = layers.get(module)
    weight = getattr(layer, "base_layer", None)
    if layer is None or weight is None:
        raise AppError("FTB555", f"the adapter received has a layer that this model has not: {module}")
    if (b.shape[0], a.shape[1]) != (weight.out_features, weight.in_features) or a.shape[0] != b.shape[1]:
        raise AppError("FTB555", f"the adapter received does not fit the layer {module}")
    device = next(layer.parameters()).device
    down, up = (torch.from_numpy(factor.copy()).to(device) for factor in (a, b))

    def add(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        change = torch.nn.functional.linear(torch.nn.functional.linear(inputs[0].to(down.dtype), down), up)
        return (output + change).to(output.dtype)

    return layer.register_forward_hook(add)
