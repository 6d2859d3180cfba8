"""Facts of a base model by its name: from the catalogue, from what is in the store, from its config.json on the hub."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ftbench import codes
from ftbench.base_models import hub_config
from ftbench.base_models.catalogue import BaseModel, described, find_base_model
from ftbench.data import base_models
from ftbench.data.holdings import refs
from ftbench.data.hub import Hub
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput, MissingResource
from ftbench.spec.model import BaseModelRef
from ftbench.spec.outline import Outline
from ftbench.spec.primitives import REPOSITORY, REVISION

Connect = Callable[[], Hub]


def look_up(name: str, revision: str | None, store: Store, connect: Connect | None = None) -> BaseModel:
    """The model called `name`: as `find_base_model`, then of the store, then by the config.json that a hub has.

    An architecture is the same at every commit, so a model without a `revision` is any of its name in the store.
    Without `connect` no hub is asked. Raises InvalidInput (FTB801 not known, FTB802), MissingResource (FTB302 not here
    and nobody to ask, FTB303, FTB34x), ModuleNotFoundError where what counts a family is not installed.
    """
    try:
        return find_base_model(name, revision)
    except InvalidInput as error:
        if error.diagnostics[0].code != codes.NO_SUCH_MODEL or not _of_a_hub(name):
            raise
        unknown = error
    found = _stored(name, revision, store)
    if found is not None:
        return found
    if connect is None:
        raise unknown
    commit, config = base_models.fetch_config(name, revision, connect())
    where = f"config.json of {name}@{commit}"
    return described(name, commit, hub_config.parse(config, where), where)


def _of_a_hub(name: str) -> bool:
    return re.fullmatch(REPOSITORY, name) is not None and not name.startswith("builtin/") and not Path(name).exists()


def _stored(name: str, revision: str | None, store: Store) -> BaseModel | None:
    """By weights or outline in the store; None where neither is there. Raises FTB303 for what is damaged."""
    here = [ref.partition("@")[2] for ref, _ in refs(store) if ref.partition("@")[0] == name]
    commits = here if revision is None else [revision]
    for commit in sorted(one for one in commits if re.fullmatch(REVISION, one)):
        try:
            digest = store.model_digest(BaseModelRef(name=name, revision=commit))
            return _outlined(name, commit, store.outline(digest, f"{name}@{commit}"))
        except MissingResource as error:
            if error.diagnostics[0].code != codes.MISSING_MODEL:
                raise
    return None


def _outlined(name: str, commit: str, outline: Outline) -> BaseModel:
    """The model that an outline describes: parameters as they are stored, by the headers."""
    shapes: dict[str, tuple[int, ...]] = {}
    where = f"config.json of {name}@{commit} in the store"
    for header in outline.headers.values():
        try:
            shapes |= _shapes(header)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            message = f"the headers of {name}@{commit} in the store cannot be understood: {error!r}"
            raise InvalidInput(Diagnostic(codes.BAD_MODEL_FACTS, message)) from error
    made = described(name, commit, hub_config.parse(outline.config.encode(), where, shapes), where)
    count = sum(_elements(shape) for shape in shapes.values())
    told = {**made.sources, "parameters": "headers of the weights, in the store"}
    return made.model_copy(update={"parameters": count, "sources": told})


def _shapes(header: str) -> dict[str, tuple[int, ...]]:
    table: dict[str, Any] = json.loads(header)
    return {name: tuple(map(int, one["shape"])) for name, one in table.items() if name != "__metadata__"}


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for width in shape:
        count *= width
    return count
