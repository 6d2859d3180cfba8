"""The result stands in its entry's division; the app bundle that it names is the compiled app with the entry's code."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench.compile import open_division
from ftbench.result import names
from ftbench.spec import open_division as open_code
from ftbench.spec.canonical import sha256
from ftbench.verify.check import Check, Failure, judge
from ftbench.verify.context import Context

OWN_CODE = (
    "What the entry's own {} does: the modules are digested and packed, never read or run here. Code that runs beside "
    "the frozen app can do whatever Python can, so what the ledger says of bytes, losses and clients is its word."
)
PRIVACY = "That the privacy which the spec promises holds: the entry's own code sees what has not been noised yet."


def run(context: Context) -> str | Failure:
    """Closed: no code and no digest of it. Open: modules as the entry names them, and the bundle that they make."""
    entry, result, plan = context.entry, context.result, context.plan
    due = "open" if entry.open else "closed"
    problems = []
    if result.division != due:
        problems.append(f"the result stands in the {result.division} division, its entry in the {due} one")
    if entry.open is None:
        if result.fab is not None:
            problems.append("the result names an app bundle of its own, which the closed division does not have")
        return judge(problems, "closed: neither entry nor result names code of its own")
    modules = {kind: context.bundle.files[name] for kind, name in names.OPEN.items() if name in context.bundle}
    problems += _modules(context, modules)
    if not problems:
        fab = open_division.fab(context.known_app(), modules)
        if result.fab != fab:
            told = (result.fab or "none")[:12]
            problems.append(f"the result names the app bundle {told}; with these modules it is {fab[:12]}")
    context.notes.append(OWN_CODE.format(" and ".join(sorted(modules))))
    if plan.typed_spec().privacy is not None:
        context.notes.append(PRIVACY)
    return judge(
        problems, f"open: the app bundle named is the compiled app with the entry's own {' and '.join(sorted(modules))}"
    )


def _modules(context: Context, modules: dict[str, bytes]) -> Iterator[str]:
    """Which are there is the affair of `files-permitted`; here it is what they hold."""
    named = context.entry.open
    for kind, data in modules.items():
        due = getattr(named, kind)
        if sha256(data) != due:
            yield f"`{names.OPEN[kind]}` is {sha256(data)[:12]}, the entry names {(due or 'none')[:12]}"
        elif wrong := open_code.check_source(data):
            yield f"`{names.OPEN[kind]}`: {wrong}"


CHECK = Check("division-told", "CONFORMS", "FTB669", "the result stands in its entry's division, with its code", run)
