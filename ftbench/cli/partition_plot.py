"""Bars of what clients hold: on a terminal in colour, elsewhere in letters that differ without it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from ftbench.diagnostics import printable

if TYPE_CHECKING:
    from ftbench.cli.outputs.partition import ClientShare, PartitionOutput
    from ftbench.cli.ui import Ui

WIDTH = 48
"""Letters of the longest bar."""
MOST_CLIENTS = 60
"""Bars that are drawn; `--json` has every client."""
LETTERS = "█▓▒░#=+:"
"""One for each of the most frequent labels; the others share `OTHER`."""
OTHER = "·"
COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red", "bright_cyan", "bright_magenta")
NAME = 24
"""Letters of a label in the legend."""

Piece = tuple[str, str]
"""Text and its colour; no colour: plain."""


def plot(ui: Ui, output: PartitionOutput) -> None:
    """A bar for each client, as long as its rows and divided by label, with a legend."""
    shown = list(output.labels or {})[: len(LETTERS)]
    for piece in legend(output, shown):
        _print(ui, piece)
    for client in output.clients[:MOST_CLIENTS]:
        _print(ui, bar(client, output, shown))
    if len(output.clients) > MOST_CLIENTS:
        ui.line(f"  and {len(output.clients) - MOST_CLIENTS:,} more clients, which --json has")


def legend(output: PartitionOutput, shown: list[str]) -> list[list[Piece]]:
    """A line for each label that has a letter of its own, and one for the rest."""
    if output.labels is None:
        return []
    lines: list[list[Piece]] = []
    for number, label in enumerate(shown):
        name = printable(label) if len(label) <= NAME else printable(label[: NAME - 1]) + "…"
        lines.append([("  ", ""), (LETTERS[number] * 2, COLOURS[number]), (f" {output.labels[label]:>9,}  {name}", "")])
    if rest := list(output.labels.values())[len(shown) :]:
        lines.append([("  ", ""), (OTHER * 2, ""), (f" {sum(rest):>9,}  {len(rest):,} other values", "")])
    return lines


def bar(client: ClientShare, output: PartitionOutput, shown: list[str]) -> list[Piece]:
    """One client's line: id, divided bar, rows and distance."""
    width = max(1, round(WIDTH * client.rows / output.largest))
    if client.labels is None:
        pieces = [(LETTERS[0] * width, COLOURS[0])]
    else:
        counts = [client.labels.get(label, 0) for label in shown]
        lengths = divide(width, [*counts, client.rows - sum(counts)])
        drawn = zip([*LETTERS[: len(shown)], OTHER], [*COLOURS[: len(shown)], ""], lengths, strict=True)
        pieces = [(letter * length, colour) for letter, colour, length in drawn if length]
    id_width = len(str(len(output.clients) - 1))
    told = f"{' ' * (WIDTH - width)} {client.rows:>{len(f'{output.largest:,}')},}"
    far = f"  {client.distance:.3f}" if client.distance is not None else ""
    return [(f"  {client.partition:>{id_width}} ", ""), *pieces, (told + far, "")]


def divide(width: int, counts: list[int]) -> list[int]:
    """Whole letters in proportion to `counts`, `width` in all: each part ends where its running share is rounded to."""
    total, ends, running = sum(counts), [0], 0
    for count in counts:
        running += count
        ends.append((2 * width * running + total) // (2 * total))
    return [end - start for start, end in pairwise(ends)]


def _print(ui: Ui, pieces: list[Piece]) -> None:
    console = ui.console
    if console is None:
        ui.line("".join(text for text, _ in pieces))
        return
    from rich.text import Text

    console.print(Text.assemble(*pieces), soft_wrap=True)
