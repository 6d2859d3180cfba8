"""Signatures: by whose key, for which bytes, for what, when; and that no byte of one can change unseen."""

from __future__ import annotations

import random
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import keys

from ftbench.errors import InvalidInput, MissingResource
from ftbench.signing import keygen, kinds, sshsig
from ftbench.signing.keygen import Signers

DATA = b'{"format": "ftbench/manifest/v1"}\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("keys")
    for name in ("ada", "bob"):
        keys.make_key(made, name)
    return made


@pytest.fixture(scope="module")
def signature(folder: Path) -> bytes:
    return keygen.sign(DATA, folder / "ada", kinds.BUNDLE)


def code(error: pytest.ExceptionInfo[InvalidInput]) -> str:
    return error.value.diagnostics[0].code


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_every_kind_of_key_signs(tmp_path: Path, kind: str) -> None:
    key = keys.make_key(tmp_path, "key", kind)
    made = keygen.sign(DATA, key, kinds.BUNDLE)
    listed = keys.signers(tmp_path / "signers", ("ada@example.org", "", key))
    found = keygen.signed(DATA, made, kinds.BUNDLE, "x", Signers(listed))
    assert found.identity == "ada@example.org"
    told = subprocess.run(["ssh-keygen", "-l", "-f", str(key)], capture_output=True, text=True, check=True).stdout
    assert found.key in told


def test_openssh_takes_it_alone(folder: Path, tmp_path: Path, signature: bytes) -> None:
    listed = keys.signers(tmp_path / "signers", ("ada@example.org", "", folder / "ada"))
    file = tmp_path / "m.sig"
    file.write_bytes(signature)
    words = ["-Y", "verify", "-f", str(listed), "-I", "ada@example.org", "-n", kinds.BUNDLE, "-s", str(file)]
    assert subprocess.run(["ssh-keygen", *words], input=DATA, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("options", "at", "known"),
    [
        ("", None, True),
        ('namespaces="ftbench-bundle"', None, True),
        ('namespaces="ftbench-verdict"', None, False),
        ('valid-after="20250101Z"', datetime(2024, 12, 31, 23, 59, tzinfo=UTC), False),
        ('valid-after="20250101Z"', datetime(2025, 1, 1, 0, 1, tzinfo=UTC), True),
        ('valid-before="20250101Z"', datetime(2024, 12, 31, 23, 59, tzinfo=UTC), True),
        ('valid-before="20250101Z"', datetime(2025, 1, 1, 0, 1, tzinfo=UTC), False),
        ('valid-after="20250101"', datetime(2024, 12, 31, 23, 59, tzinfo=UTC), False),
        ('valid-after="20250101"', datetime(2025, 1, 1, 0, 1, tzinfo=UTC), True),
    ],
)
def test_who_since_when_until_when_and_for_what(
    folder: Path, tmp_path: Path, signature: bytes, options: str, at: datetime | None, known: bool
) -> None:
    listed = Signers(keys.signers(tmp_path / "signers", ("ada", options, folder / "ada")), None, at)
    if known:
        assert keygen.signed(DATA, signature, kinds.BUNDLE, "x", listed).identity == "ada"
        return
    with pytest.raises(InvalidInput) as error:
        keygen.signed(DATA, signature, kinds.BUNDLE, "x", listed)
    assert code(error) == "FTB754"


