"""Every kind of forgery against a spot-run: caught how often, over nonces drawn on one regeneration.

    python benchmarks/forgeries/suite.py --run RUN --other RUN --privacy RUN [--honest RUN ...] --work DIR --out FILE

RUN, the other one and --honest are folders of quickstart runs that kept all rounds, --other of another seed, --honest
made on other settings; --privacy is one of specs/… with central privacy, given with --privacy-spec. With --commands N
whole commands are run as well. `page.py` makes docs/how-a-result-could-be-false.md of FILE.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from forgeries import again
from forgeries.forged import Run, load
from forgeries.kinds import KINDS, False_, Kind
from ftbench import builtin
from ftbench.compile.compiler import Compiled, compile_spec
from ftbench.data.store import Store
from ftbench.replay.rounds import Redone
from ftbench.result.documents import Verdict
from ftbench.spec.load import load_pins, load_spec
from ftbench.spec.model import SpotRule
from ftbench.verify import verifier
from ftbench.verify.checks.spot_items import escape
from ftbench.verify.context import Context
from ftbench.verify.draw import stratified

DRAWS = 200
HONEST_DRAWS = 100
"""For each setting."""
RULE = SpotRule()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--run", "--other", "--work", "--out"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--privacy", type=Path)
    parser.add_argument("--privacy-spec", type=Path)
    parser.add_argument("--honest", type=Path, nargs="*", default=[])
    parser.add_argument("--commands", type=int, default=0)
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    store = Store.default(None)
    plain = compiled_of(builtin.specs()["quickstart"])
    run, other = load(asked.run, plain, store), load(asked.other, plain, store)
    worlds = {"plain": (run, other, Path(builtin.specs()["quickstart"]))}
    if asked.privacy and asked.privacy_spec:
        private = load(asked.privacy, compiled_of(asked.privacy_spec), store)
        worlds["privacy"] = (private, private, asked.privacy_spec)
    kinds = [measured(one, *worlds[one.world], asked.work) for one in KINDS if one.world in worlds]
    honest = [alarms(f"threads {n}", run, asked.run, asked.work, n) for n in (1, 2)]
    honest += [alarms(path.name, load(path, plain, store), path, asked.work, 1) for path in asked.honest]
    told = {
        "rule": RULE.model_dump(mode="json"),
        "sizes": {
            "items": sum(len(lines) for lines in context_of(run).samples.values()),
            "client_rounds": sum(len(body["replies"]) for body in run.rounds()),
            "aggregations": len(run.rounds()),
        },
        "kinds": kinds,
        "honest": honest,
        "commands": commands(asked.commands, worlds, asked.work),
    }
    asked.out.write_text(json.dumps(told, indent=1) + "\n")
    return 0


def compiled_of(path: Path) -> Compiled:
    return compile_spec(load_spec(path).spec, load_pins(path))


def context_of(run: Run) -> Context:
    found = run.forged.world.context(run.forged.files)
    found.own = run.forged.world.compiled
    return found


def measured(kind: Kind, run: Run, other: Run, _: Path, work: Path) -> dict[str, Any]:
    """One kind: forged, sealed, believed up to RESCORED, done again once, drawn many times."""
    print(f"{time.strftime('%H:%M:%S')} {kind.name}", file=sys.stderr, flush=True)
    folder, forged = work / kind.name, run.copy()
    told = kind.edit(forged, other)
    forged.seal()
    if kind.world == "privacy":
        answer(forged, work)
    forged.write(folder)
    context = context_of(forged)
    below = verifier.climb(context, "RESCORED", verifier.checks(context))
    failed = [(one.check, one.evidence) for one in below.checks if one.outcome != "passed"]
    assert below.level == "RESCORED", (kind.name, failed)
    redone = done_again(kind, run, context, folder, work)
    found = again.whole(again.items_again(context, work), redone)
    caught, said = drawn(context, below, found, DRAWS, kind.name)
    by_draw = chance(told, context, RULE)
    return {
        "name": kind.name,
        "says": kind.says,
        "false": {
            "items": sum(map(len, told.items.values())),
            "client_rounds": len(told.clients),
            "aggregations": len(told.aggregations),
        },
        "draws": DRAWS,
        "caught": caught,
        "computed": round(by_draw, 4),
        "enough": enough(told, context),
        "says_why": said,
    }


def done_again(kind: Kind, run: Run, context: Context, folder: Path, work: Path) -> Redone:
    """Where the archive's files are the honest run's, so is what comes out of them; else all is done again."""
    files = {path.name for path in (folder / "archive" / "state").iterdir()}
    if files - run.kept.keys() or kind.name in {"archive-of-another-run"} or kind.world == "privacy":
        return again.rounds_again(context, folder / "archive", work, kind.name)
    honest = again.rounds_again(context_of(run), run.write(work / "honest") / "archive", work, "honest")
    told = {(body.round, reply.partition): reply.update for body in context.rounds for reply in body.replies}
    clients = [
        one if told[one.round, one.partition] == one.update else one.model_copy(update={"distance": None})
        for one in honest.clients
    ]
    missing = {
        body.round for body in context.rounds for reply in body.replies if f"{reply.update}.safetensors" not in files
    }
    lost = {"adapter": None, "state": "", "reason": "a reply is not in the archive"}
    aggregations = [one.model_copy(update=lost) if one.round in missing else one for one in honest.aggregations]
    return Redone(clients, aggregations)


def answer(forged: Run, work: Path) -> None:
    """Give the bundle the answers that its adapter gives, and seal it again."""
    found = again.items_again(context_of(forged), work)
    for task in forged.forged.world.items:
        with forged.forged.samples(task) as lines:
            for line in lines:
                line["tuned"] = found[task, line["index"]].tuned.model_dump(mode="json")
    forged.seal()


def drawn(context: Context, below: Verdict, found: again.Again, number: int, name: str) -> tuple[int, dict[str, int]]:
    """How many of so many nonces do not give the level, and which checks said so."""
    caught, said, source = 0, dict[str, int](), random.Random(name)
    for _ in range(number):
        verdict = again.judged(context, below, found, source.randbytes(16))
        caught += verdict.level != "SPOT-RUN"
        for one in verdict.checks:
            if one.level == "SPOT-RUN" and one.outcome != "passed":
                said[one.check] = said.get(one.check, 0) + 1
    return caught, dict(sorted(said.items()))


def chance(told: False_, context: Context, rule: SpotRule) -> float:
    """Probability that a draw meets something false: one minus the product of hypergeometric misses."""
    sizes = {task: len(lines) for task, lines in context.samples.items()}
    drawn_ = stratified(sizes, rule.items)
    replies = sum(len(body.replies) for body in context.rounds)
    missed = math.prod(escape(sizes[task], len(told.items.get(task, ())), drawn_[task]) for task in sizes)
    missed *= escape(replies, len(told.clients), min(rule.client_rounds, replies))
    missed *= escape(len(context.rounds), len(told.aggregations), min(rule.aggregations, len(context.rounds)))
    return 1 - missed


def enough(told: False_, context: Context) -> dict[str, int] | None:
    """The smallest draw, growing the cheapest number first, that catches it with 95 %."""
    items = sum(map(len, context.samples.values()))
    replies = sum(len(body.replies) for body in context.rounds)
    best = None
    for scale in range(1, max(items // RULE.items, replies) + 2):
        rule = SpotRule(
            items=min(items, RULE.items * scale if told.items else RULE.items),
            client_rounds=min(replies, scale if told.clients else 1),
            aggregations=min(len(context.rounds), scale if told.aggregations else 1),
        )
        if chance(told, context, rule) >= 0.95:
            best = rule.model_dump(mode="json")
            break
    return best


def alarms(name: str, run: Run, folder: Path, work: Path, threads: int) -> dict[str, Any]:
    """An honest run, done again under one setting: how many draws do not give the level."""
    print(f"{time.strftime('%H:%M:%S')} honest, {name}", file=sys.stderr, flush=True)
    context = context_of(run)
    below = verifier.climb(context, "RESCORED", verifier.checks(context))
    assert below.level == "RESCORED", [(c.check, c.evidence) for c in below.checks if c.outcome != "passed"]
    label = "honest" if name.startswith("threads") else name
    redone = again.rounds_again(context, folder / "archive", work, label, threads)
    found = again.whole(again.items_again(context, work, threads), redone)
    alarmed, said = drawn(context, below, found, HONEST_DRAWS, name)
    updates = {(body.round, reply.partition): reply.update for body in context.rounds for reply in body.replies}
    return {
        "setting": name,
        "draws": HONEST_DRAWS,
        "alarms": alarmed,
        "says_why": said,
        "updates_equal": sum(one.update == updates[one.round, one.partition] for one in redone.clients),
        "updates": len(redone.clients),
        "farthest": max((one.distance or 0.0 for one in redone.clients), default=0.0),
        "nats": max(nats(context, found), default=0.0),
    }


def nats(context: Context, found: again.Again) -> list[float]:
    from ftbench.verify.checks.spot_items import apart

    lines = {(task, one.index): one for task, told in context.samples.items() for one in told}
    return [
        max(apart(lines[key].untuned, one.untuned), apart(lines[key].tuned, one.tuned))
        for key, one in found.items.items()
    ]


def commands(number: int, worlds: Mapping[str, tuple[Run, Run, Path]], work: Path) -> list[dict[str, Any]]:
    """Whole commands as a verifier would type them, each with a nonce of its own: an honest run and every kind."""
    told = []
    every = [("honest", "plain"), *((one.name, one.world) for one in KINDS if one.world in worlds)]
    for place in range(number):
        name, world = every[place % len(every)]
        folder = work / name
        words = ["verify", folder / "bundle", "--spec", worlds[world][2], "--spot", "--archive", folder / "archive"]
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "ftbench", *map(str, words), "--json"], capture_output=True, text=True, check=False
        )
        verdict = json.loads(done.stdout)["bundles"][0]["verdict"]
        told.append({"kind": name, "level": verdict["level"], "seconds": round(time.monotonic() - begun, 1)})
        print(told[-1], file=sys.stderr, flush=True)
    return told


if __name__ == "__main__":
    raise SystemExit(main())
