"""Result and ledger name the entry that is in the bundle."""

from __future__ import annotations

from ftbench.spec.entries import entry_digest
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Digest the entry; compare base model and seed too."""
    entry, result, started = context.entry, context.result, context.started
    digest = entry_digest(entry)
    problems = [
        f"the {where} names entry {told[:12]}, the entry's digest is {digest[:12]}"
        for where, told in (("result", result.entry), ("ledger", started.entry))
        if told != digest
    ]
    if result.model != entry.model:
        problems.append("the result names another base model than the entry")
    if result.seed != entry.seed or started.seed != entry.seed:
        problems.append(f"the entry has seed {entry.seed}, the result {result.seed}, the ledger {started.seed}")
    return judge(problems, f"entry {digest[:12]}, seed {entry.seed}, model {entry.model.name}")


CHECK = Check("entry-digest", "CONFORMS", "FTB633", "result and ledger name the entry in the bundle", run)
