"""Attacks that keep every count and digest in order and tell what no run could have told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from attacks import attack
from attacks_ledger import rounds
from forge import Forged, adapter

from ftbench.result import names

CHOICES = ("jars", "shelves")


def interrupt(f: Forged, reason: str, excluded: list[dict[str, Any]], times: int = 1) -> None:
    """Stop before the first round and go on, so often."""
    stop = {"event": "stopped", "round": 1, "reason": reason, "excluded": excluded, "detail": ""}
    with f.lines() as lines:
        bodies: list[dict[str, Any]] = [stop, {"event": "resumed", "after_round": 0}] * times
        lines[1:1] = [{"seq": 0, "prev": "0" * 64, "body": dict(body)} for body in bodies]


def asked(f: Forged) -> list[int]:
    with f.round(1) as body:
        return list(body["sampled"])


@attack(sealed="stops-possible")
def budget_run_out_and_gone_on(f: Forged) -> None:
    interrupt(f, "communication-budget", [])


@attack(sealed="stops-possible")
def round_asked_again_until_it_suits(f: Forged) -> None:
    """Enough replies had come each time."""
    interrupt(f, "too-few-replies", [], times=20)


@attack(sealed="stops-possible")
def round_stopped_over_clients_not_asked(f: Forged) -> None:
    interrupt(f, "too-few-replies", [{"partition": n, "reason": "error", "detail": ""} for n in range(6)])


@attack(sealed="stops-possible")
def clients_left_out_by_the_operator(f: Forged) -> None:
    interrupt(f, "operator-limit", [{"partition": asked(f)[0], "reason": "error", "detail": ""}])


@attack(sealed=None)
def round_asked_again_since_nobody_replied(f: Forged) -> None:
    """The ledger says so, and the verdict passes it on."""
    interrupt(f, "too-few-replies", [{"partition": n, "reason": "missing", "detail": ""} for n in asked(f)])


@attack(sealed=None)
def unwelcome_clients_left_out(f: Forged) -> None:
    """Down to the fewest replies allowed; the verdict says that nobody can tell why."""
    with f.round(4) as body:
        gone = body["replies"].pop(1)
        body["bytes_up"] -= body["bytes_up"] // (len(body["replies"]) + 1)
        body["excluded"] = [{"partition": gone["partition"], "reason": "missing", "detail": ""}]
        body["adapter"] = body["replies"][0]["update"] if len(body["replies"]) == 1 else body["adapter"]


@attack(sealed="state-kept")
def server_with_a_state_of_its_own(f: Forged) -> None:
    with f.lines() as lines:
        for body in rounds(lines):
            body["strategy_state"] = "ab" * 32


@attack(sealed="state-kept")
def clients_with_a_state_of_their_own(f: Forged) -> None:
    with f.round(1) as body:
        body["client_states"] = {"0": "ab" * 32}


@attack(sealed="losses-possible")
def loss_below_zero(f: Forged) -> None:
    with f.round(4) as body:
        body["replies"][0]["loss"] = -1.0


@attack(raw="documents-parse", sealed="documents-parse")
def losses_that_overflow_a_mean(f: Forged) -> None:
    """One such bundle ended the site of everybody."""
    with f.lines() as lines:
        for body in rounds(lines):
            for reply in body["replies"]:
                reply["loss"] = 1.7e308


@attack(raw="documents-parse", sealed="documents-parse")
def a_system_of_a_million_letters(f: Forged) -> None:
    """It stands on the entry's page."""
    with f.json(names.ENVIRONMENT) as environment:
        environment["system"] = "x" * 10**6


@attack(sealed="averaging")
def update_that_is_an_earlier_mean(f: Forged) -> None:
    with f.lines() as lines:
        bodies = rounds(lines)
        bodies[3]["replies"][0]["update"] = bodies[0]["adapter"]


@attack(sealed="averaging")
def update_that_is_the_adapter_of_the_beginning(f: Forged) -> None:
    with f.lines() as lines:
        rounds(lines)[3]["replies"][0]["update"] = lines[0]["body"]["adapter"]


