"""Attacks on the ledger, and on what it must agree with."""

from __future__ import annotations

import json
from itertools import pairwise

from attacks import attack
from forge import ROWS, Forged

from ftbench.result import ledger, names
from ftbench.spec.canonical import canonical, sha256


def rounds(lines: list) -> list:
    return [line["body"] for line in lines if line["body"]["event"] == "round"]


def drop_client(body: dict, position: int = 0) -> None:
    """One client less in a round, bytes and all."""
    body["bytes_down"] -= body["bytes_down"] // len(body["sampled"])
    body["bytes_up"] -= body["bytes_up"] // len(body["replies"])
    client = body["replies"].pop(position)["partition"]
    body["sampled"].remove(client)


@attack(sealed="client-choice")
def fewer_clients_than_claimed(f: Forged) -> None:
    with f.round(1) as body:
        drop_client(body)


@attack(sealed="run-conditions")
def smaller_federation(f: Forged) -> None:
    with f.lines() as lines:
        lines[0]["body"]["clients"] = 3


@attack(sealed="rounds-complete")
def fewer_rounds_than_claimed(f: Forged) -> None:
    with f.lines() as lines:
        lines[:] = [line for line in lines if line["body"].get("round") != 4]
        lines[-1]["body"]["rounds"] = 3


@attack(sealed="run-conditions")
def fewer_rounds_from_the_start(f: Forged) -> None:
    with f.lines() as lines:
        lines[:] = [line for line in lines if line["body"].get("round") != 4]
        lines[0]["body"]["rounds"] = lines[-1]["body"]["rounds"] = 3


@attack(sealed="rounds-complete")
def more_rounds_than_allowed(f: Forged) -> None:
    with f.lines() as lines:
        more = json.loads(canonical(lines[-2]))
        more["body"]["round"] = 5
        more["body"]["adapter"] = "ab" * 32
        for number, reply in enumerate(more["body"]["replies"]):
            reply["update"] = f"{number:064x}"
        lines.insert(-1, more)
        lines[-1]["body"]["rounds"] = 5


@attack(sealed="client-choice")
def unchosen_client(f: Forged) -> None:
    """The client with the best rows takes another's place."""
    with f.round(3) as body:
        other = next(c for c in range(6) if c not in body["sampled"])
        body["sampled"][-1] = body["replies"][-1]["partition"] = other
        body["replies"].sort(key=lambda reply: reply["partition"])
        body["sampled"].sort()


@attack(sealed="client-choice")
def seed_changed_after_the_run(f: Forged) -> None:
    """A stale run under another seed's name."""
    with f.entry() as entry:
        entry["seed"] = 2
    with f.result() as result:
        result["seed"] = 2
    with f.lines() as lines:
        lines[0]["body"]["seed"] = 2


@attack(sealed="entry-digest")
def seed_changed_in_the_result(f: Forged) -> None:
    with f.result() as result:
        result["seed"] = 3


@attack(sealed="example-counts")
def centralised_passed_off_as_federated(f: Forged) -> None:
    """One client holds all rows, the others none."""
    with f.lines() as lines:
        for body in rounds(lines):
            for number, reply in enumerate(body["replies"]):
                reply["examples"] = 0 if number else ROWS


@attack(sealed="client-choice")
def centralised_with_one_client(f: Forged) -> None:
    with f.lines() as lines:
        for body in rounds(lines):
            while len(body["replies"]) > 1:
                drop_client(body, 1)
            body["adapter"] = body["replies"][0]["update"]
            body["replies"][0]["examples"] = ROWS


@attack(sealed="example-counts")
def weights_edited(f: Forged) -> None:
    with f.round(1) as body:
        body["replies"][0]["examples"] *= 5


@attack(sealed="example-counts")
def more_rows_used_than_held(f: Forged) -> None:
    with f.lines() as lines:
        for body in rounds(lines):
            for reply in body["replies"]:
                reply["used"] = reply["examples"] + 1


@attack(sealed="example-counts")
def rows_used_that_differ_from_round_to_round(f: Forged) -> None:
    with f.lines() as lines:
        for number, body in enumerate(rounds(lines)):
            for reply in body["replies"]:
                reply["used"] = reply["examples"] - number


