"""What a command says: results on stdout, all else on stderr, nothing from outside raw."""

from __future__ import annotations

import json as _json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import IO, TYPE_CHECKING

from ftbench.diagnostics import Diagnostic, printable

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console

STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan", "good": "green", "dim": "dim", "strong": "bold"}
"""Names of styles → rich's."""


class Ui:
    """Where a command writes. With `json` exactly one object goes to stdout and every other line to stderr."""

    def __init__(self, *, json: bool) -> None:
        self.json = json
        self._stdout = sys.stdout
        self._stderr = sys.stderr
        self._answered = False

    def line(self, text: str = "", style: str = "") -> None:
        """A line of the result for people; on stderr in JSON mode."""
        _write(self._stderr if self.json else self._stdout, text, style)

    def note(self, text: str, style: str = "") -> None:
        """A line beside the result: progress, hints. Always on stderr."""
        _write(self._stderr, text, style)

    def notes(self, text: str) -> None:
        """Several lines that ftbench made, on stderr."""
        for line in text.split("\n"):
            self.note(line)

    def pieces(self, pieces: Sequence[tuple[str, bool]]) -> None:
        """Text from outside in runs, line breaks kept; those that are marked in colour, or between » and «."""
        stream = self._stderr if self.json else self._stdout
        if not _coloured(stream):
            text = "".join(f"»{text}«" if marked else text for text, marked in pieces)
            for line in text.split("\n"):
                _write(stream, f"  | {line}", "")
            return
        from rich.text import Text

        lines = [Text("  | ", style=STYLES["dim"])]
        for text, marked in pieces:
            for number, line in enumerate(text.split("\n")):
                if number:
                    lines.append(Text("  | ", style=STYLES["dim"]))
                lines[-1].append(printable(line), style=STYLES["good" if marked else "dim"])
        for shown in lines:
            console_for(stream).print(shown, soft_wrap=True)

    def raw(self, text: str) -> None:
        """Exact text on stdout: documents for machines, which ftbench wrote itself."""
        stream = self._stderr if self.json else self._stdout
        stream.write(_encodable(text, stream))

    def diagnostics(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Problems, on stderr."""
        for diagnostic in diagnostics:
            for number, text in enumerate(diagnostic.plain().split("\n")):
                for line in self._wrapped(text):
                    _write(self._stderr, line, diagnostic.severity if number == 0 else "dim")

    def _wrapped(self, text: str) -> list[str]:
        """A line for a terminal's width, between words; elsewhere whole, so that it can be searched."""
        if not _is_terminal(self._stderr) or (text[:4] == "    " and "hint: " not in text[:10]):
            return [text]  # the source's line and its caret stand below one another
        import shutil
        import textwrap

        width = max(shutil.get_terminal_size().columns, 40)
        return textwrap.wrap(
            text,
            width,
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
            initial_indent=" " * (len(text) - len(text.lstrip())),
        ) or [""]

    def answer(self, output: BaseModel) -> None:
        """The command's object: printed in JSON mode, else nothing. At most one a command line."""
        if not self.json:
            return
        if self._answered:
            raise RuntimeError("a command answers with one object")
        self._answered = True
        # ASCII only: no escape sequence of a spec or bundle reaches a terminal.
        text = _json.dumps(output.model_dump(mode="json"), indent=2, allow_nan=False)
        self._stdout.write(text + "\n")

    def failed(self, kind: str, exit_code: int, diagnostics: list[Diagnostic]) -> int:
        """End with an error: diagnostics on stderr; in JSON mode one object with `error`. Returns the exit code."""
        self.diagnostics(diagnostics)
        if self.json and not self._answered:
            from ftbench.cli.outputs.general import error_output

            self.answer(error_output(kind, exit_code, diagnostics))
        return exit_code

    def flush(self) -> None:
        """Send what is buffered, so that a reader who went away is noticed here."""
        self._stdout.flush()
        self._stderr.flush()

    @property
    def interactive(self) -> bool:
        """Whether progress may redraw itself on stderr: on a terminal, unless NO_COLOR or TERM=dumb asks for lines."""
        return _coloured(self._stderr)

    @property
    def console(self) -> Console | None:
        """A rich console on a terminal's stdout; None elsewhere. What it prints must be `Text`, already `printable`."""
        return console_for(self._stdout) if _is_terminal(self._stdout) and not self.json else None

    @property
    def error_console(self) -> Console:
        """A rich console on stderr, for progress."""
        return console_for(self._stderr)


def console_for(stream: IO[str]) -> Console:
    """A rich console without markup, highlighting or emoji, coloured only where colour is wanted."""
    from rich.console import Console

    coloured = _coloured(stream)
    return Console(
        file=stream,
        markup=False,
        highlight=False,
        emoji=False,
        no_color=not coloured,
        color_system="auto" if coloured else None,
    )


def _write(stream: IO[str], text: str, style: str) -> None:
    safe = printable(text)  # a line is one line: a name with a line break in it must not make another
    if style and _coloured(stream):
        from rich.text import Text

        console_for(stream).print(Text(safe, style=STYLES.get(style, "")), soft_wrap=True)
        return
    stream.write(_encodable(safe, stream) + "\n")


def _encodable(text: str, stream: IO[str]) -> str:
    """A stream that cannot show a letter gets a question mark, not a traceback."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def _is_terminal(stream: IO[str]) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def _coloured(stream: IO[str]) -> bool:
    return _is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
