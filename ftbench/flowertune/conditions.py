"""What everybody must share: data, clients, partition, packages, code from elsewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ftbench.flowertune.case import Case
from ftbench.flowertune.domains import alike
from ftbench.spec.sources import HubSource

STACK = (
    "torch",
    "transformers",
    "peft",
    "trl",
    "bitsandbytes",
    "accelerate",
    "tokenizers",
    "datasets",
    "flwr-datasets",
    "flwr",
)
"""Packages whose versions move a score, by their part in it."""
NEEDS = {"use_dora": ("peft", (0, 9)), "use_rslora": ("peft", (0, 7))}
"""Argument of LoraConfig → the package that must be so new to know it."""
MIXING = {"concatenate_datasets", "interleave_datasets"}
REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(.*?)\s*(?:;.*)?$", re.DOTALL)


def look(case: Case) -> None:
    """Every finding of this subject."""
    _data(case)
    _clients(case)
    _packages(case)
    if case.facts.remote_code is not None:
        text = "`trust_remote_code` carries out Python of the model's repository; ftbench loads no code from there"
        case.departs("remote-code", text, case.facts.remote_code.place)


def _data(case: Case) -> None:
    source, dataset = case.spec.data.source, case.facts.dataset
    own = source.repo if isinstance(source, HubSource) else ""
    if dataset is None:
        case.not_told("data", "the training set is not named")
    elif dataset.value != own:
        copy = "another copy of the data" if alike(dataset.value, own) else "another data set"
        case.departs("data", f"{copy}: `{dataset.value}`; the benchmark trains on `{own}`", dataset.place)
    for place, name in _calls(case):
        if name.endswith("Partitioner") and name != "IidPartitioner":
            case.departs("partition", f"rows are dealt by `{name}`; the benchmark deals them at random", place)
        elif name in MIXING:
            case.departs("data", f"`{name}` mixes other rows into a client's", place)


def _calls(case: Case) -> Iterator[tuple[str, str]]:
    for module in case.app.modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call):
                function = node.func
                name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
                yield f"{module.path}:{node.lineno}", name


def _clients(case: Case) -> None:
    clients, told = case.spec.federation.clients, case.facts.supernodes
    if told is None:
        where = "neither pyproject.toml nor a SuperLink's config.toml beside it says"
        case.not_told("supernodes", f"how many SuperNodes there are: {where}; the benchmark has {clients}")
    elif told.value != clients:
        case.departs("supernodes", f"{told.value} SuperNodes; the benchmark has {clients}", told.place)


def _packages(case: Case) -> None:
    listed: dict[str, list[tuple[str, str]]] = {}
    for one in case.facts.packages:
        found = REQUIREMENT.match(one.value)
        if found:
            listed.setdefault(re.sub(r"[-_.]+", "-", found[1].lower()), []).append((found[2].strip(" ()"), one.place))
    loose = [name for name in STACK if name in listed and not any(_pinned(text) for text, _ in listed[name])]
    if loose and case.facts.locked:
        case.carried("packages", f"{', '.join(loose)}: pinned by {case.facts.locked} alone", case.facts.locked)
    elif loose:
        verb = "are" if len(loose) > 1 else "is"
        case.departs("packages", f"{', '.join(loose)} {verb} not pinned: two people run two versions")
    for name in sorted(listed):
        exact = sorted({text for text, _ in listed[name] if re.fullmatch(r"===?\s*[^*,]+", text)})
        if len(exact) > 1:
            case.departs("packages", f"{name} is asked for in {len(exact)} versions: {', '.join(exact)}")
        elif exact and any(not _meets(exact[0], text) for text, _ in listed[name]):
            other = next(text for text, _ in listed[name] if not _meets(exact[0], text))
            case.departs("packages", f"{name}: {exact[0]} and {other} exclude each other")
        for text, _ in listed[name]:
            if name in STACK and text.startswith("@"):
                case.departs("packages", f"{name} is no release: {text[1:].strip()[:90]}")
    _too_old(case, listed)


def _too_old(case: Case, listed: dict[str, list[tuple[str, str]]]) -> None:
    """An argument that the pinned version does not know."""
    asked = {"use_dora"} if case.facts.dora is not None and case.facts.dora.value else set()
    asked |= set(case.facts.adapter_extras) & set(NEEDS)
    for argument in sorted(asked):
        name, least = NEEDS[argument]
        for text, _ in listed.get(name, []):
            version = _version(text) if _pinned(text) else None
            if version is not None and version < least:
                shown = ".".join(map(str, least))
                case.departs("packages", f"`{argument}` needs {name} {shown}, and {text} is asked for")


def _pinned(text: str) -> bool:
    return bool(re.search(r"===?\s*\d[^*]*$", text.split(",", maxsplit=1)[0]) or re.search(r"@[0-9a-f]{40}\b", text))


def _version(text: str) -> tuple[int, ...] | None:
    found = re.search(r"(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in found[1].split(".")) if found else None


def _meets(exact: str, text: str) -> bool:
    """Whether an exact version lies within another's bounds; what is not read counts as met."""
    have = _version(exact)
    for bound in text.split(","):
        limit, sign = _version(bound), re.match(r"\s*(>=|<=|<|>)", bound)
        if have is None or limit is None or sign is None:
            continue
        size = max(len(have), len(limit))
        one, other = ((*value, *[0] * size)[:size] for value in (have, limit))
        if not {">=": one >= other, "<=": one <= other, "<": one < other, ">": one > other}[sign[1]]:
            return False
    return True
