"""Emit the app's `pyproject.toml`: names, components, and the run-config keys that a run may set."""

from __future__ import annotations

import json
from typing import Any

import tomli_w

from ftbench.compile.plan import PLAN, Plan
from ftbench.compile.sources import APP_PACKAGE
from ftbench.compile.values import at

PUBLISHER = "ftbench"


def emit(plan: Plan) -> dict[str, bytes]:
    """`app/pyproject.toml` and the plan beside the app's modules."""
    return {
        "app/pyproject.toml": tomli_w.dumps(_pyproject(plan)).encode(),
        PLAN: plan.to_bytes(),
    }


def app_name(plan: Plan) -> str:
    """The Flower app's project name: letters, digits and hyphens, at most 32."""
    return f"ft-{plan.metadata.name}"


def run_config(plan: Plan) -> dict[str, Any]:
    """Every key that a run may set, with its default; Flower refuses keys that are not here."""
    spec = plan.typed_spec()
    base = spec.model.base
    config: dict[str, Any] = {
        "store": "",
        "run-dir": "",
        "base-model": f"{base.name}@{base.revision}",
        "spec-hash": plan.spec_hash,
        "seed": spec.seeds.runs[0],
        "resume": False,
        "unpinned": False,
        "smoke": False,
        "micro-batch": 0,
        "round-timeout": 3600.0,
        "keep-every": 0,
        "reference": "",
        "reference-client": 0,
        "open-code": "",
    }
    for path in sorted(spec.knobs):
        if path == "model.base":  # `base-model` carries it
            continue
        *tables, key = path.split(".")
        table = config
        for name in tables:
            table = table.setdefault(name, {})
        value = at(plan.spec, path)
        table[key] = json.dumps(value) if isinstance(value, list | None) else value
    return config


def _pyproject(plan: Plan) -> dict[str, Any]:
    return {
        "project": {
            "name": app_name(plan),
            "version": plan.metadata.version,
            "description": plan.metadata.title,
            "license": "Apache-2.0",
            "dependencies": [f"{name}=={version}" for name, version in sorted(requirements(plan).items())],
        },
        "tool": {
            "flwr": {
                "app": {
                    "publisher": PUBLISHER,
                    "components": {
                        "serverapp": f"{APP_PACKAGE}.server_app:app",
                        "clientapp": f"{APP_PACKAGE}.client_app:app",
                    },
                    "config": run_config(plan),
                }
            }
        },
    }


def requirements(plan: Plan) -> dict[str, str]:
    """Distribution (extras included) → exact version of all that the compiled benchmark imports itself."""
    from ftbench.compile.stack import HELPERS

    named = {("flwr[simulation]" if name == "flwr" else name): version for name, version in plan.stack.items()}
    return {**named, **HELPERS}
