"""What bundles of one row say of it: none speaks for another, and nothing of a name is unseen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ftbench.diagnostics import printable
from ftbench.site.entry import _abouts
from ftbench.site.render import environment, visible
from ftbench.spec.entry import EntryMetadata


def told(*authors: list[str]) -> list[dict[str, Any]]:
    entries = {
        f"{n}" * 64: SimpleNamespace(metadata=EntryMetadata(name="x", authors=one)) for n, one in enumerate(authors)
    }
    context: Any = SimpleNamespace(submission=lambda ref: SimpleNamespace(entry=entries[ref.bundle]))
    row: Any = SimpleNamespace(bundles=[SimpleNamespace(bundle=name) for name in entries])
    return _abouts(context, row)


def test_whoever_joins_a_row_does_not_sign_it() -> None:
    """Any run of the same choices is in the row, by whomever, and the lowest digest came first on its page."""
    found = told(["Eve"], ["Ada"], ["Ada"])
    assert [(one["authors"], one["bundles"]) for one in found] == [("Eve", ["0" * 64]), ("Ada", ["1" * 64, "2" * 64])]
    assert len(told(["Ada"], ["Ada"])) == 1
    assert environment().get_template("entry.html") is not None


def test_letters_that_nobody_sees() -> None:
    for letter in "\u115f\u1160\u3164\uffa0\u034f\u17b4\U000e0100":
        assert letter.isprintable(), "it would have passed before"
        assert f"\\u{ord(letter):04x}" in printable(f"ada{letter}").lower() or ord(letter) > 0xFFFF
        assert letter not in printable(f"ada{letter}") + visible(f"ada{letter}")
    kept = "❤️ 한국어 שלום e\u0301 a\u3000b"
    assert visible(kept) == kept
