"""The entry that says what an app does, with where each value stands in it."""

from __future__ import annotations

import textwrap

from ftbench.flowertune.case import Case
from ftbench.spec import knobs
from ftbench.spec.emit import flow

WIDTH = 110


def entry_text(case: Case, benchmark: str) -> str:
    """YAML with comments: values with their places, then what no entry can say."""
    app, facts = case.app, case.facts
    lines = [
        f"# An entry for {benchmark}, written by `ftbench import flowertune` from the app {app.name}.",
        "# Each value is the app's; where it stands there is said beside it.",
        "# Prompts, data order and seeds are the benchmark's own for every entry.",
        f"#   ftbench validate {benchmark} --entry THIS",
        "ftbench: entry/v1",
        "metadata:",
        f"  name: {flow(app.name)}",
        '  title: ""',
        "  authors: []",
        f"  source: {flow(_source(case))}",
    ]
    if facts.model is not None:
        revision, note = _revision(case)
        lines += [
            f"model: # {case.short(facts.model.place)}",
            f"  name: {flow(facts.model.value)}",
            f"  revision: {flow(revision)}{note}",
        ]
    lines.append(f"seed: {case.spec.seeds.runs[0]} # the app has none: clients and adapter are drawn anew in each run")
    lines.append("knobs:" if case.knobs else "knobs: {}")
    for path, chosen in sorted(case.knobs.items()):
        own = knobs.value(case.spec, path)
        told = "the benchmark's own value" if own == chosen.value else f"the benchmark has {flow(own)}"
        lines.append(f"  {path}: {flow(chosen.value)} # {chosen.place}; {told}")
    for kind, head in (("departs", "What no entry can say:"), ("not-told", "What the app's files do not tell:")):
        found = [one for one in case.findings if one.kind == kind]
        lines += ["#", f"# {head}"] if found else []
        for one in found:
            text = " ".join(f"{one.topic}: {one.text} ({one.place})".split())
            lines += [f"#   {line}" for line in _hanging(text)]
    return "\n".join(_clean(line) for line in lines) + "\n"


def _source(case: Case) -> str:
    return f"FlowerTune app {case.app.name}"


def _revision(case: Case) -> tuple[str | None, str]:
    told = case.facts.revision
    if told is not None and len(told.value) == 40:
        return told.value, f" # {case.short(told.place)}"
    if case.base is not None and case.base.revision is not None:
        return case.base.revision, " # the app names none; this is the catalogue's"
    return None, " # the app names none: the main branch's when it is run; name it when you hand the entry in"


def _hanging(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _clean(line: str) -> str:
    """A comment stays one line, whatever a path or a name holds."""
    return "".join(character if character.isprintable() else "?" for character in line)
