"""Every kind of forgery against a spot-run: caught how often, over nonces drawn on one regeneration.

    python benchmarks/forgeries/suite.py --run RUN --other RUN --privacy RUN [--honest RUN ...] --work DIR --out FILE

RUN, the other one and --honest are folders of quickstart runs that kept all rounds, --other of another seed, --honest
made on other settings; --privacy is one of a spec with central privacy, given with --privacy-spec, --validation one of
a spec that chooses its round on a validation cut, given with --validation-spec. With --commands N whole commands are
run as well. `page.py` makes docs/how-a-result-could-be-false.md of FILE.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
WITH = {"plain": "", "privacy": " with noise", "validation": " with a validation cut"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--run", "--other", "--work", "--out"):
        parser.add_argument(name, type=Path, required=True)
    for name in ("privacy", "validation"):
        parser.add_argument(f"--{name}", type=Path)
        parser.add_argument(f"--{name}-spec", type=Path)
    parser.add_argument("--honest", type=Path, nargs="*", default=[])
    parser.add_argument("--commands", type=int, default=0)
    parser.add_argument("--parts", nargs="+", default=["plain", "privacy", "validation", "honest", "commands"])
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    store = Store.default(None)
    plain = compiled_of(builtin.specs()["quickstart"])
    run, other = load(asked.run, plain, store), load(asked.other, plain, store)
    worlds = {"plain": (run, other, builtin.specs()["quickstart"])}
    for name in ("privacy", "validation"):
        folder, path = getattr(asked, name), getattr(asked, f"{name}_spec")
        if folder and path:
            own = load(folder, compiled_of(path), store)
            worlds[name] = (own, own, path)
    told: dict[str, Any] = {
        "rule": RULE.model_dump(mode="json"),
        "sizes": {
            "items": sum(len(lines) for lines in context_of(run).samples.values()),
            "client_rounds": sum(len(body["replies"]) for body in run.rounds()),
            "aggregations": len(run.rounds()),
        },
        "kinds": [],
        "honest": [],
        "commands": [],
    }
    if asked.out.is_file():
        told |= {name: json.loads(asked.out.read_bytes())[name] for name in ("kinds", "honest", "commands")}
    for part in asked.parts:
        if part in worlds:
            found = of_world(part, run=worlds[part][0], other=worlds[part][1], work=asked.work)
        elif part == "honest":
            found = of_honest(run, asked, plain, store)
        else:
            found = []
            for one in commands(asked.commands, worlds, asked.work, told["commands"]):
                known = {other["kind"]: other for other in told["commands"]} | {one["kind"]: one}
                told["commands"] = [known[name] for name, _ in every(worlds) if name in known]
                asked.out.write_text(json.dumps(told, indent=1) + "\n")
        put(told, found)
        asked.out.write_text(json.dumps(told, indent=1) + "\n")
    return 0


def put(told: dict[str, Any], found: list[dict[str, Any]]) -> None:
    """Enter what was found in place of what was known of the same kind or setting."""
    order = [kind.name for kind in KINDS]
    for name, key in (("kinds", "name"), ("honest", "setting")):
        known = {one[key]: one for one in told[name]} | {one[key]: one for one in found if key in one}
        told[name] = (
            sorted(known.values(), key=lambda one: order.index(one[key])) if name == "kinds" else [*known.values()]
        )


def compiled_of(path: Path) -> Compiled:
    return compile_spec(load_spec(path).spec, load_pins(path))


def context_of(run: Run) -> Context:
    found = run.forged.world.context(run.forged.files)
    found.own = run.forged.world.compiled
    return found


@dataclass
class Made:
    """A forged run on its way."""

    kind: Kind
    run: Run
    told: False_
    folder: Path
    context: Context
    below: Verdict

    @classmethod
    def of(cls, kind: Kind, run: Run, told: False_, folder: Path) -> Made:
        """Sealed, written, and believed up to RESCORED."""
        run.seal()
        shutil.rmtree(folder, ignore_errors=True)
        run.write(folder)
        context = context_of(run)
        below = verifier.climb(context, "RESCORED", verifier.checks(context))
        failed = [(one.check, one.evidence) for one in below.checks if one.outcome != "passed"]
        assert below.level == "RESCORED", (kind.name, failed)
        return cls(kind, run, told, folder, context, below)


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def of_world(world: str, *, run: Run, other: Run, work: Path) -> list[dict[str, Any]]:
    """Every kind of a world: forged, all done again in two processes, drawn many times."""
    say(f"forging, {world}")
    made = []
    for kind in (one for one in KINDS if one.world == world):
        forged = run.copy()
        made.append(Made.of(kind, forged, kind.edit(forged, other), work / kind.name))
    honest = Made.of(Kind("honest", "", lambda *_: False_(), world), run.copy(), False_(), work / f"honest-{world}")
    say(f"asking the items of {len(made) + 1} adapters")
    by_adapter = {one.context.result.adapter: one.context for one in [honest, *made]}
    items = dict(zip(by_adapter, again.ask(list(by_adapter.values())), strict=True))
    if world != "plain":  # each gets the answers that its adapter gives: noise or a loss alone is the lie
        for one in made:
            answers(one.run, items[one.context.result.adapter])
        made = [Made.of(one.kind, one.run, one.told, one.folder) for one in made]
    own = [honest, *(one for one in made if _own_files(one, honest))]
    say(f"doing the rounds of {len(own)} archives again")
    redone = again.redo([one.context for one in own], [one.folder for one in own], [1] * len(own))
    by_kind = {one.kind.name: found for one, found in zip(own, redone, strict=True)}
    say("drawing")
    told = []
    for one in made:
        again_ = by_kind.get(one.kind.name) or borrowed(one, by_kind["honest"])
        whole = again.whole(items[one.context.result.adapter], again_)
        caught, why = drawn(one, whole, DRAWS, one.kind.name)
        told.append(
            {
                "name": one.kind.name,
                "says": one.kind.says,
                "false": {
                    "items": sum(map(len, one.told.items.values())),
                    "client_rounds": len(one.told.clients),
                    "aggregations": len(one.told.aggregations),
                    "validation_losses": len(one.told.validations),
                },
                "draws": DRAWS,
                "caught": caught,
                "computed": round(chance(one, RULE), 4),
                "enough": enough(one),
                "says_why": why,
            }
        )
        say(f"{one.kind.name}: {caught} of {DRAWS}, computed {told[-1]['computed']}")
    whole = again.whole(items[honest.context.result.adapter], by_kind["honest"])
    return [*told, alarms(f"the quickstart{WITH[world]}", honest, whole)]


def _own_files(one: Made, honest: Made) -> bool:
    return bool(one.run.kept.keys() - honest.run.kept.keys()) and one.kind.name != "archive-of-another-run"


def borrowed(one: Made, honest: Redone) -> Redone:
    """Where the archive has no other file than the honest run's, the same comes out, or a file is missed."""
    files = one.run.kept.keys()
    bodies = {body.round: body for body in one.context.rounds}
    begins = {number: bodies[number - 1].adapter if number > 1 else None for number in bodies}
    told = {(number, reply.partition): reply.update for number, body in bodies.items() for reply in body.replies}
    gone = {number for number, name in begins.items() if name is not None and f"{name}.safetensors" not in files}
    lost = gone | {n for n, body in bodies.items() if any(f"{r.update}.safetensors" not in files for r in body.replies)}
    why = {"state": "", "reason": "a file of it is not in the archive"}
    clients = [
        client.model_copy(update={"update": None, **why})
        if client.round in gone
        else client
        if told[client.round, client.partition] == client.update
        else client.model_copy(update={"distance": None})
        for client in honest.clients
    ]
    made = [
        one_.model_copy(update={"adapter": None, **why}) if one_.round in lost else one_ for one_ in honest.aggregations
    ]
    return Redone(clients, made, honest.validations)


