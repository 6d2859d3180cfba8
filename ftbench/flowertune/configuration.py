"""The configuration of a FlowerTune app in all its shapes: Hydra's files, run config, federations, SuperLink."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FENCED = re.compile(r"^```[ \t]*toml[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE | re.IGNORECASE)
NODES = "num_supernodes"


@dataclass(frozen=True, slots=True)
class Setting:
    """One value and where it stands."""

    value: Any
    place: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """All that the files say."""

    settings: Mapping[str, Setting]
    supernodes: Setting | None
    packages: Sequence[str]
    """Top-level names of the app's own modules."""


def normal(name: str) -> str:
    """The app's `replace_keys` makes `_` of `-`; a setting may be written either way."""
    return name.lower().replace("-", "_")


def flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted name → scalar or list, of nested mappings; keys may hold dots themselves."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from flat(item, f"{prefix}.{normal(str(key))}" if prefix else normal(str(key)))
    else:
        yield prefix, value


def read(project: Mapping[str, Any], shown: Path, texts: Mapping[Path, str]) -> Configuration:
    """From `pyproject.toml` and, for what it does not have, from the texts beside it."""
    flower = _table(project, "tool", "flwr") or _table(project, "flower")
    app = _table(flower, "app") or flower
    source = _lines(shown)
    settings = {name: Setting(value, _place(str(shown), source, name)) for name, value in flat(_table(app, "config"))}
    for name, found in _hydra(texts).items():
        settings.setdefault(name, found)
    components = {**_table(flower, "components"), **_table(app, "components")}
    packages = sorted({str(text).partition(":")[0].partition(".")[0] for text in components.values()} - {""})
    return Configuration(settings, _supernodes(project, flower, shown, source, texts, settings), packages)


def _table(value: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        inner = value.get(name, {})
        value = inner if isinstance(inner, Mapping) else {}
    return value


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").split("\n")


def _place(file: str, lines: Sequence[str], name: str) -> str:
    """The line that names a setting, by itself or below its table's head, or the only one that names its last part."""
    keys, whole, table = [], [], ""
    for line in lines:
        head = re.match(r"\s*\[+([^\]]+)\]", line)
        table = normal(head[1].strip()) if head else table
        keys.append("" if head else normal(line.partition("=")[0].strip().strip("\"'")))
        whole.append(f"{table}.{keys[-1]}")
    last = name.rpartition(".")[2]
    exact = [
        n
        for n, (key, path) in enumerate(zip(keys, whole, strict=True), 1)
        if key == name or path.endswith(f".config.{name}")
    ]
    found = exact or [number for number, key in enumerate(keys, 1) if last == key.rpartition(".")[2]]
    return f"{file}:{found[0]}" if len(found) == 1 else file


def _hydra(texts: Mapping[Path, str]) -> dict[str, Setting]:
    """`conf/config.yaml` as it is, `conf/static_config.yaml` below `static`."""
    found: dict[str, Setting] = {}
    for path, text in texts.items():
        if path.suffix != ".yaml" or len(text) > 65536:
            continue
        try:
            if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
                continue  # aliases can make a small file endless
            value = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError, ValueError):
            continue
        prefix = "static" if path.name == "static_config.yaml" else ""
        found |= {name: Setting(_number(item), str(path)) for name, item in flat(value, prefix)}
    rounds = found.get("static.num_rounds")
    if rounds is not None:
        found.setdefault("num_server_rounds", rounds)
        found["train.num_rounds"] = rounds  # the app copies it there
    return found


def _number(value: Any) -> Any:
    """YAML 1.1 reads `5e-5` as text; OmegaConf, which the app uses, as a number."""
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+", value):
        return float(value)
    return value


def _supernodes(  # noqa: PLR0917 - each of its sources
    project: Mapping[str, Any],
    flower: Mapping[str, Any],
    shown: Path,
    source: Sequence[str],
    texts: Mapping[Path, str],
    settings: Mapping[str, Setting],
) -> Setting | None:
    """Old `federations` in pyproject.toml, the SuperLink's own configuration, Hydra's; instructions come last."""
    engine = _table(flower, "engine", "simulation", "supernode")
    if isinstance(engine.get("num"), int):
        return Setting(engine["num"], str(shown))
    place = _place(str(shown), source, f"options.{NODES}")
    for tables in (_table(flower, "federations"), _table(project, "superlink")):
        if (count := _of_default(tables)) is not None:
            return Setting(count, place)
    told = sorted(texts.items(), key=lambda item: item[0].suffix == ".md")
    for path, text in told:
        blocks = [text] if path.suffix == ".toml" else FENCED.findall(text) if path.suffix == ".md" else []
        for block in blocks:
            try:
                tables = _table(tomllib.loads(block), "superlink")
            except (tomllib.TOMLDecodeError, RecursionError):
                continue
            if (count := _of_default(tables)) is not None:
                return Setting(count, str(path))
    for name in ("static.num_clients", "static.partitioner.num_partitions"):
        if name in settings and isinstance(settings[name].value, int):
            return settings[name]
    return None


def _of_default(tables: Mapping[str, Any]) -> int | None:
    """`num-supernodes` of the default connection; where there is no default, of the only one that has it."""
    counts = {
        name: count
        for name, table in tables.items()
        if isinstance(table, Mapping)
        for key, count in flat(table)
        if key.endswith(NODES) and isinstance(count, int) and not isinstance(count, bool)
    }
    default = tables.get("default")
    if isinstance(default, str) and default in tables:
        return counts.get(default)
    return next(iter(counts.values())) if len(counts) == 1 else None
