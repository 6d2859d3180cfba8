"""Templates: `{column}` stands for a column's value, `{{` and `}}` for braces. Nothing else is special."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class TemplateError(ValueError):
    """A brace without its partner, or something else than a column's name between two."""


def is_column(name: str) -> bool:
    """Whether a column of this name can stand in a template."""
    return _COLUMN.fullmatch(name) is not None


def columns(template: str) -> list[str]:
    """The columns that a template names, in order of appearance. Raises TemplateError."""
    return [column for _, column in _parts(template) if column is not None]


def fill(template: str, row: Mapping[str, object]) -> str:
    """The text for one row. Braces in values mean nothing. Raises TemplateError and KeyError."""
    return "".join(literal if column is None else str(row[column]) for literal, column in _parts(template))


def before(template: str, column: str) -> str:
    """The template up to the first place that names a column; all of it where none does. Raises TemplateError."""
    made: list[str] = []
    for literal, name in _parts(template):
        if name == column:
            break
        made.append(f"{{{name}}}" if name is not None else literal.replace("{", "{{").replace("}", "}}"))
    return "".join(made)


@functools.lru_cache(maxsize=256)
def _parts(template: str) -> tuple[tuple[str, str | None], ...]:
    """Kept: a template is filled for thousands of rows."""
    return tuple(_read(template))


def _read(template: str) -> Iterator[tuple[str, str | None]]:
    end = 0
    for match in _PART.finditer(template):
        yield template[end : match.start()], None
        end = match.end()
        whole, name = match[0], match[1]
        if whole in ("{{", "}}"):
            yield whole[0], None
        elif name is None:
            raise TemplateError(
                f"`{whole}` at character {match.start() + 1} stands alone; write `{whole * 2}` for a brace"
            )
        elif not _COLUMN.fullmatch(name):
            raise TemplateError(f"`{whole[:40]}` is not {{column}}; only a column's name may stand between braces")
        else:
            yield "", name
    yield template[end:], None
