"""How many clients of a round train together on a CUDA device: as many as are asked for, or as memory allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ftbench.base_models import estimate, from_spec
from ftbench.base_models.lookup import look_up
from ftbench.data.store import Store
from ftbench.errors import FtbenchError
from ftbench.run.engines.devices import free_bytes
from ftbench.spec.model import Spec

AUTO = -1
"""Value of `--clients-at-once auto`. 0: nothing was asked for."""
SHARE = 0.9
"""Of the free memory that an estimate may take."""


def clients(asked: int, spec: Spec, micro_batch: int, store: Store, say: Callable[[str], None]) -> int:
    """Clients that train together by the inline engine. Without a wish one: together is a mode of its own, whose sums
    are rounded otherwise. `spec`: with the choice in force; `micro_batch`: as the run has it.

    A model whose facts are not known is one after another with `auto`, and `say` is told.
    """
    most = from_spec.setting(spec).clients_per_round
    if asked != AUTO:
        return max(1, min(asked, most))
    base = spec.model.base
    try:
        found, setting = look_up(base.name, base.revision, store), _setting(spec, micro_batch)
        free = free_bytes()
        fitting = [1]
        for number in range(2, most + 1):
            made = estimate.estimate(found, replace(setting, clients_at_once=number))
            if made.clients_at_once < number or made.memory_bytes > SHARE * free:
                break
            fitting.append(number)
    except FtbenchError as error:
        say(f"clients one after another, since their memory is not known: {error.diagnostics[0].message}")
        return 1
    say(f"{fitting[-1]} clients together, by the estimate and {free / 2**30:.1f} GiB of free device memory")
    return fitting[-1]


def _setting(spec: Spec, micro_batch: int) -> estimate.Setting:
    return from_spec.setting(spec, micro_batch=micro_batch if micro_batch > 0 else None)
