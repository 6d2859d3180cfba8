"""Reference pages made from what ftbench is made of: the models of a spec, the command line, the diagnostics."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import click

from ftbench.cli.inventory import diagnostics
from ftbench.cli.main import ftbench
from ftbench.cli.table import EXIT_CODES, SECTIONS
from ftbench.explained import explained
from ftbench.spec import words
from ftbench.spec.fields import Shape, of
from ftbench.spec.model import Spec
from ftbench.spec.primitives import Block

GROUPS = {
    "1": "Specs and pins",
    "2": "Entries and knobs",
    "3": "Data and store",
    "4": "Compiling",
    "5": "Running and scoring",
    "6": "Bundles and verification",
    "7": "Tables, signatures, decisions, claims",
    "8": "Base models, doing part of a run again",
    "9": "Command line, environment, generated files",
}
"""First digit of a code → what such codes are about."""


def pages() -> Iterator[tuple[str, str]]:
    """Path below docs/reference and text of every page."""
    yield from _commands()
    yield from _spec()
    yield from _diagnostics()


def _commands() -> Iterator[tuple[str, str]]:
    lines = ["# Command line", "", "What `ftbench --help` shows; a page for each command.", ""]
    for title, commands in SECTIONS.items():
        lines += [f"## {title}", "", "| command | what you get |", "|---|---|"]
        lines += [f"| [`ftbench {name}`](commands/{name}.md) | {entry.help} |" for name, entry in commands.items()]
        lines.append("")
        for name, entry in commands.items():
            yield f"commands/{name}.md", _command(name, entry.help)
    lines += ["## Exit codes", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    yield "commands.md", "\n".join([*lines, "", _toctree("commands/*"), ""])


def _command(name: str, summary: str) -> str:
    command = ftbench.get_command(click.Context(ftbench), name)
    assert command is not None
    parts = [f"# ftbench {name}", "", summary, "", _help(command, f"ftbench {name}")]
    if isinstance(command, click.Group):
        for inner in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), inner)
            assert found is not None
            parts += ["", f"## ftbench {name} {inner}", "", _help(found, f"ftbench {name} {inner}")]
    return "\n".join([*parts, ""])


def _help(command: click.Command, path: str) -> str:
    context = click.Context(command, info_name=path, max_content_width=80, terminal_width=80)
    return f"```text\n{command.get_help(context)}\n```"


def _spec() -> Iterator[tuple[str, str]]:
    """A page for each block of a spec, with every block inside it."""
    names = list(of(Spec).fields)
    lines = ["# Spec", "", _doc(Spec), "", "| field | takes | meaning |", "|---|---|---|"]
    for name, shape in of(Spec).fields.items():
        inside = [member for member in shape.members if member.block]
        shown = f"[`{name}`](spec/{name}.md)" if inside else f"`{name}`"
        lines.append(f"| {shown} | {_cell(words.expected(shape))} | {_cell(shape.doc or _doc(inside[0].type))} |")
        if inside:
            yield f"spec/{name}.md", "\n".join([f"# `{name}`", "", *_block(name, shape, set())])
    assert names
    yield "spec.md", "\n".join([*lines, "", _toctree("spec/*"), ""])


def _block(path: str, shape: Shape, seen: set[Any]) -> Iterator[str]:
    for member in shape.members:
        if member.block is None or (path, member.type) in seen:
            continue
        seen.add((path, member.type))
        kind = member.fields.get("kind")
        title = f"`{path}`" + (f", kind {words.listed(kind.words)}" if kind and kind.words else "")
        yield from [f"## {title}", "", _doc(member.type), ""]
        if member.fields:
            yield from ["| field | takes | default | meaning |", "|---|---|---|---|"]
        for name, field in member.fields.items():
            default = "required" if field.required else _default(member.type, name)
            yield f"| `{name}` | {_cell(words.expected(field))} | {default} | {_cell(field.doc)} |"
        yield ""
        for name, field in member.fields.items():
            inner = field.item or field
            yield from _block(f"{path}.{name}", inner, seen)


def _default(block: type[Block], name: str) -> str:
    value = block.model_fields[name].get_default(call_default_factory=True)
    return (
        "a block" if isinstance(value, Block) else _cell(words.quoted(value) if not isinstance(value, list) else "`[]`")
    )


def _doc(block: type[Block]) -> str:
    return inspect.cleandoc(block.__doc__ or "")


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


def _diagnostics() -> Iterator[tuple[str, str]]:
    meanings = {item.name: item.description for item in diagnostics("")}
    lines = [
        "# Diagnostics",
        "",
        "Every message carries a code. `ftbench explain FTB329` prints what its page says.",
        "",
    ]
    for digit, title in GROUPS.items():
        lines += [f"## FTB{digit}xx: {title}", "", "| code | meaning |", "|---|---|"]
        lines += [
            f"| [{code}](diagnostics/{code}.md) | {_cell(text)} |"
            for code, text in meanings.items()
            if code[3] == digit
        ]
        lines.append("")
    yield "diagnostics.md", "\n".join([*lines, ""])
    for code, meaning in meanings.items():
        why, mend = explained()[code]
        # In no list of contents: hundreds of lines in every page's margin would help nobody.
        rows = [
            "---",
            "orphan: true",
            "---",
            "",
            f"# {code}",
            "",
            f"**What.** {meaning[0].upper()}{meaning[1:]}.",
            "",
            f"**Why.** {why}",
            "",
            f"**How to mend it.** {mend}",
        ]
        yield f"diagnostics/{code}.md", "\n".join([*rows, ""])


def _toctree(pattern: str) -> str:
    return f"```{{toctree}}\n:hidden:\n:glob:\n\n{pattern}\n```"