def answers(run: Run, items: again.Items) -> None:
    """Give the bundle the answers that its adapter gives."""
    for task in run.forged.world.items:
        with run.forged.samples(task) as lines:
            for line in lines:
                line["tuned"] = items[task, line["index"]].tuned.model_dump(mode="json")


def of_honest(run: Run, asked: argparse.Namespace, plain: Compiled, store: Store) -> list[dict[str, Any]]:
    """The honest run with two threads, and honest runs that were made on other settings."""
    nothing = Kind("honest", "", lambda *_: False_(), "plain")

    def made_of(source: Run, name: str) -> Made:
        return Made.of(nothing, source, False_(), asked.work / name)

    made = [("the quickstart, done again by 2 threads", made_of(run.copy(), "by-2"), 2)]
    for path in asked.honest:
        name = path.parent.name
        made.append((f"the quickstart, run with {name}", made_of(load(path, plain, store), name), 1))
    found = []
    for name, one, threads in made:
        say(name)
        [items] = again.ask([one.context], threads)
        [redone] = again.redo([one.context], [one.folder], [threads])
        found.append(alarms(name, one, again.whole(items, redone)))
    return found


def drawn(made: Made, found: again.Again, number: int, name: str) -> tuple[int, dict[str, int]]:
    """How many of so many nonces do not give the level, and which checks said so."""
    caught, said, source = 0, dict[str, int](), random.Random(name)
    for _ in range(number):
        verdict = again.judged(made.context, made.below, found, source.randbytes(16), made.run.listed["keep_every"])
        caught += verdict.level != "SPOT-RUN"
        for one in verdict.checks:
            if one.level == "SPOT-RUN" and one.outcome != "passed":
                said[one.check] = said.get(one.check, 0) + 1
    return caught, dict(sorted(said.items()))


