"""At a site: a folder of its own with key, locked rows and salt, and the one file that it hands out."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Sequence
from pathlib import Path

from ftbench import codes
from ftbench.atomic import PRIVATE, write_file
from ftbench.compile.plan import Plan
from ftbench.data.site_rows import Locked, lock_rows
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.node import allowed
from ftbench.node.settings import FILE
from ftbench.spec.canonical import pretty
from ftbench.spec.model import SitesSource, Spec
from ftbench.spec.sites import SiteLock

KEY, ROWS, SALT = "node.key", "rows.jsonl", "rows.salt"
KIT = "kit.toml"
SITE = "site.json"
"""The site's own copy of what it handed out."""


def join(spec: Spec, site: str, files: Sequence[Path], out: Path, *, licence: str, store: Store) -> tuple[Path, Locked]:
    """Make the site's folder `out/SITE`. Returns the file that goes to the organiser, and what was locked.

    A key that is there stays; rows that are there are locked anew. Raises InvalidInput as `lock_rows` does.
    """
    folder = out / site
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = folder / KEY
    if not key.exists():
        _make_key(key, site)
    public = key.with_suffix(".key.pub").read_text(encoding="ascii").strip()
    locked = lock_rows(spec, site, files, licence=licence, key=public, store=store)
    write_file(folder / SALT, locked.salt.hex().encode() + b"\n", PRIVATE)
    write_file(folder / ROWS, locked.rows, PRIVATE)
    handed = pretty(locked.lock.model_dump(mode="json"))
    write_file(folder / SITE, handed)
    target = out / f"{site}.site.json"
    write_file(target, handed)
    return target, locked


def fit(folder: Path, kit: Path) -> list[str]:
    """Take what the organiser sent into the site's folder: certificate, apps and where the SuperLink is.

    What else the site wrote into its node.toml stays. Returns the names of the benchmarks. Raises InvalidInput: FTB514
    for an app that is not whole, FTB518 for a folder or kit that is not, FTB349 where a benchmark does not pin what
    this site locked.
    """
    mine = _own(folder)
    try:
        config = (kit / KIT).read_text(encoding="utf-8")
        certificate = (kit / "ca.pem").read_bytes()
    except OSError as error:
        message = f"this is no kit: {error.strerror}"
        raise InvalidInput(Diagnostic(codes.NODE_FOLDER, message, Place(str(error.filename)))) from error
    found = allowed.read(kit / "apps", None)
    places = {_place(one.plan, mine, one.folder) for one in found.values()}
    if len(places) != 1:
        raise InvalidInput(
            Diagnostic(codes.SITE_LOCKS, "in its benchmarks this site is not one client", Place(str(kit)))
        )
    partition, clients = places.pop()
    shutil.rmtree(folder / "apps", ignore_errors=True)
    shutil.copytree(kit / "apps", folder / "apps")
    write_file(folder / "ca.pem", certificate)
    for name in ("store", "state"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    path = folder / FILE
    own = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    found_out = {**own, **tomllib.loads(config), "partition": partition, "clients": clients}
    # Settings of a node are texts, numbers and truth values: as JSON they are TOML.
    write_file(path, "".join(f"{name} = {json.dumps(value)}\n" for name, value in found_out.items()).encode())
    return [f"{one.lock.name} {one.lock.version}" for one in found.values()]


def _own(folder: Path) -> SiteLock:
    path = folder / SITE
    try:
        return SiteLock.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        hint = "make it with `ftbench site-kit join`"
        raise InvalidInput(Diagnostic(codes.NODE_FOLDER, "this is no site's folder", Place(str(path)), hint)) from error


def _place(plan: Plan, mine: SiteLock, folder: Path) -> tuple[int, int]:
    """(client, clients) of this site in a benchmark."""
    spec, pin = plan.typed_spec(), plan.pins.partition
    source = spec.data.source
    if not isinstance(source, SitesSource) or pin is None or mine.site not in source.sites:
        message = f"this benchmark has no site `{mine.site}`"
        raise InvalidInput(Diagnostic(codes.SITE_LOCKS, message, Place(str(folder))))
    number = source.sites.index(mine.site)
    if pin.digests[number] != mine.digest:
        message = f"this benchmark pins other rows of `{mine.site}` than it locked"
        hint = "send the newest file that `ftbench site-kit join` wrote, and take the kit that is made with it"
        raise InvalidInput(Diagnostic(codes.SITE_LOCKS, message, Place(str(folder)), hint))
    return number, len(source.sites)


def _make_key(path: Path, site: str) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = ec.generate_private_key(ec.SECP384R1())
    write_file(path, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()), PRIVATE)
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    write_file(path.with_suffix(".key.pub"), public + f" {site}\n".encode())
