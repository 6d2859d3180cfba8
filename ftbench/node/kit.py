"""At the organiser's: certificates, secret, keys and scripts of a federation, and the kit that every site gets."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from ftbench import codes
from ftbench.atomic import PRIVATE, write_file
from ftbench.diagnostics import Diagnostic, Place, printable
from ftbench.errors import InvalidInput
from ftbench.node import certificates
from ftbench.node.join import KIT
from ftbench.spec.lock import Lock
from ftbench.spec.sites import SiteLock

SECRET_BYTES = 48
CONNECTION = "federation"
ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\]):(?P<port>[0-9]{1,5})")
"""HOST:PORT, where HOST stands in certificates, in a script and in Flower's settings."""
SUPERLINK = """\
#!/bin/sh
# The SuperLink of this federation. It runs no app itself: who holds `secret` runs a run's ServerApp.
cd "$(dirname "$0")" || exit 1
exec flower-superlink --host {host} --port {port} --ssl-certfile superlink.pem --ssl-keyfile superlink.key \\
  --ssl-ca-certfile ca.pem --enable-supernode-auth --disable-runtime-dependency-installation \\
  --isolation process --superexec-auth-secret-file secret
"""
REGISTER = """\
#!/bin/sh
# Make the sites' keys known to the SuperLink, once after each of its starts.
cd "$(dirname "$0")" || exit 1
export FLWR_HOME="$PWD/flwr" FLWR_DISABLE_UPDATE_CHECK=1
for key in keys/*.pub; do
  name=$(basename "$key" .pub)
  flwr supernode register "$key" federation --name "$name" || exit 1
done
"""
RUN = """\
#!/bin/sh
# Run the benchmark: `run.sh SPEC [options of ftbench run]`. ServerApp, run folder and store are on this machine.
here=$(cd "$(dirname "$0")" && pwd) || exit 1
export FLWR_HOME="$here/flwr"
exec ftbench run "$@" --superlink federation --secret "$here/secret"
"""


def write(
    out: Path, lock: Lock, superlink: str, locks: Sequence[SiteLock], app: Mapping[str, bytes]
) -> tuple[Path, Path]:
    """Write `out/organiser` and `out/kit`; returns both. Secrets that are there stay as they are.

    `lock`, `app`: of the compiled benchmark, and its files by their paths. Raises InvalidInput (FTB518) for a
    SuperLink that is not HOST:PORT.
    """
    found = ADDRESS.fullmatch(superlink)
    if found is None or not 0 < int(found["port"]) < 2**16:
        why = f"`{printable(superlink)}` is not HOST:PORT, a name, an IPv4 address or [an IPv6 address] and a port"
        raise InvalidInput(Diagnostic(codes.NODE_FOLDER, why, Place(str(out))))
    host, port = found["host"], found["port"]
    organiser, kit = out / "organiser", out / "kit"
    organiser.mkdir(mode=0o700, parents=True, exist_ok=True)
    _certify(organiser, lock.name, host)
    for one in locks:
        (organiser / "keys").mkdir(exist_ok=True)
        write_file(organiser / "keys" / f"{one.site}.pub", one.key.encode() + b"\n")
    config = f'[superlink.{CONNECTION}]\naddress = "{superlink}"\n'
    config += f'root-certificates = "{(organiser / "ca.pem").absolute()}"\n'
    (organiser / "flwr").mkdir(exist_ok=True)
    write_file(organiser / "flwr" / "config.toml", config.encode())
    _script(organiser / "superlink.sh", SUPERLINK.format(host=_listens(host), port=port))
    _script(organiser / "register.sh", REGISTER)
    _script(organiser / "run.sh", RUN)
    shutil.rmtree(kit, ignore_errors=True)
    folder = kit / "apps" / lock.name / lock.version
    for name, data in sorted(app.items()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_file(folder / name, data)
    write_file(kit / "ca.pem", (organiser / "ca.pem").read_bytes())
    write_file(kit / KIT, f'format = "ftbench/node/v1"\nsuperlink = "{superlink}"\n'.encode())
    return organiser, kit


def _certify(organiser: Path, federation: str, host: str) -> None:
    """Certificates and secret of the SuperLink. What is there stays, but for a certificate of another name, or one
    that ends soon: a new one is by the same authority while that lasts, so that sites need nothing new."""
    certificate = organiser / "superlink.pem"
    if certificate.exists() and certificates.serves(certificate.read_bytes(), host):
        return
    there = [organiser / name for name in ("ca.pem", "ca.key", "secret")]
    known = (there[0].read_bytes(), there[1].read_bytes()) if all(path.exists() for path in there) else None
    made = certificates.make(federation, host, known)
    if known is None:
        write_file(organiser / "secret", secrets.token_urlsafe(SECRET_BYTES).encode(), PRIVATE)
    write_file(organiser / "ca.key", made.authority_key, PRIVATE)
    write_file(organiser / "superlink.key", made.superlink_key, PRIVATE)
    write_file(organiser / "ca.pem", made.authority)
    write_file(certificate, made.superlink)


def _listens(host: str) -> str:
    """The address to listen on: a name may lead to an address that is not this machine's own, as behind a router."""
    if host.startswith("["):
        return host.strip("[]")
    return host if host.replace(".", "").isdecimal() else "0.0.0.0"  # noqa: S104  (TLS, and keys for nodes)


def _script(path: Path, text: str) -> None:
    write_file(path, text.encode(), 0o755)
