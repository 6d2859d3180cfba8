"""How an entry holds the base model, and a kernel for it that this machine lacks: told before anything is loaded."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import MissingResource
from ftbench.spec.entry import ResolvedEntry
from ftbench.spec.model import Model, Spec

BLOCK = "model."
FLASH = "flash-attention-2"


def model_in_force(spec: Spec, entry: ResolvedEntry) -> Model:
    """The spec's `model` with the entry's knobs in it; the base model that it names is the spec's own still."""
    block = spec.model.model_dump(mode="json")
    for path, value in entry.knobs.items():
        if path.startswith(BLOCK):
            *folders, last = path.removeprefix(BLOCK).split(".")
            functools.reduce(dict.__getitem__, folders, block)[last] = value
    return Model.model_validate(block)


def check_attention(attention: str, cuda: Callable[[], object]) -> None:
    """Raise MissingResource (FTB578) where `model.attention` needs what is not here; `cuda` tells of a CUDA device."""
    if attention != FLASH:
        return
    lacking = [] if cuda() else ["a CUDA device"]
    lacking += [] if importlib.util.find_spec("flash_attn") else ["the package flash-attn"]
    if lacking:
        message = f"`model.attention` is `{FLASH}`, and this machine lacks {' and '.join(lacking)}"
        hint = "`--set model.attention=sdpa` where it is a knob; or `pip install flash-attn` beside a CUDA device"
        raise MissingResource(Diagnostic(codes.NO_KERNEL, message, hint=hint))
