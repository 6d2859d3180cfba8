"""Base models of the hub: by name and commit into the store. Weights as safetensors only, and never any code."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ftbench import codes
from ftbench.data import outlines, scratch
from ftbench.data.digests import file_sha256
from ftbench.data.hub import Hub, RemoteFile
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec import outline
from ftbench.spec.model import BaseModelRef
from ftbench.spec.outline import CONFIG, Outline

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"

PLAIN_FILES = (
    CONFIG,
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "chat_template.jinja",
    "chat_template.json",
)
"""What is fetched beside the weights, where it is there: settings and tokenizer. Nothing of it is code or a pickle."""

PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.h5", "*.msgpack")
"""Weights in forms that are never loaded."""

REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

MAX_PLAIN = 256 * 2**20
"""Most bytes of a file that holds no weights."""


MAX_CONFIG = 2**20
"""Most bytes of a `config.json` that is fetched for itself."""


@dataclass(frozen=True, slots=True)
class FetchedModel:
    """A base model that is now in the store."""

    ref: BaseModelRef
    digest: str
    files: list[str]
    size: int
    """Bytes of all files."""
    licence: str
    warnings: list[Diagnostic]


def resolve(name: str, hub: Hub) -> BaseModelRef:
    """`OWNER/NAME@COMMIT` as it is, `OWNER/NAME` or another revision at the commit that it has on the hub today.

    Raises InvalidInput (FTB352) for another form, MissingResource (FTB34x) for a hub that does not answer.
    """
    repo, at, revision = name.partition("@")
    if not REPOSITORY.fullmatch(repo) or "--" in repo or len(repo) > 120 or (at and not REVISION.fullmatch(revision)):
        raise InvalidInput(
            Diagnostic(codes.MODEL_NAME, f"`{name}` names no base model: OWNER/NAME or OWNER/NAME@COMMIT is expected")
        )
    if repo.startswith("builtin/") or re.fullmatch(r"[0-9a-f]{64}", revision):
        hint = "`ftbench lock` makes built-in data; built-in models come with ftbench"
        raise InvalidInput(Diagnostic(codes.MODEL_NAME, f"`{name}` is no model of the hub", hint=hint))
    if re.fullmatch(r"[0-9a-f]{40}", revision):
        return BaseModelRef(name=repo, revision=revision)
    return BaseModelRef(name=repo, revision=hub.commit("model", repo, revision or None))


def fetch(ref: BaseModelRef, store: Store, hub: Hub, *, weights: bool = True) -> FetchedModel:
    """Get a base model at its commit into the store, and note there which model the commit is.

    Without `weights` only its outline is kept: of the weights the digests are taken from the hub, and the headers.
    Files are checked against the digests that the commit holds before any of them is used. An interrupted download
    goes on where it stopped, with the files that are whole. Raises MissingResource: FTB350 no safetensors, FTB351 a
    model that needs code of its own, FTB34x and FTB310 hub and disk.
    """
    what = f"{ref.name}@{ref.revision}"
    commit = hub.commit("model", ref.name, ref.revision)
    listed = {file.path: file for file in hub.files("model", ref.name, commit)}
    plain = [listed[path] for path in PLAIN_FILES if path in listed]
    if CONFIG not in listed:
        raise _refused(codes.NO_FILE, f"{what} has no {CONFIG}", "is it a model for transformers?")
    for file in plain:
        if file.size > MAX_PLAIN:
            raise _refused(codes.DATA_TOO_LARGE, f"{what}: {file.path} has {file.size:,} bytes", "")
    with scratch.folder(hub.scratch, f"{ref.name.replace('/', '--')}@{commit}") as folder:

        def download(files: list[RemoteFile]) -> list[Path]:
            return hub.download("model", ref.name, commit, files, folder / "files")

        download(plain)
        warnings = check_config(folder / "files", what)
        files = [*plain, *_weights(listed, what, download)]
        if weights:
            download(files)
            whole = folder / "whole"
            _only(files, folder / "files", whole)
            digest = store.put_model(whole, take=True)
        else:
            left = [file for file in files if file.sha256 is not None and file.path.endswith(".safetensors")]
            files = [file for file in files if file not in left]
            download(files)
            digest = store.put_outline(_outline(ref.name, commit, left, folder / "files", files, hub=hub))
        store.put_model_ref(ref, digest)
    size = sum(file.size for file in files)
    licence = hub.licence("model", ref.name, commit)
    return FetchedModel(ref, digest, sorted(file.path for file in files), size, licence, warnings)


def fetch_config(name: str, revision: str | None, hub: Hub) -> tuple[str, bytes]:
    """(commit, `config.json`) of a model of the hub, and nothing else of it; it goes into no store.

    `revision` null: the main branch's commit. Raises MissingResource (FTB330 where there is none, FTB34x).
    """
    commit = hub.commit("model", name, revision)
    found = [file for file in hub.files("model", name, commit) if file.path == CONFIG]
    if not found:
        raise _refused(codes.NO_FILE, f"{name}@{commit} has no {CONFIG}", "is it a model for transformers?")
    if found[0].size > MAX_CONFIG:
        raise _refused(codes.DATA_TOO_LARGE, f"{name}@{commit}: {CONFIG} has {found[0].size:,} bytes", "")
    with scratch.folder(hub.scratch, f"{name.replace('/', '--')}@{commit}-config") as folder:
        (path,) = hub.download("model", name, commit, found, folder)
        return commit, path.read_bytes()


def _weights(
    listed: dict[str, RemoteFile], what: str, download: Callable[[list[RemoteFile]], list[Path]]
) -> list[RemoteFile]:
    """The files that hold the weights: one, or those that the index names, and the index. Others, such as a second
    copy in the maker's own form, are left out."""
    if INDEX in listed:
        index = listed[INDEX]
        if index.size > MAX_PLAIN:
            raise _refused(codes.DATA_TOO_LARGE, f"{what}: {INDEX} has {index.size:,} bytes", "")
        (path,) = download([index])
        parts = sorted(set(_document(path, what).get("weight_map", {}).values()))
        if not parts or not all(
            isinstance(part, str) and re.fullmatch(r"[\w.-]+\.safetensors", part) for part in parts
        ):
            raise _refused(codes.UNREADABLE, f"{what}: {INDEX} names no safetensors files", "")
        missing = [part for part in parts if part not in listed]
        if missing:
            raise _refused(codes.NO_FILE, f"{what}: {INDEX} names `{missing[0]}`, which is not there", "")
        return [index, *(listed[part] for part in parts)]
    if WEIGHTS in listed:
        return [listed[WEIGHTS]]
    pickles = [path for path in listed if any(fnmatchcase(path, pattern) for pattern in PICKLES)]
    there = f"there is only `{pickles[0]}`, which could run code when it is loaded" if pickles else "there are none"
    raise _refused(
        codes.NO_SAFETENSORS,
        f"{what} has no weights as {WEIGHTS} or {INDEX}: {there}",
        "choose a revision or a model with safetensors; some repositories have them at another revision",
    )


