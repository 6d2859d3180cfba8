"""Flower's run config and the plan's spec → typed settings, with the knobs in force written into the spec's values."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import os
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rfc8785

from . import open_division
from .errors import AppError
from .plan import Plan

if TYPE_CHECKING:
    from .strategy.base import Strategy

STRATEGY_KNOB = "strategy.kind"
MODEL_KNOB = "model.base"
RANKS_KNOB = "adapter.client_ranks"
WHOLE = frozenset(
    {
        "adapter.rank",
        "budget.trainable_parameters",
        "federation.clients",
        "federation.min_replies",
        "federation.rounds",
        "model.max_parameters",
        "training.batch_size",
        "training.local_steps",
        "training.sequence_length",
        "training.warmup_steps",
    }
)
"""Fields of the spec that are whole numbers, beside those of the strategy."""
AUTO = -1
"""Value of `micro-batch`: the whole batch, halved whenever memory runs out."""
CENTRALISED, LOCAL = "centralised", "local"
VIRTUAL = (CENTRALISED, LOCAL)
"""Reference runs with one virtual client: without strategy, faults, privacy and transport."""
FAULT_FREE = "fault-free"
"""The reference run that is the same federation without faults."""
REFERENCES = ("", *VIRTUAL, FAULT_FREE)
SMOKE_ROUNDS = 1
SMOKE_STEPS = 2


@dataclass(frozen=True)
class Settings:
    """Everything that one run of the app is asked to do."""

    spec: Mapping[str, Any]
    """The plan's spec with the knobs in force."""
    pins: Mapping[str, Any]
    knobs: Mapping[str, Any]
    """Knob → value in force, all but `model.base`."""
    spec_hash: str
    model: Mapping[str, str]
    """`name` and `revision` of the base model."""
    seed: int
    roots: tuple[Path, ...]
    """Store folders, searched in order."""
    run_dir: Path | None
    """Where the server writes; clients need none."""
    resume: bool
    unpinned: bool
    smoke: bool
    micro_batch: int
    """Examples in one pass forward and backward; 0: the whole batch; AUTO: as many as fit."""
    round_timeout: float
    """Seconds to wait for a round's replies."""
    reference: str = ""
    """`centralised`, `local` or `fault-free`: a reference run instead of the federation itself."""
    reference_client: int = 0
    """For `local`: the client that trains alone."""
    open_code: Mapping[str, str | None] | None = None
    """In the open division: `strategy` and `client` → sha256 of the entry's own module, or null."""
    keep_every: int = 0
    """Every so manieth round is kept for whoever does part of it again; 0: none."""
    own_rows: Path | None = None
    """At a node that names one: the file with its partition's rows."""

    @property
    def virtual(self) -> bool:
        """Whether this is a reference run with one virtual client, to whom nothing is sent."""
        return self.reference in VIRTUAL

    @property
    def clients(self) -> int:
        """Number of clients, one partition each; with a virtual one there is no other."""
        return 1 if self.virtual else int(self.spec["federation"]["clients"])

    @property
    def rounds(self) -> int:
        """Rounds of this run; one in a smoke run."""
        return SMOKE_ROUNDS if self.smoke else int(self.spec["federation"]["rounds"])

    @property
    def local_steps(self) -> int:
        """Optimiser steps of a client in a round; two in a smoke run."""
        steps = int(self.spec["training"]["local_steps"])
        return min(SMOKE_STEPS, steps) if self.smoke else steps

    @property
    def adapter(self) -> dict[str, Any]:
        """The adapter block in force."""
        return dict(self.spec["adapter"])

    @property
    def entry_digest(self) -> str:
        """Digest of the resolved entry without its metadata; the runner computes the same from its own model."""
        entry: dict[str, Any] = {
            "format": "ftbench/entry/v1",
            "model": dict(self.model),
            "seed": self.seed,
            "knobs": dict(self.knobs),
        }
        if self.open_code is not None:
            entry["open"] = dict(self.open_code)
        return hashlib.sha256(rfc8785.dumps(entry)).hexdigest()


