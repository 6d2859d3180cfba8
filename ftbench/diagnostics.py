"""One type for everything that can be wrong with what a user gives: code, severity, place, message, hint."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

Severity = Literal["error", "warning", "note"]
UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\U000e0100-\U000e01ef]")
"""Letters and marks of which nothing is drawn, though they count as printable (Unicode's Default_Ignorable_Code_Point):
with one of them a name looks like another. U+FE00 to U+FE0F are not among them, since emoji are written with these."""


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file. Lines and columns count from 1, as editors show them; 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0
    source: str | None = None
    """The text of that line, if known; a caret is drawn under `column`."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem: what (`message`), where (`place`), how to mend it (`hint`). `code` is one of `ftbench.codes`."""

    code: str
    message: str
    place: Place | None = None
    hint: str = ""
    severity: Severity = "error"

    def plain(self) -> str:
        """Several lines of plain text: `place code message`, the source line with a caret, the hint."""
        head = f"{printable(str(self.place))} " if self.place else ""
        label = "" if self.severity == "error" else f"{self.severity}: "
        lines = [f"{head}{self.code} {label}{printable(self.message)}"]
        if self.place and self.place.source is not None:
            lines.append("    " + printable(self.place.source))
            lines.append("    " + " " * max(self.place.column - 1, 0) + "^")
        if self.hint:
            lines.append("    hint: " + printable(self.hint))
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """The same for machines; keys are stable."""
        place = self.place
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "file": place.file if place else None,
            "line": place.line if place and place.line else None,
            "column": place.column if place and place.line else None,
            "hint": self.hint or None,
        }


def printable(text: str) -> str:
    """`text` with every control character escaped, so that nothing from outside can forge a line or a colour, and every
    letter that nobody sees."""
    if text.isprintable() and (text.isascii() or not UNSEEN.search(text)):
        return text
    return "".join(c if seen(c) else c.encode("unicode_escape").decode() for c in text)


def seen(character: str) -> bool:
    """Whether a character takes part in what is drawn and in nothing else."""
    return character.isprintable() and UNSEEN.match(character) is None


def because(error: Exception) -> str:
    """What an exception says, on one line; of pydantic's the first problem with its place, and no link to its pages."""
    from pydantic import ValidationError  # not at the top: most command lines never need it

    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
    return " ".join(str(error).split())[:300] or type(error).__name__


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint naming the known word nearest to `name`, or the empty string."""
    near = get_close_matches(name, list(known), n=1)
    return f"did you mean `{near[0]}`?" if near else ""