def test_a_time_zone_moves_no_verdict(
    folder: Path, tmp_path: Path, signature: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    at = datetime(2024, 12, 31, 23, 59, tzinfo=UTC)
    listed = Signers(keys.signers(tmp_path / "s", ("ada", 'valid-after="20250101"', folder / "ada")), None, at)
    with pytest.raises(InvalidInput):
        keygen.signed(DATA, signature, kinds.BUNDLE, "x", listed)


def test_a_revoked_key_and_a_stranger(folder: Path, tmp_path: Path, signature: bytes) -> None:
    listed = keys.signers(tmp_path / "signers", ("ada", "", folder / "ada"), ("bob", "", folder / "bob"))
    revoked = tmp_path / "revoked"
    revoked.write_text(keys.public(folder / "ada") + "\n")
    krl = tmp_path / "krl"
    subprocess.run(["ssh-keygen", "-q", "-k", "-f", str(krl), str(folder / "ada.pub")], check=True)
    for path in (revoked, krl):
        with pytest.raises(InvalidInput) as error:
            keygen.signed(DATA, signature, kinds.BUNDLE, "x", Signers(listed, path))
        assert code(error) == "FTB754"
    others = keys.signers(tmp_path / "others", ("bob", "", folder / "bob"))
    with pytest.raises(InvalidInput) as error:
        keygen.signed(DATA, signature, kinds.BUNDLE, "x", Signers(others))
    assert code(error) == "FTB754"


def test_other_bytes_and_another_purpose(folder: Path, signature: bytes) -> None:
    with pytest.raises(InvalidInput) as error:
        keygen.signed(DATA + b" ", signature, kinds.BUNDLE, "x")
    assert code(error) == "FTB753"
    for namespace in (kinds.VERDICT, kinds.REGISTRATION):
        with pytest.raises(InvalidInput) as error:
            keygen.signed(DATA, signature, namespace, "x")
        assert code(error) == "FTB753"
    made = keygen.sign(DATA, folder / "ada", "git")
    with pytest.raises(InvalidInput) as error:
        keygen.signed(DATA, made, kinds.BUNDLE, "x")
    assert code(error) == "FTB753"


def test_what_ssh_keygen_lets_pass_is_refused_too(signature: bytes) -> None:
    """White space, text around the armour, other line widths: ssh-keygen reads over them, so bytes could change."""
    body = signature.decode()
    wrapped = body[:80] + "\n" + body[80:]
    for other in (body + "\n", "\n" + body, body.replace("\n", "\r\n"), body[:-1], "x" + body, wrapped):
        with pytest.raises(InvalidInput) as error:
            sshsig.read(other.encode(), "x")
        assert code(error) == "FTB751"


def flips(signature: bytes, count: int, seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(count):
        changed = bytearray(signature)
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
        with pytest.raises(InvalidInput) as error:
            keygen.signed(DATA, bytes(changed), kinds.BUNDLE, "x")
        assert code(error) in ("FTB751", "FTB753")


def test_flipped_bits(signature: bytes) -> None:
    flips(signature, 100, 1)


@pytest.mark.slow
def test_many_flipped_bits(signature: bytes) -> None:
    flips(signature, 2000, 2)


def test_no_ssh_keygen_is_told(folder: Path, signature: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for call in (
        lambda: keygen.sign(DATA, folder / "ada", kinds.BUNDLE),
        lambda: keygen.signed(DATA, signature, kinds.BUNDLE, "x"),
        lambda: keygen.ready(Signers(folder / "ada")),
    ):
        with pytest.raises(MissingResource) as error:
            call()
        assert error.value.diagnostics[0].code == "FTB750"


def test_a_key_that_cannot_sign(folder: Path, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    nothing.write_text("no key")
    for key in (nothing, tmp_path / "missing"):
        with pytest.raises(InvalidInput) as error:
            keygen.sign(DATA, key, kinds.BUNDLE)
        assert code(error) == "FTB752"


def test_what_is_signed() -> None:
    assert kinds.namespace_of(DATA, "x") == kinds.BUNDLE
    for other in (b"{}", b'{"format": 3}', b'{"format": "ftbench/result/v1"}', b"[]"):
        with pytest.raises(InvalidInput) as error:
            kinds.namespace_of(other, "x")
        assert code(error) == "FTB752"


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_certificate_is_no_key_of_its_own(tmp_path: Path, kind: str) -> None:
    """One key has as many certificates as somebody makes: it counts as one key, under its own fingerprint."""
    key, authority = keys.make_key(tmp_path, "key", kind), keys.make_key(tmp_path, "authority")
    plain = keygen.signed(DATA, keygen.sign(DATA, key, kinds.BUNDLE), kinds.BUNDLE, "x").key
    for number in ("1", "2"):
        told = ["-I", f"id{number}", "-z", number, "-n", "ada@example.org", f"{key}.pub"]
        subprocess.run(["ssh-keygen", "-q", "-s", str(authority), *told], check=True, capture_output=True)
        made = keygen.sign(DATA, tmp_path / "key-cert.pub", kinds.BUNDLE)
        listed = keys.signers(tmp_path / "signers", ("*@example.org", "cert-authority", authority))
        found = keygen.signed(DATA, made, kinds.BUNDLE, "x", Signers(listed))
        assert (found.key, found.identity) == (plain, "ada@example.org")


@pytest.mark.parametrize("who", ["*", "*@example.org", "!ada@example.org,*@example.org", "ad?@example.org"])
def test_a_pattern_is_nobodys_name(folder: Path, tmp_path: Path, signature: bytes, who: str) -> None:
    listed = keys.signers(tmp_path / "signers", (who, "", folder / "ada"))
    with pytest.raises(InvalidInput, match="pattern") as error:
        keygen.signed(DATA, signature, kinds.BUNDLE, "x", Signers(listed))
    assert code(error) == "FTB754"


def test_a_list_from_windows_names_the_same_people(folder: Path, tmp_path: Path, signature: bytes) -> None:
    listed = keys.signers(tmp_path / "signers", ("ada@example.org", "", folder / "ada"))
    listed.write_bytes(b"\xef\xbb\xbf" + listed.read_bytes().replace(b"\n", b"\r\n"))
    assert keygen.signed(DATA, signature, kinds.BUNDLE, "x", Signers(listed)).identity == "ada@example.org"


def test_what_ssh_keygen_said_is_told_without_its_box(folder: Path, tmp_path: Path) -> None:
    key = keys.make_key(tmp_path, "open")
    key.chmod(0o644)
    with pytest.raises(InvalidInput) as error:
        keygen.sign(DATA, key, kinds.BUNDLE)
    message = error.value.diagnostics[0].message
    assert "UNPROTECTED PRIVATE KEY FILE" in message and "@" not in message and "\r" not in message


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (b"# who left\n{ada} ada\n", "the key is revoked"),
        (b"{ada} ada\r\n", "the key is revoked"),
        (b"# who left\n\nada@example.org {bob}\n", "line 3 of the list of revoked keys is no public key"),
        (b"SHA256:JYtmrEK0WQPWE0h2jAz8w3gUnVsjXqHlG9imTIOjdEQ\n", "line 1 of the list"),
        (b"{bob}\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5\n", "line 2 of the list"),
        (b"\xef\xbb\xbf{bob}\n", "line 1 of the list"),
    ],
)
def test_a_list_of_revoked_keys_that_cannot_be_read_is_told_from_a_revoked_key(
    folder: Path, tmp_path: Path, signature: bytes, listed: bytes, words: str
) -> None:
    """ssh-keygen takes every key for revoked then, and says nothing."""
    keys_of = {name: (folder / f"{name}.pub").read_bytes().split(b" ") for name in ("ada", "bob")}
    for name, (kind, blob, *_) in keys_of.items():
        listed = listed.replace(b"{%s}" % name.encode(), kind + b" " + blob.strip())
    (tmp_path / "revoked").write_bytes(listed)
    allowed = keys.signers(tmp_path / "signers", ("ada@example.org", "", folder / "ada"))
    with pytest.raises(InvalidInput) as error:
        keygen.signed(DATA, signature, kinds.BUNDLE, "x", Signers(allowed, tmp_path / "revoked"))
    assert code(error) == "FTB754" and words in error.value.diagnostics[0].message


def test_a_signature_with_line_ends_of_windows_is_told_so(signature: bytes) -> None:
    """bitcoin-core/gitian.sigs#26, harness/harness#1662: git's autocrlf wrote the file anew."""
    with pytest.raises(InvalidInput, match="line ends of Windows") as error:
        sshsig.read(signature.replace(b"\n", b"\r\n"), "x")
    assert code(error) == "FTB751" and "autocrlf" in error.value.diagnostics[0].hint
