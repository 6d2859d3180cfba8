"""Normalisers: from the layouts in which data sets are published to plain columns. A new one is a file and a line."""

from __future__ import annotations

from ftbench import codes
from ftbench.data.normalise.base import Normaliser
from ftbench.data.normalise.choice import CAREQA, MEDMCQA, MEDQA, MMLU
from ftbench.data.normalise.code import HUMANEVAL, MBPP, MULTIPL_E
from ftbench.data.normalise.finance import FIQA, FPB, TFNS
from ftbench.data.normalise.instructions import ALPACA
from ftbench.data.normalise.preferences import HH_RLHF, ULTRAFEEDBACK
from ftbench.data.normalise.pubmedqa import PUBMEDQA
from ftbench.diagnostics import Diagnostic, did_you_mean
from ftbench.errors import InvalidInput

_ALL = (
    *(ALPACA, MMLU, FPB, FIQA, TFNS, PUBMEDQA, MEDMCQA, MEDQA, CAREQA),
    *(HUMANEVAL, MBPP, MULTIPL_E, ULTRAFEEDBACK, HH_RLHF),
)

NORMALISERS: dict[str, Normaliser] = {one.name: one for one in _ALL}
"""`source.normalise` → the step. `ftbench list normalisers` shows them."""

_NONE = Normaliser("none", "Rows as they are", {}, dict)


def get(name: str | None) -> Normaliser:
    """The normaliser of that name; for None one that changes nothing. Raises InvalidInput (FTB333)."""
    if name is None:
        return _NONE
    if name not in NORMALISERS:
        hint = did_you_mean(name, NORMALISERS) or f"there are: {', '.join(NORMALISERS)}"
        raise InvalidInput(Diagnostic(codes.NORMALISER, f"there is no normaliser `{name}`", hint=hint))
    return NORMALISERS[name]
