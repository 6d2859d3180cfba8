"""Evaluation by budget in a bundle: what the ledger does not give falls at a named check."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import forge
import pytest

from ftbench.result.budgets import measure_within
from ftbench.result.documents import Round, Verdict
from ftbench.spec.budgets import within_name

BUDGETS = [0.005, 0.01, 0.011, 0.02, 0.1]
"""A round is 7,680 bytes, but 6,400 where a client is left out: none, one, one, three (the scored one), all four."""


def _change(value: dict[str, Any]) -> None:
    value["evaluation"]["references"] = {}
    value["evaluation"]["cost_to_target"] = {"validation_loss": 1.25}
    value["evaluation"]["quality_within"] = {"communication_mib": BUDGETS}


@pytest.fixture(scope="module")
def budgeted(tmp_path_factory: pytest.TempPathFactory) -> forge.World:
    return forge.make_world(tmp_path_factory.mktemp("budgeted"), _change)


@pytest.fixture
def bundle(budgeted: forge.World) -> forge.Forged:
    """Genuine: rounds and answers as the ledger implies."""
    forged = forge.make(budgeted)
    with forged.result() as result:
        result["references"] = {}
        result["cost_to_target"] = {"validation_loss": 1.25}
    forge.reseal(forged)  # the ledger has its adapters now
    with forged.lines() as lines, forged.result() as result:
        bodies = [line["body"] for line in lines]
        rounds = [Round.model_validate(body) for body in bodies if body["event"] == "round"]
        found = measure_within(budgeted.spec.evaluation.quality_within, rounds, bodies[0]["adapter"])
        result["within"] = [one.model_dump(mode="json") for one in found]
        spent = sum(body.bytes_down + body.bytes_up for body in rounds[:2])
        result["cost_to_target"] |= {"round": 2, "bytes": spent, "seconds": 3.5, "simulated_seconds": None}
        scored = bodies[-1]["adapter"]
    for task in budgeted.items:
        with forged.samples(task) as answers:
            for number, sample in enumerate(answers):
                pooled = sample["references"].pop("centralised")
                for one in found:
                    name = within_name(one.communication_mib)
                    same = "untuned" if one.round == 0 else "tuned" if one.adapter == scored else None
                    sample["references"][name] = sample[same] if same else _other(pooled, one.round, number)
    forge.reseal(forged)
    return forged


def _other(answer: dict[str, Any], round_number: int, number: int) -> dict[str, Any]:
    """Answers of another model for each round."""
    if answer["loglikelihoods"] is None:
        return answer
    shift = 1e-3 * round_number + 1e-6 * number
    return {**answer, "loglikelihoods": [value - shift for value in answer["loglikelihoods"]]}


def failed(verdict: Verdict) -> list[str]:
    return [check.check for check in verdict.checks if check.outcome == "failed"]


def evidence(verdict: Verdict, name: str) -> str:
    return next(check.evidence for check in verdict.checks if check.check == name)


def test_a_genuine_bundle_reaches_rescored(budgeted: forge.World, bundle: forge.Forged) -> None:
    verdict = budgeted.verdict(bundle.files)
    assert failed(verdict) == [] and verdict.level == "RESCORED"
    assert verdict.result is not None
    rounds = [one.round for one in verdict.result.within]
    assert rounds[:3] == [0, 1, 1] and rounds[3:] == [3, 4]
    scores = verdict.result.scores
    assert scores.references["within-0.005-mib"] == scores.untuned
    assert scores.references["within-0.01-mib"] == scores.references["within-0.011-mib"]
    assert "reached in round 2" in evidence(verdict, "target-told")
    assert "5 budgets" in evidence(verdict, "budgets-scored")
    assert "3 budgets" in evidence(verdict, "budgets-answered")  # none fits; the same round twice; the scored one


def another_rounds_adapter(f: forge.Forged) -> None:
    """The best round's adapter for a budget that it does not fit into."""
    with f.result() as result:
        result["within"][1] |= {key: result["within"][4][key] for key in ("round", "bytes", "adapter")}


def another_rounds_bytes(f: forge.Forged) -> None:
    with f.result() as result:
        result["within"][4]["bytes"] -= 1


