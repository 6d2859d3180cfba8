"""Rows of a data set on the hub: files at a commit → rows."""

from __future__ import annotations

from collections.abc import Sequence

from ftbench import codes
from ftbench.data import normalise, scratch
from ftbench.data.formats.base import DataFile
from ftbench.data.hub import Hub, RemoteFile, match
from ftbench.data.loaded import Loaded, describe
from ftbench.data.shaping import check_files, shape
from ftbench.diagnostics import Diagnostic
from ftbench.errors import MissingResource
from ftbench.spec.model import HubSource


def load(source: HubSource, hub: Hub, revision: str | None = None) -> Loaded:
    """Rows of `source` at `revision` (None: the source's own commit, else that of the main branch).

    Files come into a private folder, are checked there and read from there; the folder is removed whatever happens.
    Raises MissingResource for what the hub does not give (FTB34x, FTB330) or gives otherwise than promised (FTB346,
    FTB332 unreadable, FTB335 too large), InvalidInput for a source that can't be loaded (FTB331, FTB333, FTB334,
    FTB337, FTB339).
    """
    normalise.get(source.normalise)  # before anything is fetched
    commit = hub.commit("dataset", source.repo, revision or source.revision)
    what = describe(source, commit)
    chosen = choose(source, hub.files("dataset", source.repo, commit), what)
    licence = hub.licence("dataset", source.repo, commit)
    with scratch.folder(hub.scratch) as folder:
        paths = hub.download("dataset", source.repo, commit, chosen, folder / "files")
        names = [f"{source.repo}@{commit[:12]}/{file.path}" for file in chosen]
        files = [DataFile(path, name) for path, name in zip(paths, names, strict=True)]
        return Loaded(shape(source, files, what), licence, commit)


def choose(source: HubSource, files: Sequence[RemoteFile], what: str) -> list[RemoteFile]:
    """The files that the source names, each once, in its order. Raises FTB330, FTB331, FTB335 and FTB346."""
    found = list(dict.fromkeys(file for pattern in source.files for file in match(files, pattern, what)))
    check_files(source, {file.path: file.size for file in found}, what)
    if source.sha256 is not None and found[0].sha256 not in (None, source.sha256):
        message = f"{what}: `{found[0].path}` has sha256 {found[0].sha256}, the spec says {source.sha256}"
        raise MissingResource(Diagnostic(codes.OTHER_FILE, message, hint="nothing of it was used"))
    return found
