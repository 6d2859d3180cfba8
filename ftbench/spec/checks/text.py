"""Texts that are printed in one line must be one line, so that nothing in them can look like a second one."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench import codes
from ftbench.spec.entry import Entry, ResolvedEntry
from ftbench.spec.model import Metadata, Spec
from ftbench.spec.paths import Path, show
from ftbench.spec.problems import Problem

_BREAKS = frozenset("\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")


def one_line(document: object) -> Iterator[Problem]:
    """Title, licence, authors and what readers should know hold no line break."""
    if not isinstance(document, Spec | Entry | ResolvedEntry):
        return
    metadata = document.metadata
    texts: list[tuple[Path, str]] = [(("metadata", "title"), metadata.title)]
    texts += [(("metadata", "authors", number), author) for number, author in enumerate(metadata.authors)]
    if isinstance(metadata, Metadata):
        texts.append((("metadata", "licence"), metadata.licence))
    else:
        texts.append((("metadata", "source"), metadata.source))
    if isinstance(document, Spec) and document.reporting is not None:
        texts.append((("reporting", "reading"), document.reporting.reading or ""))
    for at, text in texts:
        if _BREAKS & set(text):
            yield Problem(codes.ONE_LINE, at, f"`{show(at)}` must be one line", "use `description` for longer text")