def read(config: Mapping[str, Any], plan: Plan) -> Settings:
    """Typed settings from Flower's flat run config. Raises AppError naming the setting that is wrong."""
    seed = _whole("seed", _get(config, "seed"))
    runs = plan.spec["seeds"]["runs"]
    if seed not in runs:
        raise AppError("FTB544", f"seed {seed} is not one of the benchmark's seeds", f"choose one of {runs}")
    kind = _strategy(str(config.get(STRATEGY_KNOB, plan.spec["strategy"]["kind"])))
    whole = WHOLE | {f"strategy.{name}" for name in kind.whole}
    knobs = {
        path: _knob(path, rule, _at(plan.spec, path), config, whole)
        for path, rule in sorted(plan.spec["knobs"].items())
        if path != MODEL_KNOB
    }
    spec = copy.deepcopy(dict(plan.spec))
    for path, value in knobs.items():
        *folders, last = path.split(".")
        block = _at(spec, ".".join(folders))
        block.pop(last, None)
        if value is not None:  # like the plan, without what is not asked for
            block[last] = value
    _check_strategy(spec["strategy"], kind)
    _check_ranks(spec, kind)
    if plan.pins["partition"] is None:
        raise AppError(
            "FTB544", "the benchmark's data is not resolved: it is a draft that cannot run", "`ftbench lock SPEC`"
        )
    if len(plan.pins["partition"]["sizes"]) != spec["federation"]["clients"]:
        raise AppError("FTB544", "federation.clients is not the number of partitions that the plan's pins name")
    run_dir = str(config.get("run-dir", ""))
    if run_dir and not Path(run_dir).is_absolute():
        raise AppError("FTB540", f"the setting `run-dir` is not absolute: {run_dir}", "give the whole path")
    timeout = _number("round-timeout", _get(config, "round-timeout"))
    micro_batch = _whole("micro-batch", _get(config, "micro-batch"))
    if timeout < 0 or micro_batch < AUTO:
        raise AppError("FTB540", "`round-timeout` and `micro-batch` must not be negative (`micro-batch` -1: auto)")
    reference, alone = str(config.get("reference", "")), _whole("reference-client", config.get("reference-client", 0))
    if reference not in REFERENCES:
        raise AppError("FTB540", f"the setting `reference` must be one of {REFERENCES}, not {reference!r}")
    if not 0 <= alone < spec["federation"]["clients"]:
        raise AppError("FTB540", f"the setting `reference-client` is {alone}, but there is no such client")
    return Settings(
        spec=spec,
        pins=plan.pins,
        knobs=knobs,
        spec_hash=str(_get(config, "spec-hash")),
        model=_model(str(_get(config, "base-model")), plan),
        seed=seed,
        roots=_roots(str(config.get("store", ""))),
        run_dir=Path(run_dir) if run_dir else None,
        resume=_flag(config, "resume"),
        unpinned=_flag(config, "unpinned"),
        smoke=_flag(config, "smoke"),
        micro_batch=micro_batch,
        round_timeout=timeout,
        reference=reference,
        reference_client=alone,
        keep_every=max(0, _whole("keep-every", config.get("keep-every", 0))),
        open_code=open_division.parse(str(config.get("open-code", ""))),
    )


def _get(config: Mapping[str, Any], key: str) -> Any:
    if key not in config:
        raise AppError("FTB540", f"the setting `{key}` is missing", "pyproject.toml of the compiled app declares it")
    return config[key]


def _flag(config: Mapping[str, Any], key: str) -> bool:
    value = _get(config, key)
    if not isinstance(value, bool):
        raise AppError("FTB540", f"the setting `{key}` must be true or false, not {value!r}")
    return value


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise AppError("FTB540", f"`{key}` must be a number, not {value!r}")
    return float(value)


