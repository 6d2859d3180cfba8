"""Whose a bundle is: the verdict tells the key, and with a list of signers the person."""

from __future__ import annotations

import random
from pathlib import Path

import attacks_signature
import forge
import keys
import pytest
from test_flips import bundle_of

from ftbench.errors import MissingResource
from ftbench.result import names
from ftbench.result.documents import Verdict
from ftbench.signing.keygen import Signers
from ftbench.verify.checks import CHECKS
from ftbench.verify.checks.signature_holds import NO_TOOL
from ftbench.verify.context import Context
from ftbench.verify.limits import AUTHOR
from ftbench.verify.verifier import climb, verify


def verdict(world: forge.World, files: dict[str, bytes], signers: Signers | None = None) -> Verdict:
    context = Context(bundle_of(files), world.store, None, [world.root / "benchmarks"], signers=signers)
    lower = [check for check in CHECKS if check.level in ("CLAIMED", "INTACT")]
    return climb(context, "INTACT", lower)


def test_unsigned(world: forge.World, genuine: forge.Forged) -> None:
    found = verdict(world, genuine.files)
    assert found.accepted and found.signature is None and AUTHOR in found.not_checked


def test_signed_by_a_key_and_by_a_person(world: forge.World, genuine: forge.Forged, tmp_path: Path) -> None:
    attacks_signature.sign(genuine)
    found = verdict(world, genuine.files)
    assert found.accepted and found.signature is not None and found.signature.identity is None
    assert AUTHOR not in found.not_checked
    assert any(found.signature.key in sentence for sentence in found.not_checked)
    listed = Signers(keys.signers(tmp_path / "signers", ("ada@example.org", "", attacks_signature.key())))
    found = verdict(world, genuine.files, listed)
    assert found.accepted and found.signature is not None and found.signature.identity == "ada@example.org"
    assert not any("key" in sentence for sentence in found.not_checked)


def test_asked_for_and_not_there(world: forge.World, genuine: forge.Forged, tmp_path: Path) -> None:
    stranger = keys.make_key(tmp_path, "stranger")
    listed = Signers(keys.signers(tmp_path / "signers", ("bob", "", stranger)))
    assert verdict(world, genuine.files, listed).level == "CLAIMED"
    attacks_signature.sign(genuine)
    found = verdict(world, genuine.files, listed)
    assert found.level == "CLAIMED" and found.signature is None
    assert [check.check for check in found.checks if check.outcome == "failed"] == ["signature-holds"]


def test_a_signature_is_no_reason_to_be_believed_less(
    world: forge.World, genuine: forge.Forged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has no ssh-keygen could as well take the signature out."""
    attacks_signature.sign(genuine)
    monkeypatch.setenv("PATH", "/nowhere")
    found = verdict(world, genuine.files)
    assert found.accepted and found.signature is None and NO_TOOL in found.not_checked
    folder = forge.write_folder(genuine.files, tmp_path / "bundle")
    with pytest.raises(MissingResource):
        verify(folder, store=world.store, required="INTACT", signers=Signers(tmp_path / "signers"))


def flips(world: forge.World, genuine: forge.Forged, count: int) -> None:
    attacks_signature.sign(genuine)
    data, draw = genuine.files[names.SIGNATURE], random.Random(3)
    for _ in range(count):
        changed = bytearray(data)
        changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        found = verdict(world, {**genuine.files, names.SIGNATURE: bytes(changed)})
        assert [check.check for check in found.checks if check.outcome == "failed"] == ["signature-holds"]


def test_flipped_bits_of_a_signature(world: forge.World, genuine: forge.Forged) -> None:
    flips(world, genuine, 20)


@pytest.mark.slow
def test_many_flipped_bits_of_a_signature(world: forge.World, genuine: forge.Forged) -> None:
    flips(world, genuine, 300)
