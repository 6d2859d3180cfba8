"""The Hugging Face hub: commits, file lists and files whose digests are checked. No script of a repository is run.

Everything goes through `huggingface_hub`, with files below the folder given (its Xet client may keep pieces of large
ones in HF_XET_CACHE as well). The token comes from HF_TOKEN only, the address from HF_ENDPOINT.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ftbench import codes
from ftbench.data.hub_errors import Retry, translate
from ftbench.diagnostics import Diagnostic, did_you_mean
from ftbench.errors import MissingResource
from ftbench.spec.sources import matches

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Kind = Literal["dataset", "model"]
T = TypeVar("T")

DEFAULT_ENDPOINT = "https://huggingface.co"
MAX_FILES = 100_000
"""Most files a repository may list."""
SPARE_BYTES = 64 * 2**20
"""Room that a download must leave on the disk."""
TIMEOUT = 60.0
"""Seconds without a byte after which a connection counts as broken."""
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a repository at a commit."""

    path: str
    size: int
    sha256: str | None
    """Digest of a large file; None for one that git itself holds."""
    blob: str
    """Git's digest: sha1 of `blob SIZE\\0` and the content; of a large file, of its pointer."""


class Hub:
    """A connection to one hub. Methods raise MissingResource: FTB340 to FTB347 and FTB330, each with what to do."""

    def __init__(
        self,
        scratch: Path,
        *,
        endpoint: str | None = None,
        sleep: Callable[[float], None] | None = None,
        tell: Callable[[str], None] = lambda text: None,
        attempts: int = 5,
    ) -> None:
        self.scratch = scratch
        self.endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
        if not self.endpoint.startswith(("https://", "http://")):
            message = f"HF_ENDPOINT is `{self.endpoint}`; an address that begins with https:// is expected"
            raise MissingResource(Diagnostic(codes.UNREACHABLE, message))
        self.tell = tell
        self._sleep = sleep or time.sleep
        self._attempts = attempts
        self._token: str | Literal[False] = os.environ.get("HF_TOKEN", "").strip() or False
        self._main: dict[tuple[Kind, str], str] = {}
        self._info: dict[tuple[Kind, str, str], Any] = {}

    def commit(self, kind: Kind, repo: str, revision: str | None = None) -> str:
        """The commit of a revision (None: the main branch), asked for once: a branch that moves meanwhile is not
        followed."""
        if revision is None and (kind, repo) in self._main:
            return self._main[kind, repo]
        info = self._ask(kind, repo, revision or "main")
        found = str(info.sha or "")
        if not COMMIT.fullmatch(found) or (COMMIT.fullmatch(revision or "") and found != revision):
            message = (
                f"{self._name(kind, repo)}: asked for {revision or 'main'}, the hub answered with commit `{found}`"
            )
            raise MissingResource(Diagnostic(codes.HUB_FAILED, message, hint="look at HF_ENDPOINT"))
        self._info[kind, repo, found] = info
        if revision is None:
            self._main[kind, repo] = found
            self.tell(f"{self._name(kind, repo)}: main is commit {found}")
        return found

    def licence(self, kind: Kind, repo: str, commit: str) -> str:
        """Licence that the repository's card states, else `unknown`."""
        data = getattr(self._ask(kind, repo, commit), "card_data", None)
        card: dict[str, Any] = data.to_dict() if data is not None else {}
        stated = card.get("license_name" if card.get("license") == "other" else "license") or card.get("license")
        found = [stated] if isinstance(stated, str) else stated if isinstance(stated, list) else []
        return " AND ".join(_spdx(str(one)) for one in found if str(one).strip()) or "unknown"

    def files(self, kind: Kind, repo: str, commit: str) -> list[RemoteFile]:
        """Every file at a commit, sorted by path."""
        from huggingface_hub.hf_api import RepoFile

        def ask() -> list[RemoteFile]:
            found = []
            entries = self._api().list_repo_tree(repo, recursive=True, revision=commit, repo_type=kind)
            for entry in entries:
                if isinstance(entry, RepoFile):
                    sha256 = entry.lfs.sha256 if entry.lfs else None
                    found.append(RemoteFile(entry.path, entry.size, sha256, entry.blob_id))
                if len(found) > MAX_FILES:
                    message = f"{self._name(kind, repo)} lists more than {MAX_FILES:,} files"
                    raise MissingResource(Diagnostic(codes.DATA_TOO_LARGE, message))
            return sorted(found, key=lambda file: file.path)

        return self._try(self._name(kind, repo, commit), ask)

    def download(self, kind: Kind, repo: str, commit: str, files: Sequence[RemoteFile], into: Path) -> list[Path]:
        """The files below the folder `into`, each with the size and digest that the repository promises.

        A file that does not have them is deleted (FTB346). Files that lie there already and have them stay.
        """
        into.mkdir(parents=True, exist_ok=True)
        missing = [file for file in files if not _whole(into / _checked(file.path), file)]
        self._make_room(sum(file.size for file in missing), into)
        for number, file in enumerate(missing, 1):
            self.tell(f"{repo}: {file.path} ({_size(file.size)}), file {number} of {len(missing)}")
            self._download(kind, repo, commit, file, into)
        return [into / file.path for file in files]

    def beginning(self, kind: Kind, repo: str, commit: str, path: str, size: int) -> bytes:
        """The first `size` bytes of a file, no more of it. They are as the hub gives them: the digest of a file says
        nothing of a part."""
        from huggingface_hub import get_session, hf_hub_url, hf_raise_for_status

        url = hf_hub_url(repo, path, repo_type=kind, revision=commit, endpoint=self.endpoint)
        headers = {"Range": f"bytes=0-{size - 1}", "Accept-Encoding": "identity"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"  # dropped where the hub sends us to another host

        def ask() -> bytes:
            found = b""
            with get_session().stream("GET", url, headers=headers, timeout=TIMEOUT) as response:
                hf_raise_for_status(response)
                for piece in response.iter_bytes():
                    found += piece
                    if len(found) >= size:  # who ignores the range sends the whole file
                        break
            if len(found) < size:
                raise OSError(f"{len(found)} bytes came instead of {size}")
            return found[:size]

        return self._try(f"{path} of {self._name(kind, repo, commit)}", ask)

    def _download(self, kind: Kind, repo: str, commit: str, file: RemoteFile, into: Path) -> None:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.utils.tqdm import disable_progress_bars

        def fetch() -> None:
            disable_progress_bars()
            hf_hub_download(
                repo,
                file.path,
                repo_type=kind,
                revision=commit,
                local_dir=into,
                cache_dir=into / ".cache" / "none",
                endpoint=self.endpoint,
                token=self._token,
            )

        path = into / file.path
        path.unlink(missing_ok=True)  # or the client would take what lies there for what it once put there
        # Another try for a broken connection: huggingface_hub has tried several times itself by then.
        self._try(f"{file.path} of {self._name(kind, repo, commit)}", fetch, attempts=min(self._attempts, 2))
        if path.is_symlink() or not _whole(path, file):
            path.unlink(missing_ok=True)
            message = (
                f"{file.path} of {self._name(kind, repo, commit)}: what came is not the file that the commit holds"
            )
            hint = "try again; if it stays so, the hub or something before it changes files: do not use it"
            raise MissingResource(Diagnostic(codes.OTHER_FILE, message, hint=hint))

    def _make_room(self, size: int, folder: Path) -> None:
        free = shutil.disk_usage(folder).free
        if size + SPARE_BYTES > free:
            message = f"a download of {_size(size)} does not fit: {_size(free)} are free at {folder}"
            hint = "make room, or name a store on another disk: --store DIR"
            raise MissingResource(Diagnostic(codes.NO_ROOM, message, hint=hint))

    def _ask(self, kind: Kind, repo: str, revision: str) -> Any:
        if (kind, repo, revision) not in self._info:
            self._info[kind, repo, revision] = self._try(
                self._name(kind, repo, revision),
                lambda: self._api().repo_info(repo, repo_type=kind, revision=revision),
            )
        return self._info[kind, repo, revision]

    def _api(self) -> HfApi:
        from huggingface_hub import HfApi
        from huggingface_hub.utils.logging import set_verbosity_error

        set_verbosity_error()  # type: ignore[no-untyped-call]  # what it warns of is told in our own words
        return HfApi(endpoint=self.endpoint, token=self._token)

    def _name(self, kind: Kind, repo: str, revision: str | None = None) -> str:
        where = f"{self.endpoint}/{'datasets/' if kind == 'dataset' else ''}{repo}"
        return f"{where} at {revision}" if revision else where

    def _try(self, what: str, call: Callable[[], T], attempts: int | None = None) -> T:
        """Call, and again after a wait where that may help. Waits are bounded: see `hub_errors.wait`."""
        for attempt in range(1, (attempts or self._attempts) + 1):
            try:
                return call()
            except MissingResource:
                raise
            except Exception as error:
                outcome = translate(error, what, attempt, bool(self._token))
                if not isinstance(outcome, Retry):
                    raise outcome from error
                if attempt == (attempts or self._attempts):
                    raise outcome.error from error
                self.tell(f"{outcome.why}; trying again in {outcome.seconds:g} s")
                self._sleep(outcome.seconds)
        raise AssertionError("unreachable")


def match(files: Sequence[RemoteFile], pattern: str, what: str) -> list[RemoteFile]:
    """The files that a path or shell pattern names; `*` and `?` do not cross a `/`. Raises MissingResource (FTB330)."""
    found = [file for file in files if matches(pattern, file.path)]
    if not found:
        hint = did_you_mean(pattern, [file.path for file in files])
        raise MissingResource(Diagnostic(codes.NO_FILE, f"{what} has no file `{pattern}`", hint=hint))
    return found


def _checked(path: str) -> str:
    """A path that stays below its folder. Raises MissingResource (FTB331)."""
    parts = PurePosixPath(path).parts
    odd = not path.isprintable() or "\\" in path or path.startswith("/") or ":" in path or ".cache" in parts
    if odd or not parts or ".." in parts or path != "/".join(parts):
        message = f"the repository lists a file under a path that is not safe: {path!r}"
        raise MissingResource(Diagnostic(codes.FILE_KIND, message))
    return path


def _whole(path: Path, file: RemoteFile) -> bool:
    """Whether a file is there with the size and digest that the repository promises."""
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    with path.open("rb") as stream:
        if file.sha256 is not None:
            return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
        git = hashlib.sha1(f"blob {file.size}\0".encode(), usedforsecurity=False)  # git's own name for a content
        while chunk := stream.read(2**20):
            git.update(chunk)
        return git.hexdigest() == file.blob


def _size(count: int) -> str:
    power = min(max(count.bit_length() - 1, 0) // 10, 3)
    return f"{count / 1024**power:.4g} {('bytes', 'KiB', 'MiB', 'GiB')[power]}"


def _spdx(name: str) -> str:
    """The hub writes SPDX names in lower case."""
    known = {"apache-2.0": "Apache-2.0", "mit": "MIT", "openrail": "OpenRAIL"}
    return known.get(name, name.upper() if name.startswith("cc") else name)
