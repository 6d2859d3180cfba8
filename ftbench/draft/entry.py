"""A draft entry: every knob of a spec with what it is, its range and its default."""

from __future__ import annotations

from ftbench.spec import knobs
from ftbench.spec.emit import flow
from ftbench.spec.model import Spec

WIDTH = 110


def write(spec: Spec, name: str, shown: str) -> str:
    """An entry's text; it says what the spec says, and can be run as it is. `shown`: how the user named the spec."""
    base = spec.model.base
    free = knobs.BASE_MODEL in spec.knobs
    lines = [
        f"# An entry for {spec.metadata.name} {spec.metadata.version}, written by `ftbench new entry`.",
        "# Every line holds the default.",
        f"#   ftbench validate {shown} --entry THIS",
        f"#   ftbench run {shown} --entry THIS",
        "ftbench: entry/v1",
        "metadata:",
        f"  name: {flow(name)} # its name in tables",
        '  title: ""',
        "  authors: []",
    ]
    if free:
        lines += [
            f"# The base model, at most {spec.model.max_parameters:,} parameters, {_range(spec, knobs.BASE_MODEL)}.",
            f"model: {{name: {flow(base.name)}, revision: {flow(base.revision)}}}",
        ]
    else:
        lines.append(f"# The base model is the spec's: {base.name}@{base.revision[:12]}")
    lines.append(f"seed: {spec.seeds.runs[0]} # one of {', '.join(map(str, spec.seeds.runs))}")
    own = sorted(path for path in spec.knobs if path != knobs.BASE_MODEL)
    lines.append("knobs:" if any(knobs.value(spec, path) is not None for path in own) else "knobs: {}")
    for path in own:
        lines += _knob(spec, path)
    return "\n".join(lines) + "\n"


def _knob(spec: Spec, path: str) -> list[str]:
    shape, value = knobs.locate(spec, path)
    default = knobs.value(spec, path)
    told = " ".join(shape.doc.split())
    about = [f"  # {line}" for line in _wrapped(f"{told} Allowed: {_range(spec, path)}; default {flow(default)}.")]
    mark = "  # " if value is None else "  "  # a parameter that the spec's own strategy does not use
    return [*about, f"{mark}{path}: {flow(default)}"]


def _range(spec: Spec, path: str) -> str:
    return knobs.ranges(spec)[path]


def _wrapped(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
