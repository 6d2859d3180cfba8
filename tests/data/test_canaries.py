"""Canaries: from the spec to planted rows, pins, the task of their secrets, and their exposure."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin
from ftbench.compile.compiler import compile_spec
from ftbench.data.overlap import find_overlaps
from ftbench.data.pinning import lock
from ftbench.data.pins_check import confirm_pins
from ftbench.data.store import Store
from ftbench.result.documents import Answer, Sample, Scores
from ftbench.result.exposure import asked as tasks_of
from ftbench.result.exposure import exposed, exposure
from ftbench.result.score import score
from ftbench.spec.canaries import items
from ftbench.spec.checks import check_pins
from ftbench.spec.load import load_pins, load_spec
from ftbench.spec.model import ChoiceTask, Spec
from ftbench.spec.planted import holders, planted
from ftbench.spec.sources import CanarySource
from ftbench.spec.template import fill
from ftbench.verify.checks.scores_recomputed import _differences

PATH = builtin.specs()["micro/medical"]
COUNT, CANDIDATES, REPEATS = 6, 32, 3


def spec_with(**more: Any) -> Spec:
    value = load_spec(PATH).spec.model_dump(mode="json")
    value["evaluation"]["canaries"] = {"count": COUNT, "candidates": CANDIDATES, "repeats": REPEATS}
    for block, changes in more.items():
        value[block].update(changes)
    return Spec.model_validate(value)


def asked(spec: Spec) -> ChoiceTask:
    task = spec.evaluation.tasks[-1]
    assert isinstance(task, ChoiceTask) and task.name == "canaries"
    return task


def test_the_task_of_the_secrets_ranks_nowhere_and_is_added_once() -> None:
    spec = spec_with()
    assert [task.name for task in spec.evaluation.ranked] == [t.name for t in load_spec(PATH).spec.evaluation.tasks]
    assert len(asked(spec).options) == CANDIDATES == len(set(asked(spec).options))
    assert Spec.model_validate(spec.model_dump(mode="json")) == spec


def test_planted_rows_stand_last_each_with_one_client_and_hold_what_is_asked_for(tmp_path: Path) -> None:
    spec, store = spec_with(), Store([tmp_path])
    pins = lock(spec, store)
    before = load_pins(PATH).sources["train"].rows
    train, partition = pins.sources["train"], pins.partition
    assert before and train.digest and partition and train.rows == before + COUNT * REPEATS
    rows, shares = store.rows(train.digest), store.partition(partition.digest, "", "")
    owner = {number: client for client, share in enumerate(shares) for number in share}
    assert [owner[number] for number in range(before, train.rows)] == holders(spec)
    assert len(set(holders(spec))) == spec.federation.clients
    secrets = store.rows(str(pins.sources["task:canaries"].digest))
    task = asked(spec)
    for number, item in enumerate(secrets):
        mine = rows[before + number * REPEATS : before + (number + 1) * REPEATS]
        assert {fill(spec.data.prompt, row) for row in mine} == {fill(task.prompt, item)}
        assert {fill(spec.data.completion, row) for row in mine} == {task.options[item[task.answer]]}


def test_other_rows_stay_where_they_are(tmp_path: Path) -> None:
    plain, marked = load_spec(PATH).spec, spec_with()
    store = Store([tmp_path])
    shares = [store.partition(str(lock(one, store).partition.digest), "", "") for one in (plain, marked)]  # type: ignore[union-attr]
    assert [share[: len(before)] for before, share in zip(*shares, strict=True)] == shares[0]


def test_pins_hold_and_tell_other_canaries(tmp_path: Path) -> None:
    spec, store = spec_with(), Store([tmp_path])
    pins = lock(spec, store)
    assert confirm_pins(spec, pins, store) == [] == check_pins(spec, pins)
    assert lock(spec, store, pins) == pins
    for other in (spec_with(seeds={"partition": 5}), load_spec(PATH).spec):
        assert {"FTB321", "FTB320"} & {one.code for one in confirm_pins(other, pins, store)}
        assert check_pins(other, pins)
        assert lock(other, store, pins) == lock(other, store)
    assert "canaries" not in [one.task for one in find_overlaps(spec, pins, store)]


def test_compiling_changes_no_module_of_the_app(tmp_path: Path) -> None:
    spec = spec_with()
    with_, without = (
        compile_spec(spec, lock(spec, Store([tmp_path]))),
        compile_spec(load_spec(PATH).spec, load_pins(PATH)),
    )
    assert with_.plan.code.keys() - without.plan.code.keys() == {"tasks/canaries.yaml"}
    assert with_.plan.code.items() >= without.plan.code.items()
    assert b"canaries" not in with_.files["tasks/ftbench_mean.yaml"]


def test_a_column_of_whole_numbers_stays_one(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("q,a\n1,x\n2,y\n3,x\n4,y\n")
    value = spec_with().model_dump(mode="json")
    value["data"] |= {
        "source": {"kind": "file", "files": ["rows.csv"], "format": "csv"},
        "columns": {"q": {"column": "q", "type": "integer"}, "a": "a"},
        "prompt": "Number {q}:",
        "completion": " {a}",
    }
    value["evaluation"]["tasks"].pop()
    spec = Spec.model_validate(value)
    from ftbench.data.loaded import Beside

    store = Store([tmp_path / "store"])
    pins = lock_near(spec, store, Beside(tmp_path, tmp_path))
    rows = store.rows(str(pins.sources["train"].digest))
    assert {type(row["q"]) for row in rows} == {int}
    number = items(asked_source(spec))[0]["number"]
    assert rows[4]["q"] == int(str(number)) and number != "0"


def asked_source(spec: Spec) -> CanarySource:
    source = asked(spec).source
    assert isinstance(source, CanarySource)
    return source


def lock_near(spec: Spec, store: Store, beside: Any) -> Any:
    from ftbench.data.pinning import attempt

    return attempt(spec, store, near={"train": beside}).check()


def test_draws_are_spread_and_follow_the_seed_alone() -> None:
    one, two = items(asked_source(spec_with())), items(asked_source(spec_with(seeds={"partition": 5})))
    assert one != two and len({item["number"] for item in one}) == COUNT == len({item["secret"] for item in one})
    many = spec_with(federation={"clients": 64})
    assert max(Counter(holders(many)).values()) == REPEATS
    assert planted(spec_with()) == planted(spec_with(federation={"clients": 64}))


def sample(index: int, target: int, untuned: list[float], tuned: list[float]) -> Sample:
    return Sample(
        index=index,
        item="0" * 64,
        prompt="p",
        options=[f" {n}" for n in range(len(tuned))],
        target=target,
        untuned=Answer(loglikelihoods=untuned),
        tuned=Answer(loglikelihoods=tuned),
    )


def test_exposure_is_by_the_rank_among_secrets_that_nobody_planted() -> None:
    flat, falling = [-3.0] * 9, [-float(n) for n in range(9)]
    lines = [sample(0, 0, flat, falling), sample(1, 1, flat, falling)]
    found = exposure(lines)
    assert (found.canaries, found.candidates) == (2, 8)
    # Both are first among the eight: the other canary's secret, likelier than its own, does not count.
    assert (found.tuned.mean, found.tuned.most) == (3, 3)
    assert found.untuned.mean == pytest.approx(3 - math.log2(1 + 7 / 2), abs=1e-6)
    assert "3.00 bits on average" in exposed(found) and "of 3.00 possible" in exposed(found)
    last = exposure([sample(0, 8, falling, falling)])
    assert last.tuned.mean == 0 and last.candidates == 9


def test_scores_have_the_exposure_beside_and_nothing_of_it_in_a_mean() -> None:
    spec = spec_with()
    block = spec.evaluation.model_copy(update={"tasks": [spec.evaluation.tasks[1], asked(spec)]})
    options = [-float(n + 1) for n in range(CANDIDATES)]
    plain = [sample(n, 0, [-1.0, -2.0, -3.0, -4.0], [-1.0, -2.0, -3.0, -4.0]) for n in range(4)]
    told = score({"canaries": [sample(0, 9, options, options)], "medmcqa": plain_text(plain)}, block)
    assert list(told.tasks) == ["medmcqa"] and tasks_of(told) == ["medmcqa", "canaries"]
    assert told.tuned.value == 1 and told.exposure is not None and told.exposure.candidates == CANDIDATES
    assert told.exposure.tuned.mean == pytest.approx(math.log2(CANDIDATES / 10), abs=1e-6)
    claimed = told.model_dump(mode="json")
    claimed["exposure"]["tuned"]["mean"] = 0.1
    assert [*_differences("scores", claimed, told.model_dump(mode="json"))] == [
        f"scores.exposure.tuned.mean is 0.1, recomputed {told.exposure.tuned.mean}"
    ]
    without = told.model_copy(update={"exposure": None}).model_dump(mode="json")
    assert "exposure" not in without and tasks_of(Scores.model_validate(without)) == ["medmcqa"]


def plain_text(lines: list[Sample]) -> list[Sample]:
    """Each with something written, since the task asks for that too."""

    def written(answer: Answer) -> Answer:
        return answer.model_copy(update={"text": " 0"})

    return [one.model_copy(update={"untuned": written(one.untuned), "tuned": written(one.tuned)}) for one in lines]
