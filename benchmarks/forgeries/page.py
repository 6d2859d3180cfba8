"""docs/how-a-result-could-be-false.md, made of what suite.py measured and of the attacks of the verifier's tests.

    python benchmarks/forgeries/page.py [--check]

Reads docs/how-a-result-could-be-false.json. With --check nothing is written, and the exit code says whether the page is
what it would be.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
JSON = ROOT / "docs" / "how-a-result-could-be-false.json"
PAGE = JSON.with_suffix(".md")
for folder in ("tests/verify", "tests/signing"):
    sys.path.insert(0, str(ROOT / folder))

FACTS: dict[str, tuple[str, ...]] = {
    "metric edited in the summary only": ("metric_edited_in_the_summary_only",),
    "per-sample score edited, text kept": ("answer_edited_summary_kept", "failed_program_told_to_have_passed"),
    "samples dropped, repeated, reordered": ("samples_dropped", "samples_repeated", "samples_reordered"),
    "prompt template or few-shot count changed": ("prompt_has_one_more_space", "prompt_given_examples"),
    "evaluation limit left on": ("limit_left_on",),
    "scorer changed": ("another_scoring_ranks",),
    "stale result re-used": ("stale_run_under_another_entry",),
    "adapter swapped after scoring": ("adapter_swapped",),
    "model or data revision moved": ("base_model_revision_moved",),
    "file renamed or swapped": ("samples_renamed", "samples_swapped_between_tasks"),
    "extra file; bypass file": ("extra_file", "bypass_file"),
    "link or path that leaves the bundle": ("path_that_leaves_the_bundle", "absolute_path"),
    "spec edited with the old hash quoted; lock edited": ("spec_edited_with_the_old_hash_quoted", "lock_edited"),
    "newline or markup in a name": ("newline_in_a_file_name", "markup_in_a_file_name"),
    "NaN, infinity, 1e400, percent for fraction": ("score_is_nan", "score_is_1e400", "score_in_percent"),
    "fewer clients or rounds than claimed": ("fewer_clients_than_claimed", "fewer_rounds_than_claimed"),
    "a client that the seed does not choose": ("unchosen_client",),
    "centralised training passed off as federated": ("centralised_passed_off_as_federated",),
    "ledger line removed, reordered, chained anew": ("ledger_line_removed", "chained_again_from_the_middle"),
    "budget understated": ("budget_understated", "parameters_understated"),
    "partition not the seed's; test items in a partition": ("partition_not_the_seeds",),
}
"""What was seen elsewhere (SWE-bench, MLPerf, EvalPlus, …) → the attacks of tests/verify that are it."""

PASSED = {
    "adapter_swapped_and_the_ledger_rewritten": "random-adapter",
    "answers_invented": "answers-invented",
    "validation_loss_invented": "validation-losses-invented",
    "hardware_invented": "hardware and times",
    "interruption_hidden": "interruptions",
    "round_asked_again_since_nobody_replied": "who did not reply",
    "unwelcome_clients_left_out": "who did not reply",
}
"""Attack that passes up to RESCORED → the kind below that a spot-run catches, or the entry of what nobody can catch."""

UNCATCHABLE = {
    "tuning on the test items": (
        "Knobs picked by looking at the test items in runs that were never handed in. Training itself is done again "
        "from the spec's rows, so test items cannot enter a run's updates unseen; they can enter the choice of rank, "
        "rate and rounds.",
        "registered runs (`submit register`), test items that nobody has, other seeds",
    ),
    "the best of many runs": (
        "One of k runs handed in, under one name or many. Each is genuine.",
        "registration; all the spec's seeds asked for; a signer's count of bundles beside the row",
    ),
    "how the knobs were chosen": (
        "The trials of a sweep and their losses are as told; the runs that lost are in no bundle. Held are the number "
        "of losses, of which one is there, the knobs' names and the seed.",
        "nobody; the verdict says so",
    ),
    "a withdrawn run, sealed again": (
        "With other times it is another bundle by its digest. Adapter and answers are the same: `decide` leaves it to "
        "a person, and a board that has the withdrawn one too says so in the row. An honest run that came to the same "
        "looks alike.",
        "a person; where the withdrawn bundle is not among those given, nobody",
    ),
    "hardware and times": (
        "Times, memory, processor, accelerator and engine are as told. A spot-run measures its own.",
        "nobody, unless the run is on the reader's machine",
    ),
    "who did not reply": (
        "A client told to have been missing, or a round asked again. Down to the fewest replies that the spec allows.",
        "nobody; verdict and row count the replies left out",
    ),
    "interruptions": ("An interruption that the ledger hides. It changes nothing that is claimed.", "nobody"),
    "the choice of the round": (
        "The validation loss of the scored round is computed again, and of as many others as `reporting.spot` has "
        "aggregations. Another round's, told higher than it was, escapes as often as it is not drawn "
        "(best-round-hidden), and that of the last round, if it is not scored, always, since its adapter lies in no "
        "archive. The spec's rule is led to the next best round, whose adapter is one that the run had.",
        "a larger draw; a whole run (REPRODUCED): all rounds must agree",
    ),
    "noise that protects": (
        "Noise from the operating system (`run --os-noise`) cannot be drawn again, by design: that it was added nobody "
        "can check, and no round of such a run can be aggregated again.",
        "nobody; the verdict says so and the level stays RESCORED",
    ),
    "handing in again": (
        "Whoever forges a small part may hand in until a draw misses it. Each try is a line of decisions.jsonl.",
        "the number of tries beside the row; a larger draw (`reporting.spot`)",
    ),
    "a verifier who lies": (
        "Evidence from a file, a signed verdict or another's whole run rest on who made them.",
        "a spot-run of one's own, with one's own nonce",
    ),
    "another's run, copied with care": (
        "Held to a second signer's run a copy tells itself by its times, or on an accelerator by digits that are all "
        "alike. With other times, and there another jitter, it looks like a run.",
        "whom the reader's policy names; a run or a spot-run of one's own",
    ),
    "accelerators and fewer bits": (
        "No band was measured for accelerators, bfloat16 and quantised weights: nothing there gets the level SPOT-RUN.",
        "whoever measures a band (benchmarks/bands.py)",
    ),
}
"""What no draw tells → what it is, and who could tell."""


def render(told: dict[str, Any]) -> str:
    """The page."""
    from attacks import all_attacks

    from ftbench.verify.checks import CHECKS

    attacks = {one.name: one for one in all_attacks()}
    rule, sizes = told["rule"], told["sizes"]
    lines = [
        "# How a result could still be false",
        "",
        *_text(
            "*Made by `benchmarks/forgeries/page.py` of `how-a-result-could-be-false.json`; not edited by hand.*",
        ),
        *_text(
            "A cheat who has ftbench's source can set right every count and digest. What then still shows is below: by",
            "which check, with which probability, and what shows nowhere.",
        ),
        "## Caught only where something is done again",
        "",
        *_text(
            f"Each kind was forged into a real run of the quickstart ({sizes['items']} items, {sizes['client_rounds']}",
            f"client rounds, {sizes['aggregations']} aggregations; those of noise into a smaller one with central",
            "privacy, those of validation losses into one that chooses its round by them), sealed again, and believed",
            "up to RESCORED. All of it was done again once; then",
            f"{told['kinds'][0]['draws']} nonces drew {rule['items']} items and {rule['client_rounds']} client round",
            "each, the default of `reporting.spot`, and all aggregations that were kept, which take no training.",
            "*Computed* is the chance (hypergeometric) that a draw meets something false. *Enough* is a draw that",
            "meets it with 95 %: items, client rounds, and where validation losses are false aggregations, as many of",
            "which are computed again.",
        ),
        "| forgery | false in it | caught | computed | enough |",
        "|---|---|---|---|---|",
    ]
    for one in told["kinds"]:
        draw = one["enough"]
        enough = f"{draw['items']}, {draw['client_rounds']}" if draw else "no draw"
        if draw and one["false"].get("validation_losses"):
            enough += f", {draw['aggregations']}"
        lines.append(
            f"| **{one['name']}**: {one['says']} | {_false(one['false'])} | {one['caught']} of {one['draws']} |"
            f" {100 * one['computed']:.1f} % | {enough} |"
        )
    lines += [
        "",
        *_text(
            "What is small escapes a small draw: one answer of many, one reply of many. The verdict of every spot-run",
            "tells its own odds, and a maintainer who wants better ones draws more.",
        ),
        "## False alarms",
        "",
        "| honest run, done again | draws | alarms | updates to the last bit | farthest update | nats apart |",
        "|---|---|---|---|---|---|",
    ]
    for one in told["honest"]:
        lines.append(
            f"| {one['setting']} | {one['draws']} | {one['alarms']} | {one['updates_equal']} of {one['updates']} |"
            f" {one['farthest']:.2g} | {one['nats']:.2g} |"
        )
    draws, alarms = sum(one["draws"] for one in told["honest"]), sum(one["alarms"] for one in told["honest"])
    lines += [
        "",
        *_text(
            f"{alarms} of {draws} draws alarmed. The draws of a setting are cut from one regeneration, so they show",
            "that these settings lie within the bands of `verify/bands.py`, and not how often others would not.",
        ),
    ]
    if told["commands"]:
        seconds = sorted(one["seconds"] for one in told["commands"])
        lines += [
            "## Whole commands",
            "",
            *_text(
                f"`ftbench verify BUNDLE --spot`, {len(told['commands'])} times, each with a nonce of its own; median",
                f"{seconds[len(seconds) // 2]:.0f} s on two cores that others used at the same time.",
            ),
            "| forgery | level |",
            "|---|---|",
            *(f"| {one['kind']} | {one['level']} |" for one in told["commands"]),
            "",
        ]
    sealed = sum(one.sealed is not None for one in attacks.values())
    lines += [
        "## What nobody can catch from a bundle",
        "",
        "| what | how | who could tell |",
        "|---|---|---|",
        *(f"| {name} | {what} | {who} |" for name, (what, who) in UNCATCHABLE.items()),
        "",
        "## Caught by the files alone",
        "",
        *_text(
            f"{sealed} forgeries of `tests/verify/attacks*.py`, each sealed again after it, fall at one of these",
            f"checks on every run of the tests. {len(PASSED)} more pass up to RESCORED, and stand above.",
        ),
        "| seen elsewhere | check |",
        "|---|---|",
    ]
    for what, given in FACTS.items():
        found = dict.fromkeys(f"`{attacks[name].sealed}`" for name in given)
        lines.append(f"| {what} | {', '.join(found)} |")
    by_check: dict[str, list[str]] = defaultdict(list)
    for one in attacks.values():
        if one.sealed is not None:
            by_check[one.sealed].append(one.name)
    lines += ["", "| level | check | forgeries |", "|---|---|---|"]
    lines += [f"| {c.level} | `{c.id}`: {c.title} | {len(by_check[c.id])} |" for c in CHECKS if c.id in by_check]
    return "\n".join(lines) + "\n"


def _text(*parts: str) -> list[str]:
    """A paragraph, wrapped."""
    return [*textwrap.wrap(" ".join(parts), 118, break_long_words=False, break_on_hyphens=False), ""]


def _false(told: dict[str, int]) -> str:
    words = [f"{number} {name.replace('_', ' ')}" for name, number in told.items() if number]
    return ", ".join(words)


def main() -> int:
    page = render(json.loads(JSON.read_bytes()))
    if "--check" in sys.argv[1:]:
        return int(not PAGE.is_file() or PAGE.read_text() != page)
    PAGE.write_text(page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