def _outline(
    name: str, commit: str, left: list[RemoteFile], folder: Path, files: list[RemoteFile], *, hub: Hub
) -> Outline:
    """The outline of a model of which the files `left` stay on the hub, and the others lie in `folder`."""
    headers = {}
    for file in left:
        what = f"{file.path} of {name}@{commit}"
        try:
            size = outline.header_size(hub.beginning("model", name, commit, file.path, 8))
            headers[file.path] = hub.beginning("model", name, commit, file.path, 8 + size)[8:]
            if 8 + size + outlines.tensor_bytes(headers[file.path]) != file.size:
                raise ValueError("its tensors do not fill it")
        except ValueError as error:
            raise _refused(codes.UNREADABLE, f"{what}: {error}", "") from error
    digests = {file.path: str(file.sha256) for file in left}
    digests |= {file.path: file_sha256(folder / file.path) for file in files}
    return outlines.of_folder(folder, digests, headers)


def check_config(folder: Path, what: str) -> list[Diagnostic]:
    """Warnings for a model whose settings name code of its own but which transformers knows itself (FTB351).

    Raises MissingResource (FTB351) for one that can't be loaded without that code, FTB332 for settings that are no JSON
    object.
    """
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    config = _document(folder / CONFIG, what)
    kind = config.get("model_type")
    if kind not in CONFIG_MAPPING_NAMES:
        own = " and names code of its own, which is never run" if config.get("auto_map") else ""
        message = f"{what} is of the type {kind!r}, which the pinned transformers does not know{own}"
        raise _refused(codes.REMOTE_CODE, message, "choose a model whose type transformers has")
    found = []
    for name in (CONFIG, "tokenizer_config.json"):
        if (folder / name).is_file() and _document(folder / name, what).get("auto_map"):
            message = f"{what}: {name} names code of its own; it was not fetched, transformers' own classes are used"
            found.append(Diagnostic(codes.REMOTE_CODE, message, severity="warning"))
    return found


def _document(path: Path, what: str) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _refused(codes.UNREADABLE, f"{what}: {path.name} is not JSON: {error}", "") from error
    if not isinstance(value, dict):
        raise _refused(codes.UNREADABLE, f"{what}: {path.name} holds no JSON object", "")
    return value


def _only(files: list[RemoteFile], source: Path, target: Path) -> None:
    """Move the files, and nothing that lies beside them, into a folder of their own."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for file in files:
        (source / file.path).replace(target / file.path)


def _refused(code: str, message: str, hint: str) -> MissingResource:
    return MissingResource(Diagnostic(code, message, hint=hint))
