"""`python -m ftbench.run.merge_worker ORDER`: base weights and adapter into one set of weights, in this process alone.

ORDER is JSON: `base`, `adapter` and `out` are folders, `dtype` is what is written. The sum is taken in float32.
The process ends when its standard input is closed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ftbench.run.engines.inline_worker import end_with_stdin


def main(order: dict[str, str]) -> None:
    """Load, merge, write. What fails passes through; the log has it."""
    end_with_stdin()
    import torch

    from ftbench.run.evaluation.model import attach, load_base

    model, _ = load_base(Path(order["base"]), dtype="float32")
    merged = attach(model, Path(order["adapter"])).merge_and_unload(safe_merge=True)
    merged.to(getattr(torch, order["dtype"]))
    merged.save_pretrained(order["out"])


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