def a_budget_left_out(f: forge.Forged) -> None:
    with f.result() as result:
        del result["within"][0]


def a_budget_told_twice(f: forge.Forged) -> None:
    with f.result() as result:
        result["within"].append(result["within"][4])


def fewer_rounds_to_target(f: forge.Forged) -> None:
    with f.result() as result:
        result["cost_to_target"]["round"] = 1


def fewer_bytes_to_target(f: forge.Forged) -> None:
    with f.result() as result:
        result["cost_to_target"]["bytes"] -= 7680


def an_easier_target(f: forge.Forged) -> None:
    with f.result() as result:
        result["cost_to_target"] |= {"validation_loss": 1.5, "round": 1}


def no_word_of_the_target(f: forge.Forged) -> None:
    with f.result() as result:
        result["cost_to_target"] = None


def time_beyond_belief(f: forge.Forged) -> None:
    with f.result() as result:
        result["cost_to_target"]["seconds"] = 1e10


def reached_though_it_was_not(f: forge.Forged) -> None:
    """The losses say that the target was never reached."""
    with f.lines() as lines:
        for line in lines:
            if line["body"]["event"] == "round":
                line["body"]["validation_loss"] += 1


def better_answers_for_the_least_budget(f: forge.Forged) -> None:
    """No round fits, yet the answers are not the untuned model's."""
    with f.samples("jars") as answers:
        for sample in answers:
            sample["references"]["within-0.005-mib"] = _other(sample["tuned"], 7, 0)


def two_answers_of_one_adapter(f: forge.Forged) -> None:
    with f.samples("jars") as answers:
        answers[3]["references"]["within-0.011-mib"]["loglikelihoods"][0] -= 0.25


def the_tuned_models_answers(f: forge.Forged) -> None:
    """Another adapter's answers, to the last digit, for a smaller budget."""
    for task in f.world.items:
        with f.samples(task) as answers:
            for sample in answers:
                for name in ("within-0.01-mib", "within-0.011-mib"):
                    sample["references"][name] = sample["tuned"]


def answers_of_a_budget_dropped(f: forge.Forged) -> None:
    for task in f.world.items:
        with f.samples(task) as answers:
            for sample in answers:
                del sample["references"]["within-0.02-mib"]


@pytest.mark.parametrize(
    ("edit", "check"),
    [
        (another_rounds_adapter, "budgets-scored"),
        (another_rounds_bytes, "budgets-scored"),
        (a_budget_left_out, "budgets-scored"),
        (a_budget_told_twice, "budgets-scored"),
        (fewer_rounds_to_target, "target-told"),
        (fewer_bytes_to_target, "target-told"),
        (an_easier_target, "target-told"),
        (no_word_of_the_target, "target-told"),
        (time_beyond_belief, "target-told"),
        (reached_though_it_was_not, "target-told"),
        (better_answers_for_the_least_budget, "budgets-answered"),
        (two_answers_of_one_adapter, "budgets-answered"),
        (the_tuned_models_answers, "answers-possible"),
        (answers_of_a_budget_dropped, "answers-possible"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_forgery_that_is_sealed_again_falls(
    budgeted: forge.World, bundle: forge.Forged, edit: Callable[[forge.Forged], None], check: str
) -> None:
    edit(bundle)
    forge.reseal(bundle)
    verdict = budgeted.verdict(bundle.files)
    assert check in failed(verdict) and not verdict.accepted, evidence(verdict, check)
    assert all(one.code != "FTB699" for one in verdict.checks)


def test_a_bundle_without_budgets_tells_none(tmp_path: Path) -> None:
    world = forge.make_world(tmp_path)
    forged = forge.make(world)
    assert world.verdict(forged.files).level == "RESCORED"
    with forged.result() as result:
        result["within"] = [{"communication_mib": 1.0, "round": 4, "bytes": 1, "adapter": "a" * 64}]
        result["cost_to_target"] = {"validation_loss": 1.0}
    forge.reseal(forged)
    assert {"budgets-scored", "target-told"} <= set(failed(world.verdict(forged.files)))