@attack(sealed="example-counts")
def no_row_used(f: Forged) -> None:
    with f.round(1) as body:
        body["replies"][0]["used"] = 0


@attack(sealed="cost-told")
def rows_used_told_otherwise_than_in_the_ledger(f: Forged) -> None:
    with f.result() as result:
        result["cost"]["rows_used"] = 7


@attack(sealed="local-steps")
def more_steps_than_allowed(f: Forged) -> None:
    with f.lines() as lines:
        for body in rounds(lines):
            for reply in body["replies"]:
                reply["steps"] *= 10


@attack(sealed="learning-rate")
def learning_rate_of_ones_own(f: Forged) -> None:
    with f.round(2) as body:
        body["learning_rate"] *= 3


@attack(sealed="rounds-complete")
def ledger_line_removed(f: Forged) -> None:
    with f.lines() as lines:
        del lines[2]


@attack(sealed="rounds-complete")
def ledger_lines_reordered(f: Forged) -> None:
    with f.lines() as lines:
        lines[1], lines[2] = lines[2], lines[1]


@attack(sealed="rounds-complete")
def round_committed_twice(f: Forged) -> None:
    with f.lines() as lines:
        lines.insert(2, json.loads(canonical(lines[1])))


@attack(sealed="ledger-chain", keep="ledger")
def chained_again_from_the_middle(f: Forged) -> None:
    """A line is edited and all after it follow from it; the one before it does not lead to it."""
    with f.lines() as lines:
        lines[2]["body"]["replies"][0]["loss"] = 0.25
        lines[2]["prev"] = "1" * 64
        for before, line in pairwise(lines[2:]):
            line["prev"] = sha256(canonical(before) + b"\n")
    with f.result() as result:
        result["ledger"] = ledger.head(f.files[names.LEDGER])


@attack(sealed="ledger-chain", keep="ledger")
def ledger_line_edited_chain_kept(f: Forged) -> None:
    with f.round(3) as body:
        body["replies"][0]["loss"] = 0.001


@attack(sealed="ledger-order")
def unfinished_run(f: Forged) -> None:
    with f.lines() as lines:
        del lines[-1]


@attack(sealed="ledger-order")
def stopped_run_passed_off_as_whole(f: Forged) -> None:
    with f.lines() as lines:
        body = {"event": "stopped", "round": 5, "reason": "operator-limit", "excluded": [], "detail": ""}
        lines.insert(-1, {"seq": 0, "prev": "0" * 64, "body": body})


@attack(sealed="ledger-order")
def started_in_the_middle(f: Forged) -> None:
    with f.lines() as lines:
        lines.insert(3, lines[0])


@attack(sealed="replies-complete")
def exclusion_hidden(f: Forged) -> None:
    with f.round(2) as body:
        body["excluded"] = []


@attack(sealed="faults-planned")
def unwelcome_client_told_to_have_dropped_out(f: Forged) -> None:
    """In a benchmark that plans no such thing."""
    with f.round(4) as body:
        gone = body["replies"].pop(1)["partition"]
        body["bytes_up"] -= body["bytes_up"] // (len(body["replies"]) + 1)
        body["excluded"].append({"partition": gone, "reason": "dropped-out", "detail": "", "planned": True})


@attack(sealed="faults-planned")
def failure_passed_off_as_planned(f: Forged) -> None:
    with f.lines() as lines:
        for body in rounds(lines):
            for exclusion in body["excluded"]:
                exclusion["planned"] = True


@attack(sealed="replies-complete")
def client_counted_twice(f: Forged) -> None:
    with f.round(1) as body:
        body["replies"][1] = body["replies"][0] | {"update": "ef" * 32}


@attack(sealed="replies-complete")
def more_clients_together_than_were_asked(f: Forged) -> None:
    with f.round(1) as body:
        body["clients_together"] = 2**50


@attack(sealed="averaging")
def exclusion_made_good_with_anothers_update(f: Forged) -> None:
    with f.round(2) as body:
        left_out = body["excluded"].pop()["partition"]
        sizes = f.world.compiled.plan.pins.partition.sizes
        body["replies"].append(body["replies"][0] | {"partition": left_out, "examples": sizes[left_out]})
        body["bytes_up"] += body["bytes_up"]
        while body["excluded"]:
            left_out = body["excluded"].pop()["partition"]
            body["replies"].append(
                body["replies"][0] | {"partition": left_out, "examples": sizes[left_out], "update": "12" * 32}
            )
            body["bytes_up"] += body["bytes_up"] // (len(body["replies"]) - 1)
        body["replies"].sort(key=lambda reply: reply["partition"])


