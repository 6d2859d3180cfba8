"""A site joins, a federation opens, a node is fitted: the commands in this process, without a network."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sites_world import Sites

from ftbench import codes
from ftbench.cli.main import run
from ftbench.diagnostics import Diagnostic
from ftbench.errors import FtbenchError, InvalidInput, MissingResource
from ftbench.node import allowed, box, certificates, join, settings
from ftbench.node.serve import Server

ROWS = [{"question": f"Where is herb {number}?", "answer": f"jar {number % 4}"} for number in range(12)]


@pytest.fixture(autouse=True)
def tokens(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where a test is about them are rows counted in tokens, which takes a process with transformers."""
    if "counted" not in request.node.name:
        monkeypatch.setattr("ftbench.cli.site_kit._learnt", lambda *_: None)


@pytest.fixture
def made(tmp_path: Path) -> Sites:
    return Sites(tmp_path, 2)


def joined(made: Sites, name: str, rows: list[dict[str, Any]], *more: str) -> Path:
    own = made.folder / f"{name}.jsonl"
    own.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["site-kit", "join", str(made.spec), "--site", name, "--rows", str(own), "--out", str(made.folder)]
    assert run([*words, *more]) == 0
    return made.folder / f"{name}.site.json"


def opened(made: Sites, *locks: Path, host: str = "fed.example.org") -> int:
    words = ["site-kit", "open", str(made.spec), *map(str, locks), "--superlink", f"{host}:9092"]
    return run([*words, "--out", str(made.folder)])


@pytest.fixture
def both(made: Sites) -> Sites:
    assert opened(made, joined(made, "clinic-0", ROWS[:5]), joined(made, "clinic-1", ROWS[5:])) == 0
    return made


def test_what_leaves_a_site_holds_counts_and_no_text(made: Sites) -> None:
    rows = [*ROWS, ROWS[0], {"question": "What?", "answer": " "}]
    handed = json.loads(joined(made, "clinic-0", rows).read_bytes())
    assert handed["counts"] == {
        "read": 14,
        "rows": 12,
        "left_out": {"repeated": 1, "empty-answer": 1},
        "in_tests": 0,
    }
    assert "herb" not in json.dumps(handed)
    home = made.folder / "clinic-0"
    for secret in ("node.key", "rows.jsonl", "rows.salt"):
        assert stat.S_IMODE((home / secret).stat().st_mode) == 0o600


