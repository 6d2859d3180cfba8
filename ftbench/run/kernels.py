"""An attention kernel that this machine does not have is told before anything is loaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import MissingResource

FLASH = "flash-attention-2"


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
