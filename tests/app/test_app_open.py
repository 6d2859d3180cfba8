"""The open division in the app: what the self-check lets in, whose code is called, and the example's own strategy."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy
import pytest

from ftbench import app as app_package
from ftbench import builtin
from ftbench.app import open_division, plan, settings, strategy, worker
from ftbench.app.errors import AppError
from ftbench.app.files import sha256_file
from ftbench.app.in_force import strategy_of
from ftbench.app.plan import PACKAGE, Plan
from ftbench.spec.entries import entry_digest
from ftbench.spec.entry import EntryMetadata, OpenCode, ResolvedEntry
from ftbench.spec.model import BaseModelRef

MakeBench = Callable[..., Any]
AGREEMENT = builtin.entries() / "open" / "agreement.py"
FIRST, SECOND = "1" * 64, "2" * 64


def load(name: str, path: Path) -> ModuleType:
    """The module as it lies in the open app: beside the frozen ones, with relative imports."""
    full = f"{app_package.__name__}.{name}"
    found = importlib.util.spec_from_file_location(full, path)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[full] = module
    found.loader.exec_module(module)
    return module


@pytest.fixture
def agreement() -> Iterator[ModuleType]:
    yield load("open_strategy", AGREEMENT)
    del sys.modules["ftbench.app.open_strategy"]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[ModuleType]:
    """A client that trains as the frozen one does and then goes twice as far."""
    path = tmp_path / "client.py"
    path.write_text(
        "from . import worker\n\n\n"
        "def train(wanted, partition, **more):\n"
        "    arrays, outcome = worker.train(wanted, partition, **more)\n"
        "    before = more['received']\n"
        "    return {name: 2 * array - before[name] for name, array in arrays.items()}, outcome\n"
    )
    yield load("open_client", path)
    del sys.modules["ftbench.app.open_client"]


def code(**named: str) -> str:
    return json.dumps({"client": None, "strategy": None, **named})


def opened_bench(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, name: str, **named: str) -> Any:
    bench = make_bench({"federation.sampling": {"fraction": 1.0}}, name=name, **{"open-code": code(**named)})
    monkeypatch.setitem(worker._checked, bench.plan.spec_hash + code(**named), bench.plan)
    return bench


# --- the setting and the self-check -----------------------------------------------------------------------------------


def test_empty_is_closed() -> None:
    assert open_division.parse("") is None
    assert open_division.files(None) == {}
    assert not open_division.brings(None, "strategy")
    told = open_division.parse(code(client=FIRST))
    assert told == {"client": FIRST, "strategy": None}
    assert open_division.files(told) == {"open_client.py": FIRST}
    assert open_division.brings(told, "client") and not open_division.brings(told, "strategy")


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "[]",
        "{}",
        '{"client": null, "strategy": null}',
        '{"strategy": "' + FIRST + '"}',
        code(strategy="../x"),
        code(strategy=FIRST[:-1] + "\n"),
        code(strategy=FIRST, helper=SECOND),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(AppError, match="open-code"):
        open_division.parse(text)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "ftbench_app"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def frozen(package: Path) -> Plan:
    named = {f"app/ftbench_app/{p.relative_to(package).as_posix()}": sha256_file(p) for p in package.rglob("*.py")}
    return Plan({"metadata": {}, "spec": {}, "pins": {}, "stack": {}, "code": named})


def test_the_named_module_alone_is_let_in(package: Path, frozen: Plan) -> None:
    shutil.copy(AGREEMENT, package / "open_strategy.py")
    own = {"open_strategy.py": sha256_file(AGREEMENT)}
    plan.check_app(frozen, frozen.spec_hash, unpinned=False, package=package, own=own)
    with pytest.raises(AppError, match=r"open_strategy.py in .* is not part of the plan"):
        plan.check_code(frozen, package)
    with pytest.raises(AppError, match=r"open_strategy.py in .* was changed"):
        plan.check_code(frozen, package, {"open_strategy.py": FIRST})
    with pytest.raises(AppError, match=r"open_client.py is missing"):
        plan.check_code(frozen, package, {**own, "open_client.py": FIRST})
    (package / "helper.py").write_text("")
    with pytest.raises(AppError, match=r"helper.py in .* is not part of the plan"):
        plan.check_code(frozen, package, own)


def test_no_frozen_module_can_be_replaced(package: Path, frozen: Plan) -> None:
    (package / "rounds.py").write_text("")
    with pytest.raises(AppError, match=r"rounds.py is part of the plan"):
        plan.check_code(frozen, package, {"rounds.py": sha256_file(package / "rounds.py")})


def test_the_entry_has_one_digest_on_both_sides(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = opened_bench(make_bench, monkeypatch, "run", strategy=FIRST)
    wanted = settings.read(bench.config, bench.plan)
    entry = ResolvedEntry(
        metadata=EntryMetadata(name="any"),
        model=BaseModelRef.model_validate(dict(wanted.model)),
        seed=1,
        knobs=dict(wanted.knobs),
        open=OpenCode(strategy=FIRST),
    )
    assert wanted.entry_digest == entry_digest(entry)
    closed = settings.read({**bench.config, "open-code": ""}, bench.plan)
    assert closed.entry_digest == entry_digest(entry.model_copy(update={"open": None})) != wanted.entry_digest


# --- whose code is called ---------------------------------------------------------------------------------------------


def test_an_own_strategy_is_in_force(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, agreement: ModuleType
) -> None:
    bench = opened_bench(make_bench, monkeypatch, "open", strategy=FIRST)
    wanted = settings.read(bench.config, bench.plan)
    assert type(strategy_of(wanted)) is agreement.Strategy
    alone = settings.read({**bench.config, "reference": "centralised"}, bench.plan)
    assert type(strategy_of(alone)) is strategy.base.Strategy, "a reference is trained by the frozen code"
    bench.play()
    closed = make_bench({"federation.sampling": {"fraction": 1.0}}, name="closed")
    closed.play()
    assert bench.ledger[0]["entry"] != closed.ledger[0]["entry"]
    assert bench.ledger[-1]["adapter"] != closed.ledger[-1]["adapter"]
    ours, theirs = (b.ledger[1] for b in (bench, closed))
    assert ours["replies"] == theirs["replies"], "clients train alike in the first round"
    assert ours["bytes_down"] == theirs["bytes_down"]


def test_an_own_client_trains_for_members_of_the_federation_only(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, client: ModuleType
) -> None:
    bench = opened_bench(make_bench, monkeypatch, "open", client=FIRST)
    bench.play()
    closed = make_bench({"federation.sampling": {"fraction": 1.0}}, name="closed")
    closed.play()
    ours, theirs = (b.ledger[1]["replies"] for b in (bench, closed))
    assert [reply["loss"] for reply in ours] == [reply["loss"] for reply in theirs]
    assert all(a["update"] != b["update"] for a, b in zip(ours, theirs, strict=True))


def test_a_module_without_the_class_is_refused(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "empty.py").write_text("x = 1\n")
    load("open_strategy", tmp_path / "empty.py")
    bench = opened_bench(make_bench, monkeypatch, "open", strategy=FIRST)
    with pytest.raises(AppError, match="no class `Strategy`"):
        bench.play()
    del sys.modules["ftbench.app.open_strategy"]


# --- the example ------------------------------------------------------------------------------------------------------

WEIGHTS = [5.0, 2.0, 11.0]


def adapter(generator: numpy.random.Generator, scale: float = 1.0) -> dict[str, Any]:
    shapes = {"m.lora_A.weight": (3, 10), "m.lora_B.weight": (7, 3)}
    return {name: (scale * generator.normal(size=shape)).astype("f4") for name, shape in shapes.items()}


@pytest.mark.parametrize("apart", [0.01, 0.2])
def test_agreement_equals_numpy_over_five_rounds(agreement: ModuleType, apart: float) -> None:
    generator = numpy.random.default_rng(0)
    current = adapter(generator)
    exact = {name: array.astype("f8") for name, array in current.items()}
    p = numpy.array(WEIGHTS) / sum(WEIGHTS)
    moving = []
    for _ in range(5):
        common = adapter(generator, 0.1)
        replies = [
            {n: current[n] + common[n] + noise[n] for n in current} for noise in [adapter(generator, apart) for _ in p]
        ]
        for name, before in exact.items():
            deltas = numpy.stack([reply[name].astype("f8") - current[name] for reply in replies])
            agreed = abs(numpy.tensordot(p, numpy.sign(deltas), 1)) >= agreement.LEAST
            moving.append(agreed.mean())
            exact[name] = before + agreed * numpy.tensordot(p, deltas, 1)
        weighted = list(zip(WEIGHTS, replies, strict=True))
        current, state = agreement.Strategy({}, {}, []).aggregate(current, weighted, None)
        assert state is None and {array.dtype for array in current.values()} == {numpy.dtype("f4")}
        assert all(numpy.abs(current[name] - exact[name]).max() < 1e-6 for name in exact)
    assert (numpy.mean(moving) > 0.9) == (apart < 0.1), "the less clients agree, the less moves"


def test_agreement_properties(agreement: ModuleType) -> None:
    generator = numpy.random.default_rng(1)
    current, reply = adapter(generator), adapter(generator)
    combine = agreement.Strategy({}, {}, []).aggregate
    for clients in (1, 4):
        new, _ = combine(current, [(3.0, reply)] * clients, None)
        assert all(numpy.abs(new[name] - reply[name]).max() < 1e-6 for name in new)
    replies = list(zip(WEIGHTS, [adapter(generator) for _ in WEIGHTS], strict=True))
    one, other = (combine(current, given, None)[0] for given in (replies, replies[::-1]))
    assert all(numpy.abs(one[name] - other[name]).max() < 1e-6 for name in one)
    opposite = [(1.0, {n: current[n] + sign for n in current}) for sign in (-1, 1)]
    still, _ = combine(current, opposite, None)
    assert all((still[name] == current[name]).all() for name in still)
