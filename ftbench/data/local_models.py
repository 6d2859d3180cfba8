"""Base models of one's own: a folder as transformers saves it, or a GGUF file, into the store under its digest.

`OWNER/NAME@DIGEST` is what entries and specs call it: the digest of its files, never a commit, so that it can't be
taken for the hub's model of that name. What came out of a GGUF file says so in its `config.json`, which is part of the
digest and of the outline that bundles carry.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftbench import codes
from ftbench.data import outlines, scratch
from ftbench.data.base_models import INDEX, PLAIN_FILES, REPOSITORY, WEIGHTS, check_config
from ftbench.data.digests import file_sha256, model_files
from ftbench.data.formats.base import FETCH, is_pointer
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.model import BaseModelRef
from ftbench.spec.outline import CONFIG, header_size

MARK = "ftbench_dequantised"
"""Key of `config.json` under which a model from a GGUF file names that file's digest."""


@dataclass(frozen=True, slots=True)
class AddedModel:
    """A local model that is now in the store."""

    ref: BaseModelRef
    files: list[str]
    size: int
    """Bytes of all files."""
    warnings: list[Diagnostic]


def add(path: Path, name: str, store: Store, *, weights: bool = True) -> AddedModel:
    """Take the model in a folder, or in a GGUF file, as `name`; the name is kept beside its digest. Without `weights`
    only what a verifier needs of it is kept.

    Raises InvalidInput: FTB352 for another form of name, FTB315 for what is no model that could be trained. FTB350 for
    weights that are no safetensors, FTB351 for a model that needs code of its own, FTB332 for broken files.
    """
    if not REPOSITORY.fullmatch(name) or "--" in name or len(name) > 120 or name.startswith("builtin/"):
        message = f"`{name}` is no name for a model: OWNER/NAME is expected, and `builtin/` is ftbench's own"
        raise InvalidInput(Diagnostic(codes.MODEL_NAME, message, hint="for example `--name my-lab/clauses-1b`"))
    if not path.exists():
        raise _refused(
            "there is no such folder or file", path, "a folder as `save_pretrained` writes it, or a .gguf file"
        )
    with scratch.folder(store.scratch()) as folder:
        whole = folder / "whole"
        whole.mkdir()
        if path.is_dir():
            _copy(path, whole)
        else:
            _dequantise(path, whole)
        what = f"{name} ({path})"
        warnings = check_config(whole, what)
        _check_weights(whole, path)
        _check_tokenizer(whole, path)
        files = sorted(one.name for one in whole.iterdir())
        size = sum(one.stat().st_size for one in whole.iterdir())
        if weights:
            digest = store.put_model(whole, take=True)
        else:
            digest = store.put_outline(outlines.of_folder(whole, model_files(whole)))
    ref = BaseModelRef(name=name, revision=digest)
    store.put_model_ref(ref, digest)
    return AddedModel(ref, files, size, warnings)


def _copy(path: Path, target: Path) -> None:
    """Settings, tokenizer and weights, and nothing else that lies there. Raises FTB315, FTB350."""
    if not (path / CONFIG).is_file():
        ggufs = sorted(one.name for one in path.glob("*.gguf"))
        hint = f"name the file itself: --model {path / ggufs[0]}" if ggufs else "is it a model for transformers?"
        raise _refused(f"the folder has no {CONFIG}", path, hint)
    names = [one for one in PLAIN_FILES if (path / one).is_file()]
    if (path / INDEX).is_file():
        parts = sorted(set(_json(path / INDEX).get("weight_map", {}).values()))
        if not parts or not all(isinstance(one, str) and re.fullmatch(r"[\w.-]+\.safetensors", one) for one in parts):
            raise _refused("names no safetensors files", path / INDEX, "save the model again")
        weights = [INDEX, *parts]
    else:
        weights = [WEIGHTS]
    missing = [one for one in weights if not (path / one).is_file()]
    if missing:
        other = sorted(one.name for one in path.iterdir() if one.suffix in (".bin", ".pt", ".pth", ".ckpt", ".h5"))
        there = f"; `{other[0]}` could run code when it is loaded, and is never read" if other else ""
        message = f"{path} has no `{missing[0]}`{there}"
        hint = "write it with transformers: model.save_pretrained(DIR, safe_serialization=True)"
        raise MissingResource(Diagnostic(codes.NO_SAFETENSORS, message, hint=hint))
    for one in [*names, *weights]:
        if (path / one).is_symlink() and not (path / one).resolve().is_file():
            raise _refused("a link that leads to nothing", path / one, "")
        shutil.copyfile(path / one, target / one)


