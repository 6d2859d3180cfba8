"""Exact versions of the packages that move a score. They are part of the plan and so of the spec hash."""

from __future__ import annotations

from ftbench.spec.model import Spec

STACK: dict[str, str] = {
    "bitsandbytes": "0.50.2",
    "datasets": "5.2.0",
    "flwr": "1.41.0",
    "lm-eval": "0.4.13",
    "peft": "0.21.2",
    "tokenizers": "0.23.3",
    "torch": "2.13.0",
    "transformers": "5.23.0",
}
"""Distribution name → version, local build tags (`+cpu`, `+cu126`) left out. A test holds it to pyproject.toml."""

ACCOUNTING: dict[str, str] = {"dp-accounting": "0.6.0"}
"""What a spec with `privacy` needs besides: it says how many rounds fit the budget."""

HELPERS: dict[str, str] = {
    "accelerate": "1.15.0",
    "numpy": "2.4.6",
    "rfc8785": "0.1.4",
    "safetensors": "0.8.0",
}
"""What a compiled benchmark imports besides. Installed as pinned; another version does not make another benchmark."""


def stack(spec: Spec) -> dict[str, str]:
    """The packages that move a score of this spec."""
    return dict(sorted({**STACK, **(ACCOUNTING if spec.privacy is not None else {})}.items()))
