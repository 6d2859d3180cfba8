"""The plan beside the modules, and the self-check against it: a guard against accidents, not against attackers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import rfc8785

from .errors import AppError
from .files import sha256_file

PACKAGE = Path(__file__).resolve().parent
PREFIX = "app/ftbench_app/"
UNHASHED = frozenset({"metadata", "reporting"})
SPEC_DOMAIN = b"ftbench/spec/v1\n"


@dataclass(frozen=True)
class Plan:
    """`plan.json` as it stands."""

    document: Mapping[str, Any]

    @property
    def spec(self) -> Mapping[str, Any]:
        """The spec with every default filled in."""
        spec: Mapping[str, Any] = self.document["spec"]
        return spec

    @property
    def pins(self) -> Mapping[str, Any]:
        """Digests of the data and partitions."""
        pins: Mapping[str, Any] = self.document["pins"]
        return pins

    @property
    def code(self) -> Mapping[str, str]:
        """Path inside the compiled benchmark → sha256 of each module."""
        code: Mapping[str, str] = self.document["code"]
        return code

    @property
    def stack(self) -> Mapping[str, str]:
        """Package → exact version."""
        stack: Mapping[str, str] = self.document["stack"]
        return stack

    @property
    def spec_hash(self) -> str:
        """sha256 over the plan without what changes neither training nor score."""
        hashed = {key: value for key, value in self.document.items() if key not in UNHASHED}
        return hashlib.sha256(SPEC_DOMAIN + rfc8785.dumps(hashed)).hexdigest()


def load(path: Path = PACKAGE / "plan.json") -> Plan:
    """Read the plan that lies beside the modules. Raises AppError where there is none."""
    try:
        return Plan(json.loads(path.read_bytes()))
    except FileNotFoundError:
        raise AppError(
            "FTB541", f"{path} is missing", "run the app of a compiled benchmark (`ftbench compile SPEC`)"
        ) from None
    except ValueError as error:
        raise AppError("FTB541", f"{path} is not JSON: {error}", "compile the benchmark again") from error


def check_code(plan: Plan, package: Path = PACKAGE, own: Mapping[str, str] | None = None) -> None:
    """Every module here is the one that the plan names, none is missing and none was added.

    `own`: file → sha256 of what an entry in the open division brings besides.
    """
    hint = "compile the benchmark again (`ftbench compile SPEC`); its app is frozen and cannot be edited"
    named = {path.removeprefix(PREFIX): digest for path, digest in plan.code.items() if path.startswith(PREFIX)}
    if taken := sorted(named.keys() & (own or {}).keys()):
        raise AppError("FTB541", f"module {taken[0]} is part of the plan and cannot be an entry's own", hint)
    named |= own or {}
    here = {path.relative_to(package).as_posix() for path in package.rglob("*.py")}
    for name in sorted(named.keys() | here):
        if name not in here:
            raise AppError("FTB541", f"module {name} is missing from {package}", hint)
        if name not in named:
            raise AppError("FTB541", f"module {name} in {package} is not part of the plan", hint)
        if sha256_file(package / name) != named[name]:
            raise AppError("FTB541", f"module {name} in {package} was changed after it was compiled", hint)


def check_spec_hash(plan: Plan, expected: str) -> None:
    """The plan is the one that the run was asked to follow."""
    if plan.spec_hash != expected:
        raise AppError(
            "FTB542",
            f"plan.json has the spec hash {plan.spec_hash}, but the setting `spec-hash` is {expected or 'empty'}",
            "compile the benchmark again; plan.json and pyproject.toml must come from one compilation",
        )


def check_stack(plan: Plan, unpinned: bool = False) -> list[str]:
    """Installed packages against the plan's versions, local build tags ignored.

    Returns what differs when `unpinned` lets it through. Raises AppError naming every difference otherwise.
    """
    different = []
    for package, version in sorted(plan.stack.items()):
        try:
            installed = metadata.version(package).split("+")[0]
        except metadata.PackageNotFoundError:
            installed = "none"
        if installed != version.split("+")[0]:
            different.append(f"{package} {installed} instead of {version}")
    if different and not unpinned:
        raise AppError(
            "FTB543",
            "other package versions than the plan's: " + ", ".join(different),
            "pip install -r requirements.txt of the compiled benchmark; "
            "`unpinned` lets other versions through and the result says so",
        )
    return different


def check_app(
    plan: Plan, spec_hash: str, unpinned: bool, package: Path = PACKAGE, own: Mapping[str, str] | None = None
) -> None:
    """The whole self-check. Raises AppError with the first thing that is not as it should be."""
    check_code(plan, package, own)
    check_spec_hash(plan, spec_hash)
    check_stack(plan, unpinned)