def _whole(key: str, value: Any) -> int:
    if _number(key, value) != int(value):
        raise AppError("FTB540", f"`{key}` must be a whole number, not {value!r}")
    return int(value)


def _at(spec: Mapping[str, Any], path: str) -> Any:
    value: Any = spec
    for part in path.split(".") if path else ():
        value = value.get(part) if value is not None else None
    return value


def _roots(store: str) -> tuple[Path, ...]:
    text = store or os.environ.get("FTBENCH_STORE", "") or str(Path.home() / ".cache" / "ftbench" / "store")
    roots = tuple(Path(part) for part in text.split(os.pathsep) if part)
    for root in roots:
        if not root.is_absolute():
            raise AppError("FTB540", f"the setting `store` holds a path that is not absolute: {root}")
    return roots


def _model(text: str, plan: Plan) -> dict[str, str]:
    name, at, revision = text.rpartition("@")
    if not at or not name or not revision:
        raise AppError("FTB540", f"the setting `base-model` must be NAME@REVISION, not {text!r}")
    model = {"name": name, "revision": revision}
    if MODEL_KNOB not in plan.spec["knobs"] and model != dict(plan.spec["model"]["base"]):
        raise AppError("FTB544", f"base model {text} is not the benchmark's, which is frozen")
    rule = plan.spec["knobs"].get(MODEL_KNOB, {})
    if "choices" in rule and model not in rule["choices"]:
        raise AppError("FTB544", f"base model {text} is not one that the benchmark allows")
    return model


def _knob(path: str, rule: Mapping[str, Any], default: Any, config: Mapping[str, Any], whole: Set[str]) -> Any:
    value = config.get(path, default)
    # Flower carries scalars only: a list (or null) comes as JSON text.
    text = isinstance(default, str | list) and path != RANKS_KNOB
    if isinstance(value, str) and (value.startswith("[") or not text):
        try:
            value = json.loads(value)
        except ValueError:
            raise AppError("FTB540", f"the setting `{path}` is not JSON: {value!r}") from None
    if value is None and (default is None or path.startswith("strategy.")):
        return None  # not used: what the strategy needs is checked once all knobs are in force
    if path in whole:
        value = _whole(path, value)
    if "min" in rule:
        number = _number(path, value)
        if not rule["min"] <= number <= rule["max"]:
            raise AppError(
                "FTB544", f"{path} = {value} is outside its range", f"choose from {rule['min']} to {rule['max']}"
            )
    elif "choices" in rule and value not in rule["choices"]:
        raise AppError("FTB544", f"{path} = {value!r} is not allowed", f"choose one of {rule['choices']}")
    # A whole number stays one, however the run config wrote it, so that digests agree.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _strategy(kind: str) -> type[Strategy]:
    from . import strategy  # which reads settings

    try:
        return strategy.find_strategy(kind)
    except ValueError as error:
        raise AppError("FTB544", str(error)) from None


def _check_strategy(block: Mapping[str, Any], kind: type[Strategy]) -> None:
    """Every parameter that the kind uses has a value, and no other has."""
    given = block.keys() - {"kind"}
    for name in sorted(given ^ kind.parameters):
        what = "needs a value" if name in kind.parameters else "has no effect and must be null"
        raise AppError("FTB544", f"strategy.{name} {what} with the strategy {block['kind']}")


def _check_ranks(spec: Mapping[str, Any], kind: type[Strategy]) -> None:
    """Clients have ranks of their own only where the strategy can combine them, and none above the server's."""
    ranks = spec["adapter"].get("client_ranks")
    if ranks is not None and not kind.mixes_ranks:
        raise AppError(
            "FTB544", f"{RANKS_KNOB} has no effect and must be null with the strategy {spec['strategy']['kind']}"
        )
    if ranks is not None and max(ranks) > spec["adapter"]["rank"]:
        raise AppError("FTB544", f"{RANKS_KNOB} has {max(ranks)}, and adapter.rank is {spec['adapter']['rank']}")
