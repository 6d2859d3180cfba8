"""Command lines in texts: are they ones that ftbench takes? Nothing is carried out."""

from __future__ import annotations

import shlex

import click

from ftbench.cli.main import ftbench

PLACEHOLDER = "\u2026"


def wrong(line: str) -> str:
    """What `ftbench …` would say of this line's words; empty where it takes them."""
    words = [word for word in shlex.split(line, comments=True) if word not in {"[", "]"}]
    assert words[0] == "ftbench"
    return _wrong(ftbench, words[1:])


def _wrong(command: click.Command, words: list[str]) -> str:
    if isinstance(command, click.Group):
        if not words or words[0].startswith("-"):
            return ""
        try:
            inner = command.get_command(click.Context(command), words[0])
        except Exception as error:
            return str(error)
        if inner is not None:
            return _wrong(inner, words[1:])
        return f"no command `{words[0]}`" if command is ftbench else ""
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    known |= {"--help", "-h"}
    given = [word.partition("=")[0] for word in words if word.startswith("-") and len(word) > 1]
    lacking = [word for word in given if word not in known and not word.lstrip("-").isdigit()]
    return f"`{command.name}` has no {', '.join(lacking)}" if lacking else ""
