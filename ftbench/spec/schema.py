"""JSON Schemas (2020-12) of the models: for editors, and for checking a document before a model sees it."""

from __future__ import annotations

import copy
from typing import Any

from pydantic import BaseModel

from ftbench.spec.model import Spec

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_EXTENDS = {
    "description": "Relative path of the spec that this one changes; mappings are merged, lists and scalars replaced.",
    "type": "string",
    "minLength": 1,
}
_WHOLE = ("NumberRange", "Choices", "Free")
"""Blocks that a variant gives whole or not at all."""


def schema_for(model: type[BaseModel], title: str, identifier: str) -> dict[str, Any]:
    """The schema of a model; the same for the same model. Descriptions are its docstrings."""
    schema = model.model_json_schema(mode="validation")
    described = _tidy(schema)
    return {"$schema": DIALECT, "$id": identifier, **described, "title": title}


def spec_schema() -> dict[str, Any]:
    """Schema of `specs/*.yaml`. With `extends` every field may be left out, as another file may give it."""
    schema = schema_for(Spec, "ftbench spec", "urn:ftbench:spec:v1")
    definitions = schema.pop("$defs")
    head = {key: schema.pop(key) for key in ("$schema", "$id", "title", "description")}
    definitions["Spec"] = schema
    for name, definition in copy.deepcopy(definitions).items():
        if name not in _WHOLE:
            definitions[f"{name}Changes"] = _changes(definition)
    variant = definitions["SpecChanges"]
    variant["properties"] = {"extends": _EXTENDS, **variant["properties"]}
    variant["required"] = ["extends", "metadata"]
    definitions["MetadataChanges"]["required"] = ["name"]
    knobs = variant["properties"]["knobs"]["additionalProperties"]
    knobs["anyOf"] = [*knobs["anyOf"], {"type": "null", "description": "Takes away a knob of the extended spec."}]
    return {
        **head,
        "type": "object",
        "if": {"required": ["extends"]},
        "then": {"$ref": "#/$defs/SpecChanges"},
        "else": {"$ref": "#/$defs/Spec"},
        "$defs": dict(sorted(definitions.items())),
    }


def _tidy(value: Any, *, names: bool = False) -> Any:
    """Without pydantic's made-up titles (`names`: the keys are names of fields, of which one may be `title`)."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if names or key != "title" or not isinstance(item, str)}
        return {key: _tidy(item, names=key in ("properties", "$defs") and not names) for key, item in kept.items()}
    return [_tidy(item) for item in value] if isinstance(value, list) else value


def _changes(value: Any, *, names: bool = False) -> Any:
    """A definition for a variant: nothing required, references to other definitions for variants."""
    if isinstance(value, list):
        return [_changes(item) for item in value]
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {}
    for key, item in value.items():
        if names:
            result[key] = _changes(item)
        elif key in ("required", "discriminator", "default"):
            continue
        elif key == "oneOf":  # members are told apart by fields that may now be left out
            result["anyOf"] = _changes(item)
        elif key == "items":  # lists are replaced whole
            result[key] = item
        elif key == "$ref":
            name = item.rpartition("/")[2]
            result[key] = item if name in _WHOLE else f"{item}Changes"
        else:
            result[key] = _changes(item, names=key == "properties")
    return result