def test_a_site_without_the_model_joins_and_is_told_that_nothing_was_counted(
    made: Sites, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise MissingResource(Diagnostic(codes.PACKAGE_MISSING, "package transformers is not installed"))

    monkeypatch.setattr("ftbench.run.evaluation.trial.try_tokenizer", none)
    joined(made, "clinic-0", ROWS)
    came = capsys.readouterr()
    assert "not counted in tokens" in came.out and "transformers" in came.err


def test_rows_that_are_not_there_leave_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["site-kit", "join", "micro/apothecaries", "--site", "north", "--rows", str(tmp_path / "no.jsonl")]
    assert run([*words, "--out", str(tmp_path)]) == 3
    assert "FTB912" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_rows_are_counted_in_tokens_for_the_site_alone(made: Sites, capsys: pytest.CaptureFixture[str]) -> None:
    """Too long ones would be left out in the first round, where nobody looks at the site's log."""
    long = {"question": "Where? " * 400, "answer": "jar 1"}
    handed = joined(made, "clinic-0", [*ROWS, long], "--json")
    told = json.loads(capsys.readouterr().out)["joined"]["learnt"]
    assert told["left_out"] == {"longer than training.sequence_length": 1}
    assert told["clients"] == [{"held": 13, "looked": 13, "used": 12}]
    assert "longer" not in handed.read_text()


def test_a_guess_of_the_rows_is_not_borne_out_by_the_digest(made: Sites) -> None:
    first = json.loads(joined(made, "clinic-0", ROWS).read_bytes())["digest"]
    assert json.loads(joined(made, "clinic-0", ROWS).read_bytes())["digest"] != first


def test_the_sites_are_the_partition(both: Sites) -> None:
    pins = json.loads((both.folder / "specs" / "clinics.pins.json").read_bytes())
    assert pins["partition"]["sizes"] == [5, 7]
    locks = [json.loads((both.folder / f"clinic-{k}.site.json").read_bytes()) for k in range(2)]
    assert pins["partition"]["digests"] == [lock["digest"] for lock in locks]
    assert pins["sources"]["train"]["sites"]["clinic-1"]["rows"] == 7
    assert run(["validate", str(both.spec)]) == 0
    assert run(["lock", str(both.spec), "--check"]) == 0
    assert run(["estimate", str(both.spec)]) == 0


def test_rows_that_are_at_their_sites_are_asked_for_by_name(both: Sites, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", str(both.spec), "--engine", "inline", "--out", str(both.folder / "runs")]) != 0
    assert codes.SITE_ROWS in capsys.readouterr().err


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda made: [made[0]], "`clinic-1` is missing"),
        (lambda made: [made[0], made[1], made[1]], "`clinic-1` is there more than once"),
        (lambda made: [made[0], _changed(made[1], site="clinic-9")], "no site `clinic-9`"),
        (lambda made: [made[0], _changed(made[1], inputs="0" * 64)], "for another source, columns or templates"),
        (lambda made: [made[0], _changed(made[1], key=json.loads(made[0].read_bytes())["key"])], "have one key"),
        (lambda made: [made[0], _changed(made[1], rows=["a row"])], "nothing that a site hands out"),
    ],
)
def test_a_federation_that_cannot_be_is_not_opened(
    made: Sites, harm: Any, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    locks = [joined(made, "clinic-0", ROWS[:5]), joined(made, "clinic-1", ROWS[5:])]
    assert opened(made, *harm(locks)) == InvalidInput.exit_code
    told = capsys.readouterr().err
    assert codes.SITE_LOCKS in told
    assert why in told.replace("\n", " ")
    assert not (made.folder / "kit").exists()


def _changed(path: Path, **fields: Any) -> Path:
    target = path.with_name("changed.json")
    target.write_text(json.dumps({**json.loads(path.read_bytes()), **fields}))
    return target


def test_the_kit_holds_nothing_secret_and_the_certificate_names_the_superlink(both: Sites) -> None:
    kit = both.folder / "kit"
    assert sorted(path.name for path in kit.iterdir()) == ["apps", "ca.pem", "kit.toml"]
    assert not [path for path in kit.rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    found = x509.load_pem_x509_certificate((both.folder / "organiser" / "superlink.pem").read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "fed.example.org" in names.get_values_for_type(x509.DNSName)
    for secret in ("ca.key", "superlink.key", "secret"):
        assert stat.S_IMODE((both.folder / "organiser" / secret).stat().st_mode) == 0o600


def secrets_of(made: Sites) -> dict[str, bytes]:
    return {name: (made.folder / "organiser" / name).read_bytes() for name in ("secret", "ca.pem", "superlink.pem")}


def test_a_kit_that_is_made_again_keeps_certificates_and_secret(both: Sites) -> None:
    before = secrets_of(both)
    assert opened(both, joined(both, "clinic-0", ROWS[:4]), both.folder / "clinic-1.site.json") == 0
    assert secrets_of(both) == before


@pytest.mark.parametrize("why", ["another name", "ends soon"])
def test_a_certificate_that_serves_no_longer_is_made_anew(
    both: Sites, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the authority that the sites have already."""
    before = secrets_of(both)
    if why == "ends soon":
        monkeypatch.setattr(certificates, "LEFT", timedelta(days=certificates.DAYS))
    host = "other.example.org" if why == "another name" else "fed.example.org"
    assert opened(both, *(both.folder / f"clinic-{k}.site.json" for k in range(2)), host=host) == 0
    after = secrets_of(both)
    assert {name for name in before if before[name] != after[name]} == {"superlink.pem"}
    authority, made = (x509.load_pem_x509_certificate(after[name]) for name in ("ca.pem", "superlink.pem"))
    made.verify_directly_issued_by(authority)
    key = load_pem_private_key((both.folder / "organiser" / "superlink.key").read_bytes(), None)
    assert made.public_key() == key.public_key()


def test_certificates_stand_up_to_strict_readers(both: Sites, tmp_path: Path) -> None:
    """RFC 5280: what a key is for is said; the authority outlives what it signs."""
    made = secrets_of(both)
    (tmp_path / "ca.pem").write_bytes(made["ca.pem"])
    (tmp_path / "superlink.pem").write_bytes(made["superlink.pem"])
    words = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "fed.example.org"]
    words += ["-CAfile", "ca.pem", "superlink.pem"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    authority, superlink = (x509.load_pem_x509_certificate(made[name]) for name in ("ca.pem", "superlink.pem"))
    assert authority.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert not superlink.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert superlink.not_valid_after_utc < authority.not_valid_after_utc - timedelta(days=365)


@pytest.mark.parametrize("host", ["$(id)", "a b", 'a"', "münchen.example", "-o", "a`id`", "::1"])
def test_a_superlink_whose_name_is_none(made: Sites, host: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It stands in a certificate, in a script and in Flower's settings."""
    locks = [joined(made, "clinic-0", ROWS[:5]), joined(made, "clinic-1", ROWS[5:])]
    assert opened(made, *locks, host=host) == InvalidInput.exit_code
    assert codes.NODE_FOLDER in capsys.readouterr().err


@pytest.mark.parametrize(("host", "listens"), [("[::1]", "::1"), ("10.0.0.7", "10.0.0.7"), ("fed.org", "0.0.0.0")])
def test_where_the_superlink_listens(made: Sites, host: str, listens: str) -> None:
    locks = [joined(made, "clinic-0", ROWS[:5]), joined(made, "clinic-1", ROWS[5:])]
    assert opened(made, *locks, host=host) == 0
    assert f"--host {listens} --port 9092" in (made.folder / "organiser" / "superlink.sh").read_text()


def test_a_fitted_node_runs_the_kits_app_and_no_other(both: Sites, capsys: pytest.CaptureFixture[str]) -> None:
    home = both.folder / "clinic-1"
    assert run(["node", str(home), "--kit", str(both.folder / "kit"), "--look", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["partition"], told["clients"], told["sealed"]) == (1, 2, True)
    (app,) = told["apps"]
    lock = json.loads(next((both.folder / "kit").rglob("ftbench.lock")).read_bytes())
    assert app["fab_hash"] == lock["fab_hash"]


def test_rows_locked_again_do_not_fit_an_old_kit(both: Sites) -> None:
    joined(both, "clinic-1", ROWS[5:])
    with pytest.raises(InvalidInput, match="pins other rows of `clinic-1`"):
        join.fit(both.folder / "clinic-1", both.folder / "kit")


@pytest.mark.parametrize("name", ["app/ftbench_app/client_app.py", "app/ftbench_app/plan.json", "ftbench.lock"])
def test_an_app_that_was_changed_is_not_run(both: Sites, name: str) -> None:
    app = next((both.folder / "kit").rglob("ftbench.lock")).parent
    path = app / name
    path.write_bytes(path.read_bytes().replace(b'"', b"'", 1) if path.suffix != ".py" else path.read_bytes() + b"\n")
    with pytest.raises(InvalidInput) as refused:
        allowed.read(both.folder / "kit" / "apps", None)
    assert refused.value.diagnostics[0].code == codes.APP_REFUSED


def test_a_file_more_is_not_run(both: Sites) -> None:
    app = next((both.folder / "kit").rglob("ftbench.lock")).parent
    (app / "app" / "ftbench_app" / "more.py").write_text("import os\n")
    with pytest.raises(InvalidInput, match=r"more\.py is not the file that its lock names"):
        allowed.read(both.folder / "kit" / "apps", None)


def test_a_site_that_asks_for_signatures_gets_them(both: Sites) -> None:
    apps = both.folder / "kit" / "apps"
    lock = next(apps.rglob("ftbench.lock"))
    for who in ("organiser", "stranger"):
        key = both.folder / who / "signing" if who == "organiser" else both.folder / "stranger-key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", who, "-f", str(key)], check=True)
    signers = both.folder / "allowed_signers"
    public = (both.folder / "organiser" / "signing.pub").read_text()
    signers.write_text(f"organiser@example.org {public}")
    with pytest.raises(InvalidInput, match="has no signature"):
        allowed.read(apps, signers)
    assert run(["sign", str(lock), "--key", str(both.folder / "stranger-key")]) == 0
    with pytest.raises(FtbenchError) as unknown:
        allowed.read(apps, signers)
    assert unknown.value.diagnostics[0].code == codes.UNKNOWN_SIGNER
    assert run(["sign", str(lock), "--key", str(both.folder / "organiser" / "signing")]) == 0
    (found,) = allowed.read(apps, signers).values()
    assert found.signer == "organiser@example.org"


def test_an_app_is_sealed_or_not_run(both: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    home = both.folder / "clinic-0"
    join.fit(home, both.folder / "kit")
    monkeypatch.setattr(box, "why_not", lambda: "there is no bubblewrap")
    with pytest.raises(FtbenchError) as refused:
        Server(settings.read(home), lambda _: None)
    assert refused.value.diagnostics[0].code == codes.NOT_SEALED
    (home / settings.FILE).write_text((home / settings.FILE).read_text() + "sealed = false\n")
    Server(settings.read(home), lambda _: None).end()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("superlink = 'nowhere'\npartition = 0\nclients = 2", "superlink"),
        ("superlink = 'a:1'\nclients = 2", "partition"),
        ("superlink = 'a:1'\npartition = 0\nclients = 2\nshell = true", "shell"),
        ("superlink = ", "no TOML"),
    ],
)
def test_a_node_config_that_cannot_be(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / settings.FILE).write_text(text)
    with pytest.raises(InvalidInput, match=why) as refused:
        settings.read(tmp_path)
    assert refused.value.diagnostics[0].code == codes.NODE_FOLDER


def test_no_folder_and_no_kit(tmp_path: Path, both: Sites) -> None:
    for call in (lambda: settings.read(tmp_path / "none"), lambda: join.fit(both.folder / "clinic-0", tmp_path)):
        with pytest.raises(InvalidInput) as refused:
            call()
        assert refused.value.diagnostics[0].code == codes.NODE_FOLDER
    shutil.rmtree(both.folder / "kit" / "apps")
    with pytest.raises(InvalidInput, match="no compiled benchmark"):
        allowed.read(both.folder / "kit" / "apps", None)
