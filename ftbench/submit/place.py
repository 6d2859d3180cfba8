"""Bringing a bundle from where a submission says that it lies: every file by its digest, within limits, into memory."""

from __future__ import annotations

import http.client
import ipaddress
import queue
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import NoReturn

from ftbench import codes
from ftbench.decisions import folder
from ftbench.decisions.documents import Submission
from ftbench.diagnostics import Diagnostic, Place, printable
from ftbench.errors import InvalidInput, MissingResource
from ftbench.result import names, safejson
from ftbench.result.documents import Manifest
from ftbench.result.files import LIMITS, Bundle, Limits
from ftbench.result.opening import open_bundle
from ftbench.signing.sshsig import MAX_BYTES as SIGNATURE_BYTES
from ftbench.spec.canonical import sha256

MANIFEST_BYTES = 2**20
SECONDS = 60
"""Longest that a server may be silent."""
PATIENCE = 600
"""Seconds that a bundle may take to come, beside those that its bytes take at RATE."""
RATE = 2**18
"""Bytes a second, of the slowest server that is waited for: one that drips holds nobody up."""
SCHEMES = ("https://", "http://")
CHUNK = 2**20
TRANSLATED = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")))
"""Addresses whose last 32 bits are one of IPv4: RFC 6052, RFC 4291 section 2.5.5.1, RFC 7915 (SIIT)."""


def is_address(argument: str) -> bool:
    """Whether an argument is an address and no path."""
    return argument.startswith(SCHEMES)


def bring(path: Path, *, adapter: bool = True, limits: Limits = LIMITS) -> Bundle:
    """The bundle of the submission in the file `path`, which lies in `results/submissions/`.

    Without `adapter` its weights stay where they are, and the bundle says so. Raises InvalidInput (FTB781) where what
    lies there is not that bundle, MissingResource (FTB782) where it cannot be reached.
    """
    told = folder.submission(path)
    if "://" in told.place:
        # Whoever writes a submission names the address, and the verifier's machine asks: nothing but public servers.
        if not told.place.startswith("https://"):
            _other(told.place, "an address begins with https://")
        return from_address(told.place, told.bundle, adapter=adapter, limits=limits, public=True)
    return _local(path.parent.parent, told, limits)


def from_address(
    address: str, digest: str | None, *, adapter: bool = True, limits: Limits = LIMITS, public: bool = False
) -> Bundle:
    """The bundle whose files lie below an address. `digest`: of its manifest; None: whatever lies there is taken.

    `public`: nothing is asked of this machine or a private network. Else where the address itself lies decides.
    """
    base, until = address.rstrip("/"), time.monotonic() + PATIENCE
    bundle = Bundle(Path(base.rpartition("/")[2] or "bundle"), limits)
    data = _get(f"{base}/{names.MANIFEST}", MANIFEST_BYTES, until, public)
    if digest is not None and sha256(data) != digest:
        _other(address, f"its manifest has sha256 {sha256(data)[:12]}…, {digest[:12]}… was handed in")
    manifest = safejson.parse_model(data, Manifest, names.MANIFEST, max_bytes=MANIFEST_BYTES)
    if bundle.admits(names.MANIFEST, len(data)):
        bundle.add(names.MANIFEST, data)
    for name, listed in sorted(manifest.files.items()):
        if name == names.ADAPTER and not adapter:
            bundle.left_out.add(name)
        elif not names.is_permitted(name):
            bundle.refuse(name, "is no file of a bundle")
        elif bundle.admits(name, listed.size):
            until += listed.size / RATE
            content = _get(f"{base}/{name}", listed.size, until, public)
            if len(content) != listed.size or sha256(content) != listed.sha256:
                _other(address, f"`{printable(name)}` is not the file that the manifest names")
            bundle.add(name, content)
    signature = _get(f"{base}/{names.SIGNATURE}", SIGNATURE_BYTES, until, public, optional=True)
    if signature and bundle.admits(names.SIGNATURE, len(signature)):
        bundle.add(names.SIGNATURE, signature)
    return bundle


