"""What an app sends: by its settings against the budget, and by its own log against its settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ftbench.base_models.adapters import AdapterKind, shapes
from ftbench.base_models.communication import MIB, Sending
from ftbench.flowertune.case import Case
from ftbench.spec.transport import Transport

LINE = re.compile(r"Communication budget: used ([0-9.]+) MB \(\+([0-9.]+) MB this round\)")
LOGS = {".txt", ".log", ".out", ".err", ".md"}
MAX_LOG = 16 * 2**20
CLOSE = 0.01
"""Share by which a log's total may differ: headers of arrays, rounding."""


@dataclass(frozen=True, slots=True)
class Log:
    """The last run that a file tells of."""

    path: Path
    used: float
    """Its last total, in what it calls MB: MiB."""
    largest: float
    """The largest single step: what all clients of a round were sent."""
    steps: int


def look(case: Case, folder: Path) -> None:
    """Every finding of this subject."""
    total, each, asked = _implied(case)
    budget = case.spec.budget.communication_mib
    if total is None:
        if case.base is not None:
            case.not_told("traffic", "what is sent is not to be told: rank, targets, rounds or sampling are not known")
    elif total > budget:
        rounds = int(budget // (2 * each * asked)) if each * asked else 0
        text = f"at its settings {total:,.0f} MiB are sent, and the budget is {budget:,.0f}: a run ends "
        text += f"after round {rounds}"
        case.departs("traffic", text)
    for log in logs(folder):
        _compare(case, log, total, each)


def _implied(case: Case) -> tuple[float | None, float, int]:
    """MiB in all, MiB of one adapter, clients of a round; None where something of it is not known."""
    facts = case.facts
    targets = case.knobs.get("adapter.targets")
    if case.base is None or facts.rank is None or targets is None or facts.rounds is None or facts.fraction is None:
        return None, 0.0, 0
    nodes = facts.supernodes.value if facts.supernodes else case.spec.federation.clients
    asked = min(nodes, max(int(nodes * facts.fraction.value), facts.least_clients))
    kind: AdapterKind = "dora" if facts.dora is not None and facts.dora.value else "lora"
    tensors = shapes(case.base.architecture, kind, facts.rank.value, targets.value)
    sending = Sending("fedavg", Transport(), tensors, [facts.rank.value], asked, facts.rounds.value)
    down, up = sending.client(facts.rank.value, 0)
    return facts.rounds.value * asked * (down + up) / MIB, down / MIB, asked


def logs(folder: Path) -> Iterator[Log]:
    """The logs in a folder that tell of traffic. A file may hold several runs; the last one counts."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in LOGS or path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_LOG:
            continue
        found = LINE.findall(path.read_text(encoding="utf-8", errors="replace"))
        pairs = [(float(used), float(step)) for used, step in found if _numbers(used, step)]
        if not pairs:
            continue
        begins = [number for number, (used, step) in enumerate(pairs) if abs(used - step) < 0.005]
        run = pairs[begins[-1] if begins else 0 :]
        yield Log(path, run[-1][0], max(step for _, step in run), len(run))


def _numbers(*texts: str) -> bool:
    return all(re.fullmatch(r"\d{1,12}(\.\d{1,6})?", text) for text in texts)


def _compare(case: Case, log: Log, total: float | None, each: float) -> None:
    budget = case.spec.budget.communication_mib
    place = str(log.path)
    if log.used > budget:
        case.departs("log", f"the log reports {log.used:,.2f} MiB, and the budget is {budget:,.0f}", place)
    if total is None or not each:
        return
    if abs(log.used - total) > CLOSE * total:
        text = f"the log reports {log.used:,.2f} MiB, and the settings come to {total:,.2f}"
        more = log.largest / each
        if log.used < total and abs(more - round(more)) < CLOSE * more and log.steps > 1:
            text += f": {round(log.used / each)} adapters were sent where {round(total / each)} are due"
        case.departs("log", text, place)