def zero_factor(f: Forged, element: bytes) -> None:
    found = adapter.read_tensors(f.files[names.ADAPTER], names.ADAPTER)
    for name, tensor in found.items():
        if "lora_B" in name:
            found[name] = adapter.Tensor(tensor.shape, element * (len(tensor.data) // 4))
    f.files[names.ADAPTER] = adapter.write_tensors(found)


@attack(sealed="adapter-trained")
def adapter_that_does_nothing(f: Forged) -> None:
    zero_factor(f, b"\0\0\0\0")


@attack(sealed="adapter-trained")
def adapter_of_negative_zeros(f: Forged) -> None:
    zero_factor(f, b"\0\0\0\x80")


def in_factors(f: Forged, edit: Callable[[Any, Any], None]) -> None:
    """Edit B and A of every module; each factor keeps numbers that are not zero."""
    found = adapter.read_tensors(f.files[names.ADAPTER], names.ADAPTER)
    for name in [name for name in found if "lora_B" in name]:
        pair = [name, name.replace("lora_B", "lora_A")]
        b, a = (np.frombuffer(found[one].data, "<f4").reshape(found[one].shape).copy() for one in pair)
        edit(b, a)
        assert b.any() and a.any()
        found |= {one: adapter.Tensor(t.shape, t.tobytes()) for one, t in zip(pair, (b, a), strict=True)}
    f.files[names.ADAPTER] = adapter.write_tensors(found)


@attack(sealed="adapter-trained")
def factors_that_never_meet(f: Forged) -> None:
    """B's columns are zero where A's rows are not."""

    def edit(b: Any, a: Any) -> None:
        b[:, 2:], a[:2] = 0, 0

    in_factors(f, edit)


@attack(sealed="adapter-trained")
def directions_that_cancel(f: Forged) -> None:
    """No number in the factors is zero, every number of the product is."""

    def edit(b: Any, a: Any) -> None:
        b[:, 1::2], a[1::2] = b[:, ::2], -a[::2]

    in_factors(f, edit)


@attack(sealed="adapter-trained")
def product_too_small_for_float32(f: Forged) -> None:
    def edit(b: Any, a: Any) -> None:
        b *= np.float32(1e-30)
        a *= np.float32(1e-30)

    in_factors(f, edit)


@attack(sealed="adapter-trained")
def product_too_large_for_float32(f: Forged) -> None:
    def edit(b: Any, a: Any) -> None:
        b *= np.float32(1e30)
        a *= np.float32(1e30)

    in_factors(f, edit)


@attack(sealed="references-named")
def reference_that_was_never_trained(f: Forged) -> None:
    with f.lines() as lines, f.result() as result:
        result["references"]["centralised"] = lines[0]["body"]["adapter"]


@attack(sealed="references-named")
def reference_that_is_a_round_of_the_run(f: Forged) -> None:
    with f.lines() as lines, f.result() as result:
        result["references"]["centralised"] = rounds(lines)[0]["adapter"]


@attack(sealed="answers-possible")
def reference_that_answers_as_the_untuned_model(f: Forged) -> None:
    """So that tuning together looks better than tuning on pooled data."""
    for task in CHOICES:
        with f.samples(task) as answers:
            for sample in answers:
                sample["references"]["centralised"] = sample["untuned"]


@attack(sealed="answers-possible")
def reference_that_answers_as_the_tuned_model(f: Forged) -> None:
    for task in CHOICES:
        with f.samples(task) as answers:
            for sample in answers:
                sample["references"]["centralised"] = sample["tuned"]


@attack(sealed="answers-possible")
def every_option_certain(f: Forged) -> None:
    """Probabilities of answers that exclude each other add up to one at most; the first of equals is chosen."""
    with f.samples("jars") as answers:
        for sample in answers:
            sample["tuned"]["loglikelihoods"] = [0.0 for _ in sample["options"]]


@attack(sealed="texts-possible")
def text_that_goes_on_after_the_stop(f: Forged) -> None:
    with f.samples("jars") as answers:
        answers[0]["tuned"]["text"] = "no idea\n red"


@attack(sealed="texts-possible")
def program_longer_than_the_token_budget(f: Forged) -> None:
    with f.samples("sums") as answers:
        answers[0]["tuned"]["text"] += "\n" + "#" * 400_000


@attack(sealed="cost-told")
def time_that_overflows_a_mean(f: Forged) -> None:
    """Two of these ended the leaderboard of everybody."""
    with f.result() as result:
        result["cost"]["train_seconds"] = 1.7e308


@attack(sealed="scores-recomputed", keep="scores")
def tie_won_by_the_last_digit(f: Forged) -> None:
    with f.result() as result:
        result["scores"]["tuned"]["value"] *= 1 + 5e-13


@attack(sealed="privacy-accounted")
def privacy_that_nobody_promised(f: Forged) -> None:
    with f.result() as result:
        result["privacy"] = {
            "kind": "central",
            "epsilon": 1.0,
            "delta": 1e-5,
            "limit": 1.0,
            "noise_multiplier": 9.0,
            "clipping": "fixed",
        }


@attack(sealed="privacy-accounted")
def a_round_with_privacy_that_nobody_promised(f: Forged) -> None:
    with f.round(2) as body:
        body["privacy"] = {"epsilon": 1.0, "clip": 1.0}


def chosen(f: Forged, **changed: Any) -> None:
    """As a sweep says that it chose the rank, but for what is changed."""
    told = {"by": "validation", "trials": 3, "seed": 1, "tuned": ["adapter.rank"], "losses": [1.0, 2.0, None]}
    with f.result() as result:
        result["selection"] = told | changed


@attack(sealed="documents-parse", raw="documents-parse")
def more_trials_told_than_there_are_losses(f: Forged) -> None:
    """A table of equal trials sets beside each other what was not tuned alike."""
    chosen(f, trials=12)


@attack(sealed="documents-parse", raw="documents-parse")
def chosen_of_trials_that_all_failed(f: Forged) -> None:
    chosen(f, losses=[None, None, None])


@attack(sealed="entry-allowed")
def a_frozen_value_told_to_have_been_tuned(f: Forged) -> None:
    chosen(f, tuned=["adapter.rank", "federation.rounds"])


@attack(sealed="entry-allowed")
def trials_of_a_seed_of_ones_own(f: Forged) -> None:
    chosen(f, seed=77)


@attack(sealed="names-safe", raw="names-safe")
def look_alike_of_a_file(f: Forged) -> None:
    """With a Cyrillic letter, which nobody sees in a list."""
    f.files["samples/j\u0430rs.jsonl.gz"] = f.files[names.samples_name("jars")]


@attack(sealed="manifest-digests", raw="manifest-digests", keep="manifest")
def manifest_written_otherwise(f: Forged) -> None:
    """The same to any reader of JSON, and another digest: what was withdrawn by its digest would come back."""
    f.files[names.MANIFEST] = f.files[names.MANIFEST].replace(b'"result.json"', b'"\\u0072esult.json"')
