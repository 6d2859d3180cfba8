"""A site of two benchmarks: one whose every text is hostile, and one whose items may not be passed on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forge
import keys

from ftbench.decisions import chain
from ftbench.decisions.documents import Decision

SCRIPT = "</pre></td><script>document.title='owned'</script>"
PICTURE = '<img src="http://evil.example/x" onerror="document.title=\'owned\'">'
HOSTILE = f"{SCRIPT}{PICTURE} \"quoted\" 'too' \u202e back"
HUB = {"kind": "hub", "repo": "a/b", "revision": "c" * 40, "files": ["a.csv"], "format": "csv", "redistribute": "no"}
SECRET = "quite-secret-text"
"""Stands in every prompt of the benchmark that may not be passed on."""


@dataclass(frozen=True)
class Built:
    """A site, what it was made from, and the words that made it."""

    root: Path
    bundles: Path
    words: list[str]

    def tables(self, name: str) -> Path:
        """The folder of the table of a benchmark."""
        (found,) = (self.root / "tables").glob(f"{name}-*")
        return found


def submit(root: Path) -> list[str]:
    """Fill a folder with bundles, and the command line without its --out."""
    with _texts(f" {SCRIPT}{PICTURE} \u202e back"):
        first = forge.make_world(root / "first", _hostile)
    with _texts(f" {SECRET}"):
        second = forge.make_world(root / "second", _closed)
    forge.make_world(root / "third", _newer)
    bundles = root / "bundles"
    for seed in (1, 2, 3):
        forge.write_folder(_named(first, seed).files, bundles / f"mine-s{seed}")
    for rank in (2, 8, 16):
        forge.write_folder(forge.make(first, sets=(f"adapter.rank={rank}",)).files, bundles / f"rank{rank}")
    gone = forge.make(first, sets=("adapter.rank=5",))
    forge.write_folder(gone.files, bundles / "gone")
    for rank in (2, 4):
        forge.write_folder(forge.make(second, sets=(f"adapter.rank={rank}",)).files, bundles / f"closed{rank}")
    tampered = forge.make(first, sets=("adapter.rank=2",))
    with tampered.samples("jars") as lines:
        lines[0]["prompt"] = "an easier question"
    forge.write_folder(tampered.files, bundles / "tampered")
    bundles.joinpath("broken.zip").write_bytes(b"no archive")
    taken = [{"bundle": _digest(gone), "reason": f"asked for {HOSTILE}"}]
    (root / "withdrawn.json").write_text(json.dumps({"format": "ftbench/withdrawn/v1", "bundles": taken}))
    refused = forge.make(first, sets=("adapter.rank=7",))  # not among the bundles
    signers = _decide(root, refused, forge.make(first, sets=("adapter.rank=8",)))
    elsewhere = [(HOSTILE, "0.5", "javascript:alert(1)"), ("a paper", "0.25", "https://example.org/x")]
    listed = ["name,score,source,benchmark", *(",".join(map(_cell, [*one, "forged-world"])) for one in elsewhere)]
    (root / "published.csv").write_text("\n".join(listed) + "\n", "utf-8")
    words = ["site", "build", str(bundles), "--published", str(root / "published.csv")]
    words += ["--results", str(root / "results"), "--signers", str(signers)]
    words += ["--withdrawn", str(root / "withdrawn.json"), "--title", f"A board {HOSTILE}"]
    words += ["--store", f"{root / 'first' / 'store'}:{root / 'second' / 'store'}"]
    for name in ("first", "second", "third"):
        words += ["--benchmarks", str(root / name / "benchmarks")]
    return words


def _decide(root: Path, refused: forge.Forged, accepted: forge.Forged) -> Path:
    """A folder of decisions, one for a reason that is hostile, and the list of who made them."""
    key = keys.make_key(root, "val")
    for event, made, why in (("refused", refused, HOSTILE), ("accepted", accepted, "RESCORED")):
        body = {"time": "2026-01-01T00:00:00Z", "submission": event, "document": _digest(made), "level": "RESCORED"}
        body |= {"spec_hash": None, "verifier": "val@example.org"}
        for name in ("received", event):
            line = Decision.model_validate({**body, "event": name, "reasons": [why]})
            chain.append(root / "results", line, key)
    return keys.signers(root / "signers", ("val@example.org", "", key))


@contextmanager
def _texts(more: str) -> Iterator[None]:
    """Every item's question has `more` at its end."""
    rows = forge._rows

    def longer(task: Any) -> list[dict[str, Any]]:
        return [row | {"question": row["question"] + more} for row in rows(task)]

    forge._rows = longer
    try:
        yield
    finally:
        forge._rows = rows


def _hostile(value: dict[str, Any]) -> None:
    value["metadata"]["title"] = f"World {SCRIPT}"
    value["reporting"] = {"reading": f"Read {PICTURE}", "clusters": {"jars": {"column": "question"}}}


def _newer(value: dict[str, Any]) -> None:
    """Another version of the first, of which there are no bundles yet."""
    value["metadata"] |= {"version": "0.2.0", "title": f"World {SCRIPT}"}
    value["federation"]["rounds"] = 6


def _closed(value: dict[str, Any]) -> None:
    value["metadata"]["name"] = "closed-world"
    for task in value["evaluation"]["tasks"]:
        task["source"] = HUB
    value["reporting"] = {"clusters": {"jars": {"column": "question"}}}


def _named(world: forge.World, seed: int) -> forge.Forged:
    made = forge.make(world, seed)
    with made.entry() as entry:
        entry["metadata"] |= {"name": "mine", "title": HOSTILE, "authors": [HOSTILE], "description": HOSTILE}
    forge.reseal(made)
    return made


def _digest(made: forge.Forged) -> str:
    from ftbench.result import names
    from ftbench.spec.canonical import sha256

    return sha256(made.files[names.MANIFEST])


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
