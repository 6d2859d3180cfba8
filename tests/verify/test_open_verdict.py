"""The open division: what is still checked, what is not, and that it is said."""

from __future__ import annotations

import sys
from collections.abc import Callable

import attacks_bundle
import attacks_ledger
import forge
import pytest
from attacks_open import MODULES, bring

from ftbench.result import names
from ftbench.verify.render import text


def state_of_nobody(f: forge.Forged) -> None:
    """A client that did not reply left a state."""
    with f.round(2) as body:
        body["client_states"] = {str(body["excluded"][0]["partition"]): "ab" * 32}


STILL_CAUGHT: dict[Callable[[forge.Forged], None], str] = {
    attacks_ledger.unchosen_client: "client-choice",
    attacks_ledger.weights_edited: "example-counts",
    attacks_ledger.learning_rate_of_ones_own: "learning-rate",
    attacks_ledger.more_steps_than_allowed: "local-steps",
    state_of_nobody: "state-kept",
    attacks_ledger.fewer_rounds_than_claimed: "rounds-complete",
    attacks_ledger.budget_understated_in_the_last_line: "bytes-counted",
    attacks_ledger.validation_loss_left_out: "checkpoint-chosen",
    attacks_bundle.extra_file: "files-permitted",
}
NOT_CAUGHT: dict[Callable[[forge.Forged], None], str] = {
    attacks_ledger.mean_of_one_reply_is_another_adapter: "averaging",
    attacks_ledger.one_clients_update_taken_for_the_mean: "averaging",
    attacks_ledger.budget_understated: "bytes-counted",
}


def verdict_of(world: forge.World, bundle: forge.Forged) -> forge.Verdict:
    forge.reseal(bundle)
    return world.verdict(bundle.files)


@pytest.mark.parametrize("kinds", [("strategy",), ("client",), ("strategy", "client")], ids="-".join)
def test_a_genuine_one_is_rescored_and_says_what_it_is(
    world: forge.World, genuine: forge.Forged, kinds: tuple[str, ...]
) -> None:
    bring(genuine, *kinds)
    verdict = verdict_of(world, genuine)
    assert verdict.accepted, [(c.check, c.evidence) for c in verdict.checks if c.outcome != "passed"]
    assert verdict.result is not None and verdict.result.division == "open"
    told = {check.check: check.evidence for check in verdict.checks}
    not_made = "open division: not checked" if "strategy" in kinds else "4 rounds; updates are not looked at"
    assert told["averaging"] == not_made
    assert any("as many steps as it says" in note for note in verdict.not_checked) == ("client" in kinds)
    assert (told["state-kept"] == "open division: not checked") == ("strategy" in kinds)
    assert told["division-told"].startswith("open")
    server, client = "strategy" in kinds, "client" in kinds
    assert told["bytes-counted"].startswith("open division: not checked") == server
    assert told["losses-possible"].endswith("open division: not checked" if client else "none below 0")
    assert ("as told" in told["budget-kept"]) == server != ("worst case" in told["budget-kept"])
    assert any("worst" in note or "more than was left" in note for note in verdict.not_checked) == server
    assert any("never read or run here" in note for note in verdict.not_checked)
    assert "open division" in text(verdict, "bundle").splitlines()[2]


def test_nothing_of_it_is_imported(world: forge.World, genuine: forge.Forged) -> None:
    """A module that would end the process that reads it as Python, and one that is none, are bytes here."""
    hostile = b"import os\nos._exit(3)\nthis is no python\n"
    before = dict(MODULES)
    try:
        MODULES.update(strategy=hostile, client=hostile)
        bring(genuine)
        assert verdict_of(world, genuine).accepted
    finally:
        MODULES.update(before)
    assert not any("open_strategy" in name for name in sys.modules)


@pytest.mark.parametrize("edit", STILL_CAUGHT, ids=lambda edit: edit.__name__)
def test_what_stays_frozen_is_still_checked(
    world: forge.World, genuine: forge.Forged, edit: Callable[[forge.Forged], None]
) -> None:
    from attacks import all_attacks

    bring(genuine)
    genuine.keep = set(next((attack.keep for attack in all_attacks() if attack.edit is edit), ""))
    edit(genuine)
    verdict = verdict_of(world, genuine)
    assert not verdict.accepted
    assert STILL_CAUGHT[edit] in [check.check for check in verdict.checks if check.outcome == "failed"]


@pytest.mark.parametrize("edit", NOT_CAUGHT, ids=lambda edit: edit.__name__)
def test_what_follows_from_closed_code_is_not(
    world: forge.World, genuine: forge.Forged, edit: Callable[[forge.Forged], None]
) -> None:
    bring(genuine)
    edit(genuine)
    verdict = verdict_of(world, genuine)
    assert verdict.accepted, [(c.check, c.evidence) for c in verdict.checks if c.outcome != "passed"]
    assert any("the entry's own code" in note for note in verdict.not_checked)


def test_code_for_clients_leaves_the_server_as_it_is(world: forge.World, genuine: forge.Forged) -> None:
    """What clients send is theirs; that the server takes one of several updates for their mean is not."""
    bring(genuine, "client")
    attacks_ledger.client_that_sent_back_what_it_got(genuine)
    assert verdict_of(world, genuine).accepted
    attacks_ledger.one_clients_update_taken_for_the_mean(genuine)
    verdict = verdict_of(world, genuine)
    assert [check.check for check in verdict.checks if check.outcome == "failed"] == ["averaging"]


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a\0b", b"#" * (2**18 + 1)], ids=["no-utf8", "nul", "large"])
def test_what_is_no_module_is_refused(world: forge.World, genuine: forge.Forged, data: bytes) -> None:
    before = dict(MODULES)
    try:
        MODULES.update(strategy=data)
        bring(genuine, "strategy")
    finally:
        MODULES.update(before)
    verdict = verdict_of(world, genuine)
    assert "division-told" in [check.check for check in verdict.checks if check.outcome == "failed"]


def test_the_archive_of_an_open_bundle_is_read(world: forge.World, genuine: forge.Forged, tmp_path: forge.Path) -> None:
    from ftbench.result.bundle import open_bundle, pack

    bring(genuine)
    forge.reseal(genuine)
    packed = pack(forge.write_folder(genuine.files, tmp_path / "bundle"), tmp_path / "bundle.zip")
    assert set(names.OPEN.values()) <= set(open_bundle(packed).files)