@attack(sealed="averaging")
def update_replayed_from_an_earlier_round(f: Forged) -> None:
    with f.lines() as lines:
        bodies = rounds(lines)
        bodies[2]["replies"][0]["update"] = bodies[0]["replies"][0]["update"]


@attack(sealed="averaging")
def mean_of_one_reply_is_another_adapter(f: Forged) -> None:
    with f.round(2) as body:
        body["adapter"] = "cd" * 32


@attack(sealed="averaging")
def one_clients_update_taken_for_the_mean(f: Forged) -> None:
    with f.round(1) as body:
        body["adapter"] = body["replies"][0]["update"]


@attack(sealed="averaging")
def client_that_sent_back_what_it_got(f: Forged) -> None:
    with f.lines() as lines:
        bodies = rounds(lines)
        bodies[1]["replies"][0]["update"] = bodies[1]["adapter"] = bodies[0]["adapter"]


@attack(sealed="bytes-counted")
def budget_understated(f: Forged) -> None:
    with f.lines() as lines:
        for body in rounds(lines):
            body["bytes_down"] //= 2
            body["bytes_up"] //= 2


@attack(sealed="bytes-counted", keep="bytes cost")
def budget_understated_in_the_last_line(f: Forged) -> None:
    with f.lines() as lines:
        lines[-1]["body"]["bytes_down"] //= 2


@attack(sealed="cost-told", keep="cost")
def budget_understated_in_the_result(f: Forged) -> None:
    with f.result() as result:
        result["cost"]["bytes_up"] //= 2


@attack(sealed="cost-told", keep="cost")
def exclusions_understated_in_the_result(f: Forged) -> None:
    with f.result() as result:
        result["exclusions"] = 0


@attack(sealed="cost-told", keep="cost")
def exclusions_told_as_planned_in_the_result(f: Forged) -> None:
    with f.result() as result:
        result["planned_exclusions"], result["exclusions"] = result["exclusions"], 0


@attack(sealed="adapter-shape", keep="")
def parameters_understated(f: Forged) -> None:
    with f.lines() as lines:
        lines[0]["body"]["trainable_parameters"] //= 2


@attack(sealed="rounds-complete")
def smoke_flag_removed(f: Forged) -> None:
    """What a trial run leaves behind: one round, two steps, eight items."""
    with f.lines() as lines:
        lines[:] = [lines[0], lines[1], lines[-1]]
        lines[0]["body"]["rounds"] = lines[-1]["body"]["rounds"] = 1
        for reply in lines[1]["body"]["replies"]:
            reply["steps"] = 2
    for task in f.world.items:
        with f.samples(task) as answers:
            del answers[8:]


@attack(sealed=None)
def interruption_hidden(f: Forged) -> None:
    """It changes nothing that a run claims."""
    with f.lines() as lines:
        lines[:] = [line for line in lines if line["body"]["event"] != "resumed"]


@attack(sealed="checkpoint-chosen", keep="checkpoint")
def round_picked_on_the_test_set(f: Forged) -> None:
    """The last round did better there; the validation cut chose the third."""
    with f.result() as result, f.lines() as lines:
        result["checkpoint_round"] = lines[-1]["body"]["round"] = 4


@attack(sealed="checkpoint-chosen", keep="checkpoint")
def result_names_another_round(f: Forged) -> None:
    with f.result() as result:
        result["checkpoint_round"] = 2


@attack(sealed="checkpoint-chosen")
def validation_loss_left_out(f: Forged) -> None:
    with f.round(1) as body:
        body["validation_loss"] = None


@attack(sealed=None)
def validation_loss_invented(f: Forged) -> None:
    """Another round wins by a number that nobody can check without training again."""
    with f.round(3) as body:
        body["adapter"] = "7" * 64
    with f.round(4) as body:
        body["validation_loss"] = 0.01
