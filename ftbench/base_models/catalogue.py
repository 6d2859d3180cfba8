"""The catalogue of base models: facts of their architecture, each with its source. No weights, no network."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from ftbench import builtin, codes
from ftbench.base_models import hub_config
from ftbench.base_models.architecture import Architecture
from ftbench.diagnostics import Diagnostic, Place, did_you_mean
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec import yaml
from ftbench.spec.primitives import Block

FOLDER = Path(__file__).resolve().parent / "data"
"""One file an architecture; a pair of instruct and non-instruct shares it."""

Fact = Literal["architecture", "parameters", "variant", "licence", "context", "revision"]
UNCHECKED = "not yet checked against the hub"
"""Stands in the source of every fact that was not read from the hub itself."""


class Variant(Block):
    """One model of an architecture, as the catalogue's files hold it."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """Repository on the hub."""
    variant: Literal["instruct", "non-instruct"]
    """Whether it was tuned to follow instructions."""
    pair: str | None
    """The other variant of the same architecture and size; null where the publisher gives none."""
    licence: str
    """SPDX expression; `LicenseRef-…` with the hub's own tag where SPDX has none."""
    context: Annotated[int, Field(ge=1)]
    """Most positions; the variants of a pair may differ in it."""
    parameters: Annotated[int, Field(ge=1)]
    """Number of parameters, a tied head counted once."""
    held: Annotated[int, Field(ge=1)] | None = None
    """Elements of the hub's files, where they hold a tied head again; null: as many as parameters."""
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None
    """A commit of the repository, where one is known."""
    sources: dict[Fact, str]
    """Where each fact is from, and whether it was checked."""


class Family(Block):
    """A file of the catalogue: an architecture and the models that have it."""

    architecture: dict[str, str | int | bool]
    """Fields of `Architecture` but `context`, which each model states."""
    stored: Literal["bfloat16", "float16", "float32"]
    """Element type of the weights on the hub."""
    models: Annotated[list[Variant], Field(min_length=1)]
    """The models."""


class BaseModel(Block):
    """A base model of the catalogue."""

    name: str
    """Repository on the hub, or `builtin/NAME`, or the path of a config.json."""
    variant: Literal["instruct", "non-instruct"] | None
    """Whether it was tuned to follow instructions; null where nobody said."""
    pair: str | None
    """The other variant, where there is one."""
    licence: str | None
    """SPDX expression, where it is known."""
    parameters: int
    """Number of parameters, a tied head counted once."""
    held: int | None = None
    """Elements of the stored weights, where they hold a tied head again; null: as many as parameters."""
    revision: str | None
    """A commit of the repository (for a built-in model the digest of its files), where one is known."""
    stored: Literal["bfloat16", "float16", "float32"]
    """Element type of the stored weights."""
    packed: bool = False
    """Whether the weights are stored quantised, so that nobody can count their parameters."""
    architecture: Architecture
    """Its shape."""
    sources: dict[Fact, str]
    """Where each fact is from, and whether it was checked."""

    @property
    def download_bytes(self) -> int:
        """Bytes of the weights as stored, without the tokenizer and the files' headers."""
        return (self.held or self.parameters) * (4 if self.stored == "float32" else 2)


@cache
def models() -> dict[str, BaseModel]:
    """Every model of the catalogue by name, smallest first."""
    found = [model for path in sorted(FOLDER.glob("*.yaml")) for model in _family(path)]
    return {model.name: model for model in sorted(found, key=lambda m: (m.parameters, m.name))}


def find_base_model(name: str, revision: str | None = None) -> BaseModel:
    """The model called `name`: of the catalogue, `builtin/NAME`, or the path of a config.json or its folder.

    A name of the catalogue may be given without its publisher and in any case. `revision` tells built-in models
    apart. Raises InvalidInput (FTB801, FTB802) with the nearest name, MissingResource (FTB805).
    """
    known = models()
    if name in known:
        return known[name]
    folded = {alias: model for full, model in known.items() for alias in (full.casefold(), _short(full))}
    if name.casefold() in folded:
        return folded[name.casefold()]
    if name.startswith("builtin/"):
        return _builtin(name, revision)
    path = Path(name)
    if path.is_dir():
        path = path / "config.json"
    if path.name.endswith(".json") and path.is_file():
        return _local(str(path), path, None)
    if path.suffix == ".json":
        message = f"there is no file {path}"
        raise InvalidInput(Diagnostic(codes.NO_SUCH_MODEL, message, hint="give the path of a model's config.json"))
    near = did_you_mean(name.casefold(), folded)
    if near:
        near = f"did you mean `{folded[near.split('`')[1]].name}`?"
    hint = near or "`ftbench models` lists what is known; the path of a config.json works too"
    raise InvalidInput(Diagnostic(codes.NO_SUCH_MODEL, f"the catalogue has no base model `{name}`", hint=hint))


def _short(name: str) -> str:
    return name.rpartition("/")[2].casefold()


def _family(path: Path) -> list[BaseModel]:
    try:
        family = Family.model_validate(yaml.read(path).value)
        return [
            BaseModel(
                name=model.name,
                variant=model.variant,
                pair=model.pair,
                licence=model.licence,
                parameters=model.parameters,
                held=model.held,
                revision=model.revision,
                stored=family.stored,
                architecture=Architecture.model_validate({**family.architecture, "context": model.context}),
                sources=model.sources,
            )
            for model in family.models
        ]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = f"a file of the catalogue is damaged: {where}: {first['msg']}"
        raise InvalidInput(
            Diagnostic(codes.BAD_MODEL_FACTS, message, Place(str(path)), "install ftbench again")
        ) from None


def _builtin(name: str, revision: str | None) -> BaseModel:
    folder = builtin.store() / "models"
    found = sorted(folder.glob(f"{revision or '*'}/config.json"))
    if not found:
        what = f" with the digest {revision}" if revision else ""
        hint = "install ftbench again: the built-in store lies beside its code"
        raise MissingResource(Diagnostic(codes.NO_MODEL_CONFIG, f"`{name}`{what} is not in {folder}", hint=hint))
    return _local(name, found[0], found[0].parent.name)


def _local(name: str, path: Path, revision: str | None) -> BaseModel:
    return described(name, revision, hub_config.parse(path.read_bytes(), str(path)), str(path))


def described(name: str, revision: str | None, settings: hub_config.Settings, source: str) -> BaseModel:
    """The model that a `config.json` describes; `source` says where that was."""
    from ftbench.base_models.shapes import count

    how = "computed from the architecture" if settings.architecture.counted is None else "counted on the model itself"
    return BaseModel(
        name=name,
        variant=None,
        pair=None,
        licence=None,
        parameters=count(settings.architecture),
        revision=revision,
        stored=settings.stored,
        packed=settings.packed,
        architecture=settings.architecture,
        sources={"architecture": source, "parameters": how},
    )
