"""Attacks on a bundle's signature: it is not in the manifest, so that nothing but its own check can tell."""

from __future__ import annotations

import functools
import sys
import tempfile
from pathlib import Path

from attacks import attack
from forge import Forged

from ftbench.result import names
from ftbench.signing import keygen, kinds

sys.path.insert(0, str(Path(__file__).parent.parent / "signing"))

import keys


@functools.cache
def key() -> Path:
    """A key of nobody's."""
    return keys.make_key(Path(tempfile.mkdtemp(prefix="ftbench-key-")), "submitter")


def sign(f: Forged, namespace: str = kinds.BUNDLE) -> None:
    """As the submitter signs it, with what the manifest is now."""
    f.files[names.SIGNATURE] = keygen.sign(f.files[names.MANIFEST], key(), namespace)


@attack(sealed="signature-holds")
def bundle_changed_after_it_was_signed(f: Forged) -> None:
    sign(f)
    with f.json(names.ENVIRONMENT) as environment:
        environment["cpu_count"] = 64


@attack(sealed="signature-holds")
def signature_of_another_bundle(f: Forged) -> None:
    """Somebody hands in another's name with results of their own."""
    other = f.copy()
    with other.json(names.ENVIRONMENT) as environment:
        environment["cpu_count"] = 64
    sign(other)
    with f.json(names.ENVIRONMENT) as environment:
        environment["cpu_count"] = 8
    f.files[names.SIGNATURE] = other.files[names.SIGNATURE]


@attack(sealed="signature-holds", raw="signature-holds", keep="all manifest")
def signature_made_for_something_else(f: Forged) -> None:
    """A signature that somebody gave for a commit of theirs, say."""
    sign(f, "git")


@attack(sealed="signature-holds", raw="signature-holds", keep="all manifest")
def text_smuggled_in_beside_the_signature(f: Forged) -> None:
    """ssh-keygen reads over what follows the armour."""
    sign(f)
    f.files[names.SIGNATURE] += b"see https://example.org/better-results\n"
