"""Attacks on evaluation by budget, where the benchmark asks for none; the others have tests of their own."""

from __future__ import annotations

from attacks import attack
from forge import Forged


@attack(sealed="target-told")
def target_told_that_nobody_set(f: Forged) -> None:
    with f.result() as result:
        result["cost_to_target"] = {"validation_loss": 9.0, "round": 1, "bytes": 1, "seconds": 1.0}


@attack(sealed="budgets-scored")
def budgets_told_that_nobody_set(f: Forged) -> None:
    with f.result() as result:
        result["within"] = [{"communication_mib": 0.001, "round": 4, "bytes": 1, "adapter": result["adapter"]}]
