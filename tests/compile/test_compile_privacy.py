"""A spec with privacy brings the accounting along, one without does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftbench.compile.compiler import make_plan
from ftbench.compile.emit_app import requirements
from ftbench.compile.sources import app_modules
from ftbench.compile.stack import ACCOUNTING, STACK
from ftbench.spec.load import find_spec, load_pins, load_spec
from ftbench.spec.model import Spec
from ftbench.spec.privacy import Privacy

MODULES = {f"app/ftbench_app/privacy/{name}.py" for name in ("accounting", "client", "clipping", "noise", "server")}


@pytest.fixture
def private() -> Spec:
    block = Privacy(kind="central", epsilon=8, delta=0.01, noise_multiplier=4, clipping="fixed", clip=1)
    return load_spec(Path(find_spec("quickstart"))).spec.model_copy(update={"privacy": block})


def test_modules_and_packages(private: Spec) -> None:
    pins = load_pins(Path(find_spec("quickstart")))
    plain = private.model_copy(update={"privacy": None})
    assert not MODULES & set(app_modules(plain)) and "app/ftbench_app/privacy/__init__.py" in app_modules(plain)
    assert set(app_modules(private)) - set(app_modules(plain)) == MODULES
    assert make_plan(plain, pins).stack == STACK
    plan = make_plan(private, pins)
    assert plan.stack == {**STACK, **ACCOUNTING}
    assert requirements(plan)["dp-accounting"] == ACCOUNTING["dp-accounting"]


def test_the_spec_hash_covers_the_promise(private: Spec) -> None:
    pins = load_pins(Path(find_spec("quickstart")))
    assert private.privacy is not None
    other = private.model_copy(update={"privacy": private.privacy.model_copy(update={"epsilon": 9.0})})
    assert make_plan(private, pins).spec_hash != make_plan(other, pins).spec_hash