def chance(one: Made, rule: SpotRule) -> float:
    """Probability that a draw meets something false: one minus the product of hypergeometric misses. Rounds that were
    kept are all aggregated again."""
    told, context, every = one.told, one.context, one.run.listed["keep_every"]
    if any(every and (number - 1) % every == 0 for number in told.aggregations):
        return 1.0
    sizes = {task: len(lines) for task, lines in context.samples.items()}
    drawn_ = stratified(sizes, rule.items)
    replies = sum(len(body.replies) for body in context.rounds)
    missed = math.prod(escape(sizes[task], len(told.items.get(task, ())), drawn_[task]) for task in sizes)
    missed *= escape(replies, len(told.clients), min(rule.client_rounds, replies))
    missed *= escape(len(context.rounds), len(told.aggregations), min(rule.aggregations, len(context.rounds)))
    scored, last = context.result.checkpoint_round, context.rounds[-1].round
    others = [body.round for body in context.rounds if body.round not in {scored, last}]
    if told.validations and scored not in told.validations:
        missed *= escape(len(others), len(told.validations - {last}), min(rule.aggregations, len(others)))
    elif told.validations:
        missed = 0.0
    return 1 - missed


def enough(one: Made) -> dict[str, int] | None:
    """The smallest draw, growing the cheapest number first, that catches it with 95 %."""
    told, context = one.told, one.context
    items = sum(map(len, context.samples.values()))
    replies = sum(len(body.replies) for body in context.rounds)
    best = None
    for scale in range(1, max(items // RULE.items, replies) + 2):
        rule = SpotRule(
            items=min(items, RULE.items * scale if told.items else RULE.items),
            client_rounds=min(replies, scale if told.clients else 1),
            aggregations=min(len(context.rounds), scale if told.aggregations or told.validations else 1),
        )
        if chance(one, rule) >= 0.95:
            best = rule.model_dump(mode="json")
            break
    return best


def alarms(name: str, one: Made, whole: again.Again) -> dict[str, Any]:
    """How many draws of an honest run do not give the level."""
    context = one.context
    alarmed, why = drawn(one, whole, HONEST_DRAWS, name)
    updates = {(body.round, reply.partition): reply.update for body in context.rounds for reply in body.replies}
    clients = whole.clients.values()
    return {
        "setting": name,
        "draws": HONEST_DRAWS,
        "alarms": alarmed,
        "says_why": why,
        "updates_equal": sum(one.update == updates[one.round, one.partition] for one in clients),
        "updates": len(clients),
        "farthest": max((one.distance or 0.0 for one in clients), default=0.0),
        "nats": max(nats(context, whole), default=0.0),
    }


def nats(context: Context, found: again.Again) -> list[float]:
    from ftbench.verify.checks.spot_items import apart

    lines = {(task, one.index): one for task, told in context.samples.items() for one in told}
    return [
        max(apart(lines[key].untuned, one.untuned), apart(lines[key].tuned, one.tuned))
        for key, one in found.items.items()
    ]


def every(worlds: Mapping[str, tuple[Run, Run, Path]]) -> list[tuple[str, str]]:
    """An honest run and every kind, each with its world."""
    return [("honest-plain", "plain"), *((one.name, one.world) for one in KINDS if one.world in worlds)]


def commands(
    number: int, worlds: Mapping[str, tuple[Run, Run, Path]], work: Path, known: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Whole commands as a verifier would type them, each with a nonce of its own. What was never asked comes first."""
    kinds, asked = {one.name: one for one in KINDS}, {one["kind"] for one in known}
    for name, world in sorted(every(worlds), key=lambda one: one[0] in asked)[:number]:
        folder = work / name
        if world == "plain" and not (folder / "bundle").is_dir():
            forged = worlds[world][0].copy()
            kind = kinds.get(name) or Kind(name, "", lambda *_: False_(), world)
            Made.of(kind, forged, kind.edit(forged, worlds[world][1]), folder)
        words = ["verify", folder / "bundle", "--spec", worlds[world][2], "--spot", "--archive", folder / "archive"]
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "ftbench", *map(str, words), "--json"], capture_output=True, text=True, check=False
        )
        verdict = json.loads(done.stdout)["bundles"][0]["verdict"]
        one = {"kind": name, "level": verdict["level"], "seconds": round(time.monotonic() - begun, 1)}
        say(str(one))
        yield one


if __name__ == "__main__":
    raise SystemExit(main())
