"""The versions that plans freeze are the ones that the project installs."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from ftbench.compile.stack import ACCOUNTING, HELPERS, STACK

ROOT = Path(__file__).resolve().parents[2]


def pinned() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = {}
    for line in [*project["dependencies"], *project["optional-dependencies"]["run"]]:
        match = re.fullmatch(r"([A-Za-z0-9-]+)(?:\[[a-z]+\])?==([0-9.]+)", line)
        if match:
            found[match[1].lower()] = match[2]
    return found


def test_stack_is_what_the_run_extra_pins() -> None:
    found = pinned()
    wanted = {**STACK, **ACCOUNTING}
    assert {name: found.get(name) for name in wanted} == wanted


def test_constraints_agree() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line.lower().replace("_", "-") for line in lines if "==" in line and not line.startswith("#")]
    constraints = dict(pin.split("==") for pin in pins)
    for name, version in {**STACK, **ACCOUNTING, **HELPERS}.items():
        assert constraints[name] == version
