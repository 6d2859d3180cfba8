"""A benchmark on the hub as its maker and a participant walk it: lock, publish, run an entry, verify, then offline.

The hub is on loopback and speaks the real one's API; every command is a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "hub"))

import layouts
from server import HubServer

from ftbench import builtin
from ftbench.data.store import Store
from ftbench.spec.load import load_pins, load_spec

pytestmark = pytest.mark.e2e

SPEC, MODEL = "specs/herbs.yaml", "some/micro"
ITEMS = 120


@dataclass
class World:
    """A folder to work in, a hub, and what it holds."""

    folder: Path
    hub: HubServer
    model: str
    """Commit of the base model."""
    told: dict[str, str] = field(default_factory=dict)
    """Command → what it said on stderr."""

    def ftbench(self, *arguments: str | Path, code: int = 0, store: str = "store") -> dict[str, Any]:
        """Run a command here, against the hub; its JSON answer."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "FTBENCH_"))}
        done = subprocess.run(
            [sys.executable, "-m", "ftbench", *map(str, arguments), "--json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            cwd=self.folder,
            env=kept | {"HF_ENDPOINT": self.hub.endpoint, "FTBENCH_STORE": str(self.folder / store)},
        )
        assert done.returncode == code, done.stdout + done.stderr
        self.told[str(arguments[0])] = done.stderr
        return dict(json.loads(done.stdout))


def rows(key: str) -> list[dict[str, Any]]:
    """Rows of the quickstart, as its spec names their columns."""
    pins = load_pins(builtin.specs()["quickstart"])
    return Store([builtin.store()]).rows(str(pins.sources[key].digest))


def document() -> dict[str, Any]:
    """The quickstart's conditions on data of the hub, with what the domains ask for: a validation cut that chooses the
    round, and references."""
    value = load_spec(builtin.specs()["quickstart"]).spec.model_dump(mode="json")
    hub = {"kind": "hub", "revision": None}
    value["metadata"] |= {"name": "herbs", "version": "1.0.0", "status": "draft"}
    value["data"] |= {
        "source": hub | {"repo": "some/herbs", "files": ["data/*.json"], "format": "json", "normalise": "alpaca"},
        "columns": {"question": "request", "answer": "output"},
        "validation": {"fraction": 0.02, "min_rows": 8},
    }
    value["federation"] |= {"clients": 2, "rounds": 6, "sampling": {"fraction": 1.0}}
    value["training"] |= {"local_steps": 24, "schedule": {"kind": "constant", "learning_rate": 8e-3}}
    jars = value["evaluation"]["tasks"][0]
    jars |= {"columns": {"question": "question", "answer": "answer"}}
    jars |= {"source": hub | {"repo": "some/jars", "files": ["test.parquet"], "format": "parquet"}}
    value["evaluation"] |= {
        "tasks": [jars],
        "checkpoint": "best-validation",
        "references": {"local": True, "centralised": True},
    }
    value["seeds"]["runs"] = [1, 2]
    value["knobs"] = {
        "model.base": {"free": True},
        "adapter.rank": {"min": 2, "max": 16},
        "strategy.kind": {"choices": ["fedavg", "fedprox"]},
        "strategy.mu": {"free": True},
    }
    return value


def entry(model: str) -> dict[str, Any]:
    return {
        "ftbench": "entry/v1",
        "metadata": {"name": "prox"},
        "model": {"name": MODEL, "revision": model},
        "knobs": {"adapter.rank": 8, "strategy.kind": "fedprox", "strategy.mu": 0.01},
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("hub")
    train = [{"instruction": row["question"], "input": "", "output": row["answer"]} for row in rows("train")]
    test = [{"question": row["question"], "answer": row["answer"]} for row in rows("task:jars")][:ITEMS]
    with HubServer() as hub:
        hub.add("dataset", "some/herbs", {"data/train.json": layouts.json_(train)}, "cc0-1.0")
        hub.add("dataset", "some/jars", {"test.parquet": layouts.parquet(test)}, "cc0-1.0")
        made = World(folder, hub, hub.add("model", MODEL, layouts.builtin_model(), "apache-2.0"))
        for name, value in ((SPEC, document()), ("entries/prox.yaml", entry(made.model))):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(json.dumps(value, indent=1))  # JSON is YAML
        yield made


@pytest.mark.slow
def test_from_the_hub_to_a_verified_bundle(world: World) -> None:
    """One test: each step stands on what the one before left."""
    # A draft whose data nobody has resolved says what to do, before it asks for anything else.
    world.ftbench("lock", SPEC, "--offline")
    refused = world.ftbench("run", SPEC, "--entry", "entries/prox.yaml", code=4)
    assert f"ftbench lock {SPEC}" in json.dumps(refused)

    pins = world.ftbench("lock", SPEC)["pins"]
    assert all(pin["digest"] and pin["revision"] for pin in pins["sources"].values())
    assert pins["partition"]["validation_rows"] >= 8

    value = document()
    value["metadata"]["status"] = "published"
    (world.folder / SPEC).write_text(json.dumps(value, indent=1))
    published = world.ftbench("publish", SPEC)
    assert Path(world.folder / published["folder"] / "ftbench.lock").is_file()

    # Another machine has the files, but not the rows: it is told the command, and that brings them.
    missing = world.ftbench("run", SPEC, "--entry", "entries/prox.yaml", code=4, store="second")
    assert f"ftbench data fetch {SPEC}" in json.dumps(missing)
    world.ftbench("data", "fetch", SPEC, store="second")

    done = world.ftbench("run", SPEC, "--entry", "entries/prox.yaml", "--engine", "inline", store="second")
    assert f"{MODEL}@{world.model} is in the store now" in world.told["run"]
    assert "training reference centralised (1 of 3)" in world.told["run"]
    bundle = Path(done["bundle"])
    result = json.loads((bundle / "result.json").read_bytes())
    assert result["spec_hash"] == published["spec_hash"]
    assert result["model"] == {"name": MODEL, "revision": world.model}
    assert set(result["references"]) == {"centralised", "local-0", "local-1"}
    assert 1 <= result["checkpoint_round"] <= 6
    assert result["scores"]["local"]["models"] == 2
    assert result["scores"]["difference"]["interval"]["low"] > 0

    assert world.ftbench("verify", bundle, "--require", "RESCORED", store="second")["accepted"]

    # A maintainer who has the data but has never heard of that commit asks the hub, and downloads no weights.
    world.ftbench("data", "fetch", SPEC, store="third")
    (verdict,) = world.ftbench("verify", bundle, code=1, store="third")["bundles"]
    assert verdict["verdict"]["level"] == "INTACT"
    (unknown,) = [one for one in verdict["verdict"]["checks"] if one["check"] == "base-model"]
    command = f"ftbench data fetch --model {MODEL}@{world.model} --no-weights"
    assert unknown["outcome"] == "not-run" and command in unknown["evidence"]
    world.ftbench(*command.split()[1:], store="third")
    assert not list((world.folder / "third" / "models").glob("*/model.safetensors"))
    assert world.ftbench("verify", bundle, "--require", "RESCORED", store="third")["accepted"]

    # From here on there is no hub.
    asked = len(world.hub.requests)
    world.hub.fail("503")
    assert world.ftbench("lock", SPEC, "--check")["fresh"]
    assert world.ftbench("publish", SPEC)["already"]
    assert world.ftbench("verify", bundle, "--require", "RESCORED", store="second")["accepted"]
    assert len(world.hub.requests) == asked
