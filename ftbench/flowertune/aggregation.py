"""How updates become the next adapter."""

from __future__ import annotations

from typing import Any

from ftbench.flowertune.case import Case
from ftbench.flowertune.facts import Fact

PARAMETERS: dict[str, dict[str, tuple[tuple[str, ...], float]]] = {
    "fedavgm": {
        "strategy.server_learning_rate": (("server_learning_rate",), 1.0),
        "strategy.momentum": (("server_momentum",), 0.0),
    },
    "fedadam": {
        "strategy.server_learning_rate": (("eta",), 0.1),
        "strategy.beta1": (("beta_1",), 0.9),
        "strategy.beta2": (("beta_2",), 0.99),
        "strategy.tau": (("tau",), 1e-9),
    },
}
"""Strategy → knob → (Flower's names of it, Flower's default)."""


def look(case: Case) -> None:
    """Every finding of this subject."""
    told = case.facts.strategy
    if told is None:
        case.not_told(
            "strategy", "which strategy aggregates is not to be told from the text; the entry keeps the benchmark's own"
        )
        return
    kind = told.value
    if kind == "own":
        text = "updates are averaged by code of its own: that is the open division, `open:` in an entry"
        case.departs("strategy", text, told.place)
        return
    if kind == "fedprox":
        kind = _fedprox(case, told)
    elif (
        kind == "fedavgm"
        and _number(case, ("server_momentum",), 0.0) == 0
        and _number(case, ("server_learning_rate",), 1.0) == 1
    ):
        case.departs(
            "strategy", "FedAvgM with momentum 0 and server rate 1 is FedAvg, and the entry says so", told.place
        )
        kind = "fedavg"
    case.choose("strategy", "strategy.kind", Fact(kind, told.place), "the strategy")
    for path, (names, default) in PARAMETERS.get(kind, {}).items():
        value = _number(case, names, default)
        case.choose("strategy", path, Fact(value, _place(case, names, told.place)), f"{kind}'s `{names[0]}`")


def _fedprox(case: Case, told: Fact[str]) -> str:
    if not case.facts.reads_mu:
        text = "FedProx sends mu to clients whose loss never reads it, which is FedAvg; the entry says so"
        case.departs("strategy", text, told.place)
        return "fedavg"
    mu = _number(case, ("proximal_mu",), None)
    if not isinstance(mu, int | float):
        case.not_told("strategy", "FedProx's mu is not to be told from the text", told.place)
    elif mu == 0:
        case.departs("strategy", "FedProx with mu 0 is FedAvg, and the entry says so", told.place)
        return "fedavg"
    else:
        case.choose(
            "strategy", "strategy.mu", Fact(float(mu), _place(case, ("proximal_mu",), told.place)), "FedProx's mu"
        )
    return "fedprox"


def _number(case: Case, names: tuple[str, ...], default: Any) -> Any:
    found = [case.facts.strategy_settings[name].value for name in names if name in case.facts.strategy_settings]
    return found[0] if found and isinstance(found[0], int | float) else default


def _place(case: Case, names: tuple[str, ...], other: str) -> str:
    return next(
        (case.facts.strategy_settings[name].place for name in names if name in case.facts.strategy_settings), other
    )