def _local(root: Path, told: Submission, limits: Limits) -> Bundle:
    """What lies below `results/`, wherever the path leads: never out of it."""
    try:
        place = (root / told.place).resolve()
        if not place.is_relative_to(root.resolve()):
            _other(told.place, "a place is an address, or a path below the folder of results")
        bundle = open_bundle(place, limits)
    except (OSError, ValueError) as error:
        _other(told.place, f"this is no path: {getattr(error, 'strerror', None) or error}")
    found = sha256(bundle.files.get(names.MANIFEST, b""))
    if found != told.bundle:
        _other(told.place, f"its manifest has sha256 {found[:12]}…, {told.bundle[:12]}… was handed in")
    return bundle


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows a server to another address, and never from https to less, nor to a file of this machine."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]  # noqa: PLR0917
        if not newurl.startswith(req.full_url.partition("://")[0] + "://"):
            raise urllib.error.URLError(f"it leads to another kind of address: {newurl[:80]}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Reach(urllib.request.BaseHandler):
    """Keeps a server out there from leading to what only this machine can reach: itself, and its private networks.

    Names are looked up once more for the connection. One that leads elsewhere by then has no certificate for it.
    """

    def __init__(self, *, public: bool) -> None:
        self._inside = False if public else None

    def https_request(self, req: urllib.request.Request) -> urllib.request.Request:
        """Of every address in turn, before it is asked. Raises URLError."""
        found = private(urllib.parse.urlsplit(req.full_url).hostname or "")
        if found and self._inside is False:
            raise urllib.error.URLError("the address is of this machine or of a private network")
        if self._inside is None:
            self._inside = found
        return req

    http_request = https_request


def private(host: str) -> bool:
    """Whether a name or address is of this machine, a private network or none that the internet has."""
    try:
        found = {str(place[4][0]).partition("%")[0] for place in socket.getaddrinfo(host, None)}
    except OSError:
        return False  # behind a proxy names need not be known here; whoever connects says that there is no such host
    return not all(_on_the_internet(ipaddress.ip_address(one)) for one in found)


def _on_the_internet(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether packets to an address leave for the internet, by every IPv4 address that it stands for: a gateway that
    translates carries them to that one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if any(address in network for network in TRANSLATED):
            inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.is_site_local or not all(_on_the_internet(one) for one in inner if one is not None):
            return False
        if address.ipv4_mapped is not None:
            return True
    return address.is_global and not address.is_multicast


def _get(address: str, most: int, until: float, public: bool, *, optional: bool = False) -> bytes:
    """What lies at an address, never more than `most` bytes, by that moment of the monotonic clock. Empty where it is
    optional and not there."""
    came: queue.Queue[bytes | Exception] = queue.Queue()
    threading.Thread(target=_ask, args=(address, most, public, came), daemon=True).start()
    try:
        # Whatever it is that the server draws out, headers too, it draws out in its own thread.
        data = came.get(timeout=max(until - time.monotonic(), 0))
        if isinstance(data, Exception):
            raise data
    except queue.Empty:
        _away(address, "it does not come in the time that a bundle is given")
    except urllib.error.HTTPError as error:
        if optional and error.code in (403, 404, 410):
            return b""
        _away(address, f"the server answers {error.code}")
    except (OSError, http.client.HTTPException, ValueError) as error:
        _away(address, str(getattr(error, "reason", error)) or type(error).__name__)
    if len(data) > most:
        _other(address, f"there are more than the {most} bytes that may lie there")
    return data


def _ask(address: str, most: int, public: bool, came: queue.Queue[bytes | Exception]) -> None:
    """Put into `came` what lies at an address, of which no more than `most` bytes and one are read; or what went
    wrong."""
    quoted = urllib.parse.quote(address, safe=":/?&=%@+,;~[]")
    try:
        request = urllib.request.Request(quoted, headers={"User-Agent": "ftbench"})  # noqa: S310 - `is_address` holds it
        with urllib.request.build_opener(_Stay, _Reach(public=public)).open(request, timeout=SECONDS) as answer:
            parts, left = [], most + 1
            while left and (part := answer.read(min(CHUNK, left))):
                parts.append(part)
                left -= len(part)
        came.put(b"".join(parts))
    except Exception as error:
        came.put(error)


def _other(place: str, message: str) -> NoReturn:
    raise InvalidInput(Diagnostic(codes.OTHER_BUNDLE, message, Place(printable(place))))


def _away(place: str, message: str) -> NoReturn:
    raise MissingResource(Diagnostic(codes.UNREACHED_BUNDLE, printable(message)[:300], Place(printable(place))))
