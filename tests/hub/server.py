"""A small Hugging Face hub on loopback: what `huggingface_hub` asks of one for commits, file lists and files.

    with HubServer() as hub:
        commit = hub.add("dataset", "owner/name", {"data/train.csv": b"…"})
        hub.fail("cut", path="data/train.csv")

Answers follow the hub's: `/api/{datasets|models}/REPO/revision/REV`, `/api/…/tree/REV`, `/REPO/resolve/REV/PATH`, with
ETag, X-Repo-Commit, X-Linked-Size, X-Linked-Etag, ranges, a redirect for large files, and X-Error-Code on failures.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = 1024
"""From this size on a file is held as the hub holds large ones: by sha256, behind a redirect."""


@dataclass
class Repository:
    """One repository: commits by their hash, `main` the last."""

    kind: str
    name: str
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    main: str = ""
    card: dict[str, Any] = field(default_factory=dict)


@dataclass
class Fault:
    """What goes wrong, `times` times (-1: always), for requests whose path contains `path`."""

    kind: str
    path: str
    times: int
    headers: dict[str, str]


class HubServer:
    """The server and its repositories. A context manager; `endpoint` is what HF_ENDPOINT must say."""

    def __init__(self) -> None:
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self.tokens: set[tuple[str, str]] = set()
        """(host, Authorization header) of what was sent with a token."""
        self.whole = False
        """Whether ranges are ignored, as a simple proxy does."""
        self.sent = 0
        """Bytes of files."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.storage = f"http://localhost:{self._server.server_address[1]}"
        """Another host for large files, as the hub's storage is: clients must not send their token there."""

    def __enter__(self) -> HubServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add(self, kind: str, name: str, files: Mapping[str, bytes], licence: str | list[str] | None = None) -> str:
        """Commit files (all that the repository then holds); returns the commit, which is main from now on."""
        repository = self.repositories.setdefault((kind, name), Repository(kind, name))
        digest = hashlib.sha1(repr((name, repository.main, sorted(files.items()))).encode()).hexdigest()
        repository.commits[digest] = dict(files)
        repository.main = digest
        repository.card = {} if licence is None else {"license": licence}
        return digest

    def drop(self, kind: str, name: str, commit: str) -> None:
        """Take a commit away, as a rewritten history does."""
        del self.repositories[kind, name].commits[commit]

    def fail(self, kind: str, path: str = "", times: int = -1, **headers: str) -> None:
        """From now on: `wrong` (other bytes), `cut` (the connection breaks in the middle of the body), `gated`,
        `forbidden`, a status such as `429` or `503`. `headers` with `_` for `-`: Retry_After="7"."""
        self.faults.append(Fault(kind, path, times, {key.replace("_", "-"): value for key, value in headers.items()}))

    def heal(self) -> None:
        """No more faults."""
        self.faults.clear()

    def fault(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets, counted."""
        for fault in self.faults:
            late = fault.kind in ("cut", "wrong") and method != "GET"
            if fault.times == 0 or fault.path not in path or late:
                continue
            fault.times -= 1
            return fault
        return None

    def asked(self, method: str, part: str) -> int:
        """How many requests there were of a method with `part` in their path."""
        return sum(one == method and part in path for one, path in self.requests)


def blob_id(data: bytes) -> str:
    """git's name for a content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _handler(hub: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def answer(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.requests.append((self.command, path))
            if self.headers.get("Authorization"):
                hub.tokens.add((self.headers["Host"].partition(":")[0], self.headers["Authorization"]))
            fault = hub.fault(self.command, path)
            if fault is not None and fault.kind not in ("cut", "wrong"):
                self.fail(fault)
            elif found := re.fullmatch(r"/api/(dataset|model)s/([^/]+/[^/]+)/(revision|tree)/([^/]+)", path):
                self.api(*found.groups())
            elif found := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
                kind = "dataset" if found[1] else "model"
                self.resolve(kind, found[2], found[3], found[4], fault)
            elif found := re.fullmatch(r"/cdn/([0-9a-f]{64})", path):
                self.large(found[1], fault)
            else:
                self.error(404, "EntryNotFound", "no such page")

        def files(self, kind: str, name: str, revision: str) -> tuple[Repository, str, dict[str, bytes]] | None:
            repository = hub.repositories.get((kind, name))
            if repository is None:
                self.error(404, "RepoNotFound", "Repository Not Found")
                return None
            commit = repository.main if revision == "main" else revision
            if commit not in repository.commits:
                self.error(404, "RevisionNotFound", "Invalid rev id")
                return None
            return repository, commit, repository.commits[commit]

        def api(self, kind: str, name: str, what: str, revision: str) -> None:
            found = self.files(kind, name, revision)
            if found is None:
                return
            repository, commit, files = found
            if what == "revision":
                siblings = [{"rfilename": path} for path in sorted(files)]
                self.json({"id": name, "sha": commit, "siblings": siblings, "cardData": repository.card, "tags": []})
                return
            folders = {"/".join(path.split("/")[:n]) for path in files for n in range(1, path.count("/") + 1)}
            entries: list[dict[str, Any]] = [
                {"type": "directory", "path": path, "oid": blob_id(path.encode()), "size": 0} for path in folders
            ]
            for path, data in files.items():
                entry: dict[str, Any] = {"type": "file", "path": path, "size": len(data), "oid": blob_id(data)}
                if len(data) >= LARGE:
                    digest = hashlib.sha256(data).hexdigest()
                    entry |= {"lfs": {"oid": digest, "size": len(data), "pointerSize": 130}, "oid": blob_id(b"pointer")}
                entries.append(entry)
            self.json(entries)

        def resolve(self, kind: str, name: str, revision: str, path: str, fault: Fault | None) -> None:
            found = self.files(kind, name, revision)
            if found is None:
                return
            _, commit, files = found
            if path not in files:
                self.error(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": commit})
                return
            data, headers = files[path], {"X-Repo-Commit": commit}
            if len(data) < LARGE:
                self.body(data, {**headers, "ETag": f'"{blob_id(data)}"'}, fault)
                return
            digest = hashlib.sha256(data).hexdigest()
            linked = {"X-Linked-Size": str(len(data)), "X-Linked-Etag": f'"{digest}"'}
            self.head(302, {**headers, **linked, "Location": f"{hub.storage}/cdn/{digest}", "Content-Length": "0"})

        def large(self, digest: str, fault: Fault | None) -> None:
            for repository in hub.repositories.values():
                for files in repository.commits.values():
                    for data in files.values():
                        if hashlib.sha256(data).hexdigest() == digest:
                            self.body(data, {"ETag": f'"{digest}"'}, fault)
                            return
            self.error(404, "EntryNotFound", "gone")

        def body(self, data: bytes, headers: dict[str, str], fault: Fault | None) -> None:
            if fault is not None and fault.kind == "wrong":
                data = bytes([data[0] ^ 1]) + data[1:]
            start, end, status = 0, len(data), 200
            if found := re.fullmatch(r"bytes=(\d+)-(\d*)", "" if hub.whole else self.headers.get("Range", "")):
                start, end, status = int(found[1]), min(int(found[2] or len(data)) + 1, len(data)), 206
                headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
            rest = data[start:end]
            self.head(status, {**headers, "Content-Length": str(len(rest)), "Accept-Ranges": "bytes"})
            if self.command == "HEAD":
                return
            if fault is not None and fault.kind == "cut":
                self.wfile.write(rest[: len(rest) // 2])
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            hub.sent += len(rest)
            self.wfile.write(rest)

        def fail(self, fault: Fault) -> None:
            if fault.kind == "gated":
                self.error(401, "GatedRepo", "Access to this repository is restricted.", fault.headers)
            elif fault.kind == "forbidden":
                self.error(403, "GatedRepo", "You are not in the authorized list.", fault.headers)
            else:
                self.error(int(fault.kind), None, "as asked for", fault.headers)

        def error(self, status: int, code: str | None, message: str, headers: dict[str, str] | None = None) -> None:
            data = json.dumps({"error": message}).encode()
            given = {"X-Error-Code": code, "X-Error-Message": message} if code else {}
            self.head(status, {**given, **(headers or {}), "Content-Length": str(len(data))})
            if self.command != "HEAD":
                self.wfile.write(data)

        def json(self, value: Any) -> None:
            data = json.dumps(value).encode()
            self.head(200, {"Content-Type": "application/json", "Content-Length": str(len(data))})
            if self.command != "HEAD":
                self.wfile.write(data)

        def head(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()

    return Handler
