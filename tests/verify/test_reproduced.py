"""The level REPRODUCED: another signer's whole run came to the same, and the reader's policy counts that signer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attacks_signature
import forge
import keys
import pytest

from ftbench.board.gather import gather
from ftbench.board.reproduced import with_reproductions
from ftbench.errors import InvalidInput
from ftbench.result import names
from ftbench.result.documents import Verdict
from ftbench.signing import keygen, kinds
from ftbench.signing.keygen import Signers
from ftbench.verify.limits import BY_ANOTHER
from ftbench.verify.policy import By, Policy, read
from ftbench.verify.verifier import verify

ADA, BEA = "ada@example.org", "bea@example.org"
Edit = Callable[[forge.Forged], None]
KEYS: dict[str, Path] = {}


def key(who: str) -> Path:
    if who not in KEYS:
        KEYS[who] = attacks_signature.key() if who == ADA else keys.make_key(attacks_signature.key().parent, who)
    return KEYS[who]


def bundle(made: forge.Forged, folder: Path, who: str | None) -> Path:
    if who is not None:
        made.files[names.SIGNATURE] = keygen.sign(made.files[names.MANIFEST], key(who), kinds.BUNDLE)
    return forge.write_folder(made.files, folder)


def machine_of_its_own(f: forge.Forged) -> None:
    with f.result() as result:
        result["cost"] |= {"train_seconds": 99.5, "evaluate_seconds": 9.25, "peak_memory_bytes": 2**29}


def vectors(f: forge.Forged, name: str | None) -> None:
    with f.json(names.ENVIRONMENT) as environment:
        environment["instructions"] = name


def on_an_accelerator(f: forge.Forged) -> None:
    machine_of_its_own(f)
    with f.result() as result:
        result["bit_reproducible"] = False


def answers(f: forge.Forged, change: Callable[[Any], None], number: int = 999) -> None:
    for task in ("jars", "shelves"):
        with f.samples(task) as lines:
            for line in lines[:number]:
                change(line)


def judged(
    world: forge.World,
    tmp_path: Path,
    edit: Edit,
    *,
    policy: Policy | None = None,
    by: str | None = BEA,
    of: str | None = ADA,
    listed: bool = True,
    seed: int = 1,
) -> Verdict:
    """The verdict on the genuine bundle, held to a second one that `edit` made of the same run."""
    first = forge.make(world)
    vectors(first, "avx512")
    forge.reseal(first)
    second = first.copy() if seed == 1 else forge.make(world, seed)
    edit(second)
    forge.reseal(second)
    one, two = bundle(first, tmp_path / "a", of), bundle(second, tmp_path / "b", by)
    signers = keys.signers(tmp_path / "signers", (ADA, "", key(ADA)), (BEA, "", key(BEA))) if listed else None
    return verify(
        one,
        store=world.store,
        benchmarks=[world.root / "benchmarks"],
        required="REPRODUCED",
        signers=Signers(signers) if signers else None,
        by=By(two, policy or Policy(format="ftbench/policy/v1", independent=[BEA])),
    )


def outcomes(verdict: Verdict) -> dict[str, str]:
    return {one.check: one.outcome for one in verdict.checks if one.level == "REPRODUCED"}


def evidence(verdict: Verdict, check: str) -> str:
    return next(one.evidence for one in verdict.checks if one.check == check)


def test_another_signer_s_run_that_came_to_the_same(world: forge.World, tmp_path: Path) -> None:
    verdict = judged(world, tmp_path, machine_of_its_own)
    assert verdict.level == "REPRODUCED" and verdict.accepted, outcomes(verdict)
    assert verdict.reproduced_by is not None and not verdict.reproduced_by.own
    assert verdict.reproduced_by.signature.identity == BEA
    assert BY_ANOTHER in verdict.not_checked and any("is no copy" in one for one in verdict.not_checked)


def test_the_reader_s_own_run_is_told_as_such(world: forge.World, tmp_path: Path) -> None:
    verdict = judged(world, tmp_path, machine_of_its_own, policy=Policy(format="ftbench/policy/v1", own=[BEA]))
    assert verdict.reproduced_by is not None and verdict.reproduced_by.own


def policy(**given: Any) -> Policy:
    return Policy(format="ftbench/policy/v1", **given)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (policy(), "does not name bea@example.org"),
        (policy(independent=[ADA]), "does not name bea@example.org"),
        (policy(independent=[BEA], related=[[ADA, BEA]]), "belong together"),
        (policy(independent=[BEA], related=[[ADA.upper(), "Bea@example.org"]]), "belong together"),
    ],
)
def test_whose_runs_do_not_count(world: forge.World, tmp_path: Path, given: Policy, why: str) -> None:
    verdict = judged(world, tmp_path, machine_of_its_own, policy=given)
    assert verdict.level == "RESCORED" and not verdict.accepted and verdict.reproduced_by is None
    assert outcomes(verdict)["other-signer"] == "failed" and why in evidence(verdict, "other-signer")


def test_ones_own_second_run_counts_for_nothing(world: forge.World, tmp_path: Path) -> None:
    verdict = judged(world, tmp_path, machine_of_its_own, by=ADA)
    assert verdict.level == "RESCORED" and "the key" in evidence(verdict, "other-signer")


def test_nobody_knows_who_signed(world: forge.World, tmp_path: Path) -> None:
    for number, (by, of, listed) in enumerate([(None, ADA, False), (BEA, None, False), (BEA, ADA, False)]):
        verdict = judged(world, tmp_path / str(number), machine_of_its_own, by=by, of=of, listed=listed)
        assert verdict.level == "RESCORED" and outcomes(verdict)["other-signer"] == "not-run"


def test_a_copy_signed_again_is_identical(world: forge.World, tmp_path: Path) -> None:
    verdict = judged(world, tmp_path, lambda _: None)
    assert verdict.level == "RESCORED" and "identical to" in evidence(verdict, "other-apart")
    assert "the same manifest" in evidence(verdict, "other-apart")


def test_a_copy_with_another_environment_has_the_same_times(world: forge.World, tmp_path: Path) -> None:
    def edit(f: forge.Forged) -> None:
        with f.json(names.ENVIRONMENT) as environment:
            environment["cpu_count"] = 64

    verdict = judged(world, tmp_path, edit)
    assert verdict.level == "RESCORED" and "the same times" in evidence(verdict, "other-apart")


def test_another_seed_is_another_run(world: forge.World, tmp_path: Path) -> None:
    verdict = judged(world, tmp_path, machine_of_its_own, seed=2)
    assert verdict.level == "RESCORED" and "of seed 2" in evidence(verdict, "other-believed")


def test_another_bundle_that_is_not_believed(world: forge.World, tmp_path: Path) -> None:
    def edit(f: forge.Forged) -> None:
        machine_of_its_own(f)
        f.keep.add("scores")
        with f.result() as result:
            result["scores"]["tuned"]["value"] = 0.9

    verdict = judged(world, tmp_path, edit)
    assert verdict.level == "RESCORED" and outcomes(verdict)["other-believed"] == "not-run"


def other_update(f: forge.Forged) -> None:
    machine_of_its_own(f)
    with f.round(1) as body:
        body["replies"][0]["update"] = "ab" * 32


def other_answers(f: forge.Forged) -> None:
    machine_of_its_own(f)

    def worse(line: Any) -> None:
        line["tuned"]["loglikelihoods"] = [value - 0.01 for value in line["tuned"]["loglikelihoods"]]

    answers(f, worse, 1)


def other_text_of_a_program(f: forge.Forged) -> None:
    machine_of_its_own(f)
    with f.samples("sums") as lines:
        lines[0]["tuned"]["text"] += "  "


@pytest.mark.parametrize("edit", [other_update, other_answers, other_text_of_a_program], ids=lambda e: e.__name__)
def test_on_a_cpu_all_must_be_equal(world: forge.World, tmp_path: Path, edit: Edit) -> None:
    verdict = judged(world, tmp_path, edit)
    assert verdict.level == "RESCORED" and outcomes(verdict)["other-agrees"] == "failed", outcomes(verdict)


def test_processors_of_another_kind_end_at_other_digests(world: forge.World, tmp_path: Path) -> None:
    """Then the scores must agree. Of one kind, digests that differ are a failure."""

    def edit(f: forge.Forged, name: str | None) -> None:
        other_update(f)
        f.set_adapter(4, 77)
        vectors(f, name)

    for name, level in (("avx2", "REPRODUCED"), (None, "REPRODUCED"), ("avx512", "RESCORED")):
        verdict = judged(world, tmp_path / str(name), lambda f, name=name: edit(f, name))  # type: ignore[misc]
        assert verdict.level == level, (name, evidence(verdict, "other-agrees"))


def test_where_nothing_is_promised_scores_must_agree(world: forge.World, tmp_path: Path) -> None:
    def near(f: forge.Forged) -> None:
        on_an_accelerator(f)
        f.set_adapter(4, 77)
        answers(
            f, lambda line: line["tuned"].update(loglikelihoods=[v - 0.02 for v in line["tuned"]["loglikelihoods"]])
        )

    def far(f: forge.Forged) -> None:
        near(f)
        answers(f, lambda line: line["tuned"].update(loglikelihoods=line["untuned"]["loglikelihoods"]), 16)
        answers(
            f, lambda line: line["tuned"]["loglikelihoods"].__setitem__(0, line["tuned"]["loglikelihoods"][0] - 1e-4)
        )

    verdict = judged(world, tmp_path / "near", near)
    assert verdict.level == "REPRODUCED", outcomes(verdict)
    assert "nothing promises equal digests" in evidence(verdict, "other-agrees")
    verdict = judged(world, tmp_path / "far", far)
    assert verdict.level == "RESCORED" and "the scores lie" in evidence(verdict, "other-agrees")


def test_equal_digests_that_nothing_promises_are_a_copy(world: forge.World, tmp_path: Path) -> None:
    verdict = judged(world, tmp_path, on_an_accelerator)
    assert verdict.level == "RESCORED" and "identical to" in evidence(verdict, "other-apart")


def test_spellings_of_one_name_do_not_count_for_one_another() -> None:
    """To be excluded any spelling will do, to be counted only the very one."""
    assert "spellings" in policy(independent=["Ada@example.org"]).counts("Ada@example.org", ADA)
    assert "spellings" in policy(independent=["\uff41da@example.org"]).counts("\uff41da@example.org", ADA)
    assert "does not name" in policy(independent=[BEA]).counts("Bea@example.org", ADA)
    assert "does not name" in policy(independent=["*"]).counts(BEA, ADA)
    assert policy(independent=[BEA]).counts(BEA, ADA) == ""


def told(line: Any, option: int) -> list[float]:
    """Log-likelihoods by which an option is chosen."""
    return [-0.1 - line["index"] / 1e4 if place == option else -3.5 - place for place in range(len(line["options"]))]


def references_invented(f: forge.Forged) -> None:
    """The centralised model is told to be right of everything: no run here was held to that before."""
    answers(f, lambda line: line["references"]["centralised"].update(loglikelihoods=told(line, line["target"])))


def texts_invented(f: forge.Forged) -> None:
    """What the models wrote is scored too, beside the log-likelihoods that rank."""

    def right(line: Any) -> None:
        line["untuned"]["text"], line["tuned"]["text"] = "", f" I say{line['options'][line['target']]}"

    answers(f, right)


@pytest.mark.parametrize("instructions", ["avx512", "avx2"])
@pytest.mark.parametrize("edit", [references_invented, texts_invented], ids=lambda e: e.__name__)
def test_what_stands_beside_the_means_must_agree_too(
    world: forge.World, tmp_path: Path, edit: Edit, instructions: str
) -> None:
    """A cheat who invents these finds an honest run of the same entry: it bears out the rest, and not that."""

    def invented(f: forge.Forged) -> None:
        machine_of_its_own(f)
        vectors(f, instructions)
        edit(f)

    verdict = judged(world, tmp_path, invented)
    assert verdict.level == "RESCORED" and outcomes(verdict)["other-agrees"] == "failed", outcomes(verdict)


def test_a_text_by_chance_otherwise_is_let_through(world: forge.World, tmp_path: Path) -> None:
    """A token that nearly tied: one text of all that the log-likelihoods rank beside."""

    def edit(f: forge.Forged) -> None:
        machine_of_its_own(f)
        answers(f, lambda line: line["tuned"].update(text=line["tuned"]["text"] + " indeed"), 1)

    verdict = judged(world, tmp_path, edit)
    assert verdict.level == "REPRODUCED", outcomes(verdict)
    assert "2 texts otherwise" in evidence(verdict, "other-agrees")


def test_policies_are_read_strictly(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(f"format: ftbench/policy/v1\nindependent: [{BEA}]\nrelated:\n- [{ADA}, {BEA}]\n")
    assert read(path) == policy(independent=[BEA], related=[[ADA, BEA]])
    whole = "format: ftbench/policy/v1\n"
    twice, tagged = f"{whole}related: [[a, b]]\nrelated: []\n", f"{whole}own: !!str [a]\n"
    for text in ("independent: [a]\n", f"{whole}independant: [a]\n", "- a\n", "\0", "a: *b\n", twice, tagged):
        path.write_text(text)
        with pytest.raises(InvalidInput, match="no policy"):
            read(path)
    with pytest.raises(InvalidInput, match="cannot be read"):
        read(tmp_path / "none.yaml")


def test_the_command_line(world: forge.World, genuine: forge.Forged, tmp_path: Path) -> None:
    second = genuine.copy()
    machine_of_its_own(second)
    forge.reseal(second)
    one, two = bundle(genuine, tmp_path / "a", ADA), bundle(second, tmp_path / "b", BEA)
    signers = keys.signers(tmp_path / "signers", (ADA, "", key(ADA)), (BEA, "", key(BEA)))
    (tmp_path / "policy.yaml").write_text(f"format: ftbench/policy/v1\nown: [{BEA}]\n")
    held = ["--store", world.store.joined(), "--benchmarks", world.root / "benchmarks", "--signers", signers]

    def said(*more: str | Path) -> subprocess.CompletedProcess[str]:
        words = ["verify", one, "--reproduced-by", two, *held, *more]
        command = [sys.executable, "-m", "ftbench", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = said("--policy", tmp_path / "policy.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "REPRODUCED (accepted" in done.stdout and f"reproduced by {BEA}, the verifier" in done.stdout
    done = said()
    assert done.returncode == 1 and "does not name" in done.stdout


def test_a_board_shows_who_reproduced_a_row(world: forge.World, genuine: forge.Forged, tmp_path: Path) -> None:
    second, copy = genuine.copy(), genuine.copy()
    machine_of_its_own(second)
    forge.reseal(second)
    folder = tmp_path / "entries"
    bundle(genuine, folder / "a", ADA)
    bundle(second, folder / "b", BEA)
    with copy.json(names.ENVIRONMENT) as environment:
        environment["cpu_count"] = 64
    forge.reseal(copy)
    bundle(copy, folder / "c", "cai@example.org")
    people = [(who, "", key(who)) for who in (ADA, BEA, "cai@example.org")]
    signers = keys.signers(tmp_path / "signers", *people)
    known = Signers(signers)
    held = policy(independent=[BEA, "cai@example.org"])

    def hold(one: Path, other: Path) -> Verdict:
        return verify(one, store=world.store, benchmarks=[world.root / "benchmarks"], signers=known, by=By(other, held))

    found = gather(
        [folder],
        store=world.store,
        benchmarks=[world.root / "benchmarks"],
        plans={world.compiled.plan.spec_hash: world.compiled.plan},
        required="RESCORED",
        decided=lambda given: with_reproductions(given, {n: folder / n for n in "abc"}, hold),
    )
    [row] = found.board.tables[0].rows
    assert row.level == "REPRODUCED" and {one.path: one.level for one in row.bundles} == {
        "a": "REPRODUCED",
        "b": "REPRODUCED",  # by c, which is a copy of a with other words: the policy vouches for its signer
        "c": "REPRODUCED",
    }
    assert f"REPRODUCED by {BEA} (b)" in row.notes
