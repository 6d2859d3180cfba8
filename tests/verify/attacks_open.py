"""Attacks on the line between the divisions: code that nobody named, code under another's name, open run as closed."""

from __future__ import annotations

from attacks import attack
from forge import Forged

from ftbench.compile import open_division
from ftbench.result import names
from ftbench.spec.canonical import sha256

STRATEGY = b"from .strategy import base\n\n\nclass Strategy(base.Strategy):\n    pass\n"
CLIENT = b"from .worker import train as train\n"
MODULES = {"strategy": STRATEGY, "client": CLIENT}


def bring(f: Forged, *kinds: str, division: str = "open", fab: str | None = "") -> None:
    """Make the bundle one of the open division. `fab` empty: the true one."""
    modules = {kind: MODULES[kind] for kind in kinds or ("strategy", "client")}
    with f.entry() as entry:
        entry["open"] = {kind: sha256(modules[kind]) if kind in modules else None for kind in MODULES}
    f.files |= {names.OPEN[kind]: data for kind, data in modules.items()}
    with f.result() as result:
        result["division"] = division
        result["fab"] = open_division.fab(f.world.compiled.files, modules) if fab == "" else fab


@attack(raw="files-permitted", sealed="files-permitted")
def closed_bundle_with_a_module(f: Forged) -> None:
    f.files[names.OPEN["strategy"]] = STRATEGY


@attack(raw="files-permitted", sealed="files-permitted")
def module_that_the_open_entry_does_not_name(f: Forged) -> None:
    bring(f, "strategy")
    f.files[names.OPEN["client"]] = CLIENT


@attack(raw="files-permitted", sealed="files-permitted")
def module_left_out(f: Forged) -> None:
    bring(f)
    del f.files[names.OPEN["client"]]


@attack(raw="files-permitted", sealed="files-permitted")
def further_module_in_the_open_folder(f: Forged) -> None:
    bring(f)
    f.files["open/helper.py"] = b"x = 1\n"


@attack(raw="manifest-complete", sealed="division-told")
def open_run_passed_off_as_closed(f: Forged) -> None:
    bring(f, division="closed", fab=None)


@attack(raw="manifest-digests", sealed="division-told")
def closed_run_passed_off_as_open(f: Forged) -> None:
    with f.result() as result:
        result["division"] = "open"


@attack(raw="manifest-digests", sealed="division-told")
def closed_run_with_a_bundle_of_its_own(f: Forged) -> None:
    with f.result() as result:
        result["fab"] = "1" * 64


@attack(raw="manifest-complete", sealed="division-told")
def other_module_than_the_one_named(f: Forged) -> None:
    bring(f)
    f.files[names.OPEN["strategy"]] = STRATEGY + b"# and more\n"


@attack(raw="manifest-complete", sealed="division-told")
def bundle_digest_of_other_modules(f: Forged) -> None:
    bring(f, fab=open_division.fab(f.world.compiled.files, {"client": CLIENT}))


@attack(raw="manifest-complete", sealed="division-told")
def open_run_with_the_closed_bundle_digest(f: Forged) -> None:
    bring(f, fab=f.world.compiled.lock.fab_hash)


@attack(raw="manifest-digests", sealed="entry-allowed")
def open_entry_that_brings_nothing(f: Forged) -> None:
    with f.entry() as entry:
        entry["open"] = {"strategy": None, "client": None}
    with f.result() as result:
        result["division"] = "open"