def _dequantise(path: Path, target: Path) -> None:
    """What transformers' own reader makes of a GGUF file: weights in bfloat16, settings, tokenizer, and the mark."""
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            if is_pointer(path):
                raise _refused("it is a pointer of Git LFS, not the file itself", path, FETCH)
            raise _refused("this is no GGUF file, nor a folder", path, "a folder with config.json, or a .gguf file")
    try:
        import gguf  # noqa: F401 - transformers looks for it
    except ModuleNotFoundError as error:
        message = "the package `gguf` is not installed, with which transformers reads GGUF files"
        raise MissingResource(Diagnostic(codes.NO_PACKAGE, message, hint="pip install 'ftbench[gguf]'")) from error
    if not sys.stderr.isatty():  # its bar is drawn by tqdm itself, which knows nothing of terminals
        os.environ.setdefault("TQDM_DISABLE", "1")
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    digest = file_sha256(path)
    plain = transformers.GgufConfig(dequantize=True)  # else its blocks stay packed and cannot be saved
    where: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(path.parent), **where)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            str(path.parent), dtype=torch.bfloat16, quantization_config=plain, **where
        )
    except Exception as error:  # of a file that is not to be trusted, read by packages that raise what they like
        message = f"transformers cannot read this GGUF file: {' '.join(str(error).split())[:300]}"
        raise _refused(
            message, path, "its architecture or coding may be one that transformers does not have"
        ) from error
    model.save_pretrained(target, max_shard_size="100GB")
    tokenizer.save_pretrained(target)
    for one in list(target.iterdir()):
        if one.name not in (*PLAIN_FILES, WEIGHTS):
            one.unlink()
    settings = _json(target / CONFIG)
    settings[MARK] = {"format": "gguf", "sha256": digest, "by": f"transformers {transformers.__version__}"}
    for gone in ("_name_or_path", "quantization_config"):
        settings.pop(gone, None)
    (target / CONFIG).write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")


def _check_weights(folder: Path, path: Path) -> None:
    """Headers of the safetensors files that fit their sizes. Raises FTB332."""
    for one in sorted(folder.glob("*.safetensors")):
        if is_pointer(one):
            raise _refused("it is a pointer of Git LFS, not the file itself", path / one.name, FETCH)
        try:
            header = outlines.header(one)
            with one.open("rb") as file:
                expected = 8 + header_size(file.read(8)) + outlines.tensor_bytes(header)
            if expected != one.stat().st_size:
                raise ValueError(f"its header asks for {expected:,} bytes, it has {one.stat().st_size:,}")
        except ValueError as error:
            message = f"this is no whole safetensors file: {error}"
            raise MissingResource(Diagnostic(codes.UNREADABLE, message, Place(str(path / one.name)))) from error


def _check_tokenizer(folder: Path, path: Path) -> None:
    """A tokenizer and settings that transformers loads. Raises FTB315."""
    from transformers import AutoConfig, AutoTokenizer

    quiet = {"local_files_only": True, "trust_remote_code": False}
    try:
        AutoConfig.from_pretrained(str(folder), **quiet)
        tokenizer = AutoTokenizer.from_pretrained(str(folder), **quiet)
        if not tokenizer.encode("What is asked?", add_special_tokens=False):
            raise ValueError("it makes no tokens of a sentence")
    except Exception as error:  # `tokenizers` raises no narrower one
        message = f"its tokenizer or settings cannot be read: {' '.join(str(error).split())[:200]}"
        raise _refused(message, path, "tokenizer.save_pretrained(DIR) writes what is missing") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise MissingResource(Diagnostic(codes.UNREADABLE, f"this is not JSON: {error}", Place(str(path)))) from error
    if not isinstance(value, dict):
        raise MissingResource(Diagnostic(codes.UNREADABLE, "this holds no JSON object", Place(str(path))))
    return value


def _refused(message: str, path: Path, hint: str) -> InvalidInput:
    return InvalidInput(Diagnostic(codes.NO_LOCAL_MODEL, message, Place(str(path)), hint))
