"""Every figure of a bundle and of a table, from answers and ledgers by docs/scoring.md: numpy, nothing of ftbench."""

from __future__ import annotations

import gzip
import json
import math
import re
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from recount_arithmetic import mover, newcombe, randomisation, t_quantile, wilson
from recount_groups import labels, numbered, sandwich, summed
from recount_private import RELATIVE, epsilons, exposure

JSON = dict[str, Any]
COST = ("bytes_down", "bytes_up", "rounds", "trainable_parameters")
"""What a ledger tells of a run's cost; the rest is what the machine said."""


class Run:
    """An unpacked bundle, with the plan that its spec hash names."""

    def __init__(self, folder: Path, plan: JSON) -> None:
        self.result: JSON = json.loads((folder / "result.json").read_text())
        self.ledger = [json.loads(line)["body"] for line in (folder / "ledger.jsonl").read_text().splitlines()]
        self.spec: JSON = plan["spec"]
        evaluation = self.spec["evaluation"]
        self.confidence = float(evaluation.get("confidence", 0.95))
        self.tasks, self.canaries = {one["name"]: one for one in evaluation["tasks"]}, list[JSON]()
        self.samples = {}
        for name in self.tasks:
            with gzip.open(folder / "samples" / f"{name}.jsonl.gz", "rt") as file:
                self.samples[name] = sorted(map(json.loads, file), key=lambda one: int(one["index"]))
        if evaluation.get("canaries"):
            self.canaries = self.samples.pop("canaries")
            del self.tasks["canaries"]
        self.group((plan.get("reporting") or {}).get("clusters") or {})
        self.seed = int(self.result["seed"])
        self.entry = str(self.result["entry"])

    def group(self, keys: JSON) -> None:
        """Take items together as `reporting.clusters` says."""
        self.named = bool(keys)
        self.clusters = numbered(self.sizes(), labels(keys, self.tasks, self.samples))

    def sizes(self) -> dict[str, int]:
        return {name: len(items) for name, items in self.samples.items()}

    def of(self, model: str, task: str) -> list[JSON]:
        """What a model answered to a task's items."""
        return [one.get(model) or one["references"][model] for one in self.samples[task]]

    def marks(self, model: str, task: str, scoring: str) -> np.ndarray:
        """1 for right, 0 for wrong, -1 for what holds no answer."""
        pairs = zip(self.of(model, task), self.samples[task], strict=True)
        if scoring == "pass@1":
            return np.array([int(one["passed"]) for one, _ in pairs])
        read = [choice(one, item, scoring, self.tasks[task]) for one, item in pairs]
        wanted = [item["target"] for item in self.samples[task]]
        return np.array([-1 if got is None else int(got == due) for got, due in zip(read, wanted, strict=True)])

    def models(self) -> list[str]:
        return ["untuned", "tuned", *next(iter(self.samples.values()))[0]["references"]]


def choice(answer: JSON, item: JSON, scoring: str, task: JSON) -> int | None:
    """The option that an answer means; None for none. Enough of the rules for models that write bare options."""
    if scoring == "likelihood":
        return int(np.argmax(answer["loglikelihoods"]))
    options = [one.strip() for one in item["options"]]
    text = answer["text"]
    if scoring == "flowertune" and task["flowertune"] == "sentiment-substring":
        said = text.split("Answer: ")[1] if text.count("Answer: ") > 1 else text
        for word in ("positive", "negative"):
            if word in said or word.capitalize() in said:
                return options.index(word)
        return options.index("neutral")
    if scoring == "flowertune" and task["flowertune"] == "exact-label":
        bare = re.sub("[^a-z0-9]", "", text.lower())
        word = {"yesyes": "yes", "nono": "no", "yesno": "yes", "noyes": "no"}.get(bare, bare)
        return options.index(word) if word in ("yes", "no") else options.index(text) if text in options else None
    names = {one.lower(): place for place, one in enumerate(options)}
    if task["extraction"] == "option-letter":
        listed = re.findall(r"^([A-Z])\. (.*)$", item["prompt"], re.MULTILINE)[-len(options) :]
        names |= {words.strip().lower(): options.index(letter) for letter, words in listed if letter in options}
    found = {place for name, place in names.items() if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text.lower())}
    return found.pop() if len(found) == 1 else None


def told(parts: tuple[float, float, float]) -> JSON:
    return {"value": parts[0], "interval": {"low": parts[1], "high": parts[2]}}


def score(run: Run, model: str, task: str, scoring: str) -> JSON:
    """A score as result.json has it."""
    marks = run.marks(model, task, scoring)
    options = None
    if scoring != "pass@1":
        kinds = len(run.samples[task][0]["options"])
        answers = zip(run.of(model, task), run.samples[task], strict=True)
        read = [choice(one, item, scoring, run.tasks[task]) for one, item in answers]
        wanted = [item["target"] for item in run.samples[task]]
        due = np.array([wanted.count(one) for one in range(kinds)])
        chosen = np.array([read.count(one) for one in range(kinds)])
        right = np.array(
            [sum(got == one == want for got, want in zip(read, wanted, strict=True)) for one in range(kinds)]
        )
        known = due > 0
        options = {
            "due": due.tolist(),
            "chosen": chosen.tolist(),
            "right": right.tolist(),
            "balanced": float((right[known] / due[known]).mean()),
            "macro_f1": float((2 * right / np.maximum(due + chosen, 1))[due + chosen > 0].mean()),
        }
    correct = int((marks == 1).sum())
    return told(wilson(correct, len(marks), run.confidence)) | {
        "correct": correct,
        "items": len(marks),
        "unparsable": int((marks == -1).sum()),
        "options": options,
    }


def difference(run: Run, task: str, scoring: str, one: str = "tuned", other: str = "untuned") -> JSON:
    after, before = run.marks(one, task, scoring) == 1, run.marks(other, task, scoring) == 1
    gained, lost = int((after & ~before).sum()), int((~after & before).sum())
    counts = {"gained": gained, "lost": lost, "p_value": randomisation([(len(after), gained, lost)])}
    return told(newcombe(after, before, run.confidence)) | counts


def limits(one: JSON) -> tuple[float, float, float]:
    return one["value"], one["interval"]["low"], one["interval"]["high"]


@cache
def scores(run: Run) -> JSON:
    """`scores` of result.json."""
    tasks: JSON = {}
    for name, task in run.tasks.items():
        first, *others = task["scoring"]
        due = Counter(item["target"] for item in run.samples[name])
        lines = [(one["text"] or "").strip().split("\n")[0].strip() for one in run.of("untuned", name)]
        wrote = Counter(line for line in lines if line).most_common(1)
        both = {
            scoring: {model: score(run, model, name, scoring) for model in ("tuned", "untuned")}
            | {"difference": difference(run, name, scoring)}
            for scoring in task["scoring"]
        }
        top = max(due.values())
        tasks[name] = both[first] | {
            "also": {scoring: both[scoring] for scoring in others},
            "references": {model: score(run, model, name, first) for model in run.models()[2:]},
            "majority": None
            if first == "pass@1"
            else {"correct": top, "items": len(run.samples[name]), "value": top / len(run.samples[name])}
            | {"option": min(one for one, count in due.items() if count == top)},
            "written": {"count": wrote[0][1]} if wrote and first != "pass@1" else None,
        }
    changes = [
        (one["tuned"]["items"], one["difference"]["gained"], one["difference"]["lost"]) for one in tasks.values()
    ]
    mean = mover([limits(one["difference"]) for one in tasks.values()], -1.0)
    sums = {"gained": sum(one[1] for one in changes), "lost": sum(one[2] for one in changes)}
    known = [one["majority"]["value"] for one in tasks.values() if one["majority"]]
    return {
        "tasks": tasks,
        "tuned": told(mover([limits(one["tuned"]) for one in tasks.values()], 0.0)),
        "untuned": told(mover([limits(one["untuned"]) for one in tasks.values()], 0.0)),
        "difference": told(mean) | sums | {"p_value": randomisation(changes)},
        "majority": float(np.mean(known)) if len(known) == len(tasks) else None,
        "references": {
            model: told(mover([limits(one["references"][model]) for one in tasks.values()], 0.0))
            for model in run.models()[2:]
        },
    }


def cost(run: Run) -> JSON:
    """What a ledger tells of traffic, rounds and who was left out."""
    rounds = [body for body in run.ledger if body["event"] == "round"]
    excluded = [one for body in rounds for one in body["excluded"]]
    spent = [body["privacy"]["epsilon"] for body in rounds if body["privacy"]]
    return {
        "bytes_down": sum(body["bytes_down"] for body in rounds),
        "bytes_up": sum(body["bytes_up"] for body in rounds),
        "rounds": len(rounds),
        "trainable_parameters": run.ledger[0]["trainable_parameters"],
        "exclusions": sum(not one["planned"] for one in excluded),
        "planned_exclusions": sum(bool(one["planned"]) for one in excluded),
        "epsilon": spent[-1] if spent else None,
    }


# --- a table ---


def column(runs: list[Run], model: str = "tuned") -> np.ndarray:
    """An item's mark, mean over runs; tasks in the order of their names."""
    of = [
        np.concatenate([run.marks(model, name, run.tasks[name]["scoring"][0]) == 1 for name in sorted(run.tasks)])
        for run in runs
    ]
    return np.asarray(np.mean(np.array(of, dtype=float), axis=0))


def weights(run: Run) -> np.ndarray:
    sizes = [len(run.samples[name]) for name in sorted(run.tasks)]
    return np.repeat([1 / (len(sizes) * size) for size in sizes], sizes)


def standard_error(marks: np.ndarray, run: Run) -> float:
    parts = np.split(marks, np.cumsum([len(run.samples[name]) for name in sorted(run.tasks)])[:-1])
    return math.sqrt(sum(part.var(ddof=1) / len(part) for part in parts)) / len(parts)


def errors(marks: np.ndarray, run: Run) -> JSON:
    """Over items, and over clusters where there are some."""
    clustered = sandwich(marks, run.sizes(), run.clusters) if run.named else None
    return {"standard_error": standard_error(marks, run), "clustered_error": clustered}


def by_seed(runs: list[Run]) -> dict[int, list[Run]]:
    return {seed: [run for run in runs if run.seed == seed] for seed in sorted({run.seed for run in runs})}


def method(runs: list[Run]) -> tuple[float, float, float]:
    """Mean over seeds with the interval over items and seeds."""
    of_seed = np.array([np.mean([scores(run)["tuned"]["value"] for run in same]) for same in by_seed(runs).values()])
    over, k = errors(column(runs), runs[0]), len(of_seed)
    items = (over["standard_error"] if over["clustered_error"] is None else over["clustered_error"]) ** 2
    a = 1.5 * (seeds := float(of_seed.var(ddof=1)) / k)
    below = items**2 / int(runs[0].clusters.max()) + a**2 / (k - 1)
    freedom, total = ((items + a) ** 2 / below if below else 1.0), items + seeds
    half = t_quantile((1 + runs[0].confidence) / 2, freedom) * math.sqrt(total)
    return float(of_seed.mean()), max(float(of_seed.mean()) - half, 0.0), min(float(of_seed.mean()) + half, 1.0)


def over(runs: list[Run], pick: Any) -> JSON:
    """Means of value and limits over the runs of a seed, then over seeds."""
    return told(tuple(np.mean([np.mean([limits(pick(run)) for run in same], 0) for same in by_seed(runs).values()], 0)))


def figure(runs: list[Run], task: str, pick: Any) -> JSON:
    return {
        "items": pick(runs[0])["tuned"]["items"],
        "score": over(runs, lambda run: pick(run)["tuned"]),
        "gain": over(runs, lambda run: pick(run)["difference"]),
        "unparsable": float(np.mean([pick(run)["tuned"]["unparsable"] for run in runs])),
    }


def row(runs: list[Run]) -> JSON:
    """A row of a table; each run of a seed of its own."""
    of_seed = [scores(run)["tuned"]["value"] for run in runs]
    tasks = list(runs[0].tasks)
    also: JSON = {}
    for scoring in sorted({one for task in runs[0].tasks.values() for one in task["scoring"][1:]}):
        have = [name for name in tasks if scoring in runs[0].tasks[name]["scoring"][1:]]
        of = {n: figure(runs, n, lambda run, n=n, s=scoring: scores(run)["tasks"][n]["also"][s]) for n in have}
        also[scoring] = {"score": told(mover([limits(one["score"]) for one in of.values()], 0.0)), "tasks": of}
    costs = [cost(run) for run in runs]
    single = told(method(runs)) if len(runs) > 2 else over(runs, lambda run: scores(run)["tuned"])
    return {
        "score": single,
        **errors(column(runs), runs[0]),
        "gain": over(runs, lambda run: scores(run)["difference"]),
        "spread": float(np.std(of_seed, ddof=1)) if len(of_seed) > 1 else None,
        "tasks": {n: figure(runs, n, lambda run, n=n: scores(run)["tasks"][n]) for n in tasks},
        "also": also,
        "seeds": [run.seed for run in runs],
        **{name: round(np.mean([one[name] for one in costs])) for name in ("bytes_down", "bytes_up")},
        **{name: sum(one[name] for one in costs) for name in ("exclusions", "planned_exclusions")},
        "trainable_parameters": costs[0]["trainable_parameters"],
        "epsilon": max((one["epsilon"] for one in costs if one["epsilon"] is not None), default=None),
        "exposure": exposed(runs),
        "train_seconds": float(np.mean([run.result["cost"]["train_seconds"] for run in runs])),
        "peak_memory_bytes": max(run.result["cost"]["peak_memory_bytes"] for run in runs),
        "bundles": [{"seed": run.seed, "score": value} for run, value in zip(runs, of_seed, strict=True)],
    }


def exposed(runs: list[Run]) -> JSON | None:
    """Of a row: means over runs, and the canary that any of them exposes most."""
    if not runs[0].canaries:
        return None
    each = [exposure(run.canaries) for run in runs]
    over = {
        model: {
            "mean": float(np.mean([one[model]["mean"] for one in each])),
            "most": max(one[model]["most"] for one in each),
        }
        for model in ("untuned", "tuned")
    }
    return {**each[0], **over}


def pairs(groups: list[list[Run]], references: list[np.ndarray], flips: int = 10_000) -> list[JSON]:
    """Every pair of rows, and of a row with a reference: difference, its error, and p by step-down sign flips with
    signs of our own. Rows of three seeds and more bring what seeds add, by one draw of Student's t a sign vector."""
    run = groups[0][0]
    columns = np.array([column(runs) for runs in groups] + references).T
    sums = summed(columns * weights(run)[:, None], run.clusters)
    noise, freedom = seed_noise(groups, len(columns.T))
    of = [(a, b) for a, b in combinations(range(columns.shape[1]), 2) if a < len(groups)]
    left, right = np.array(of).T
    apart = sums[:, left] - sums[:, right]
    norms = np.sqrt((apart**2).sum(0) + noise[left] ** 2 + noise[right] ** 2)
    seen = np.abs(apart.sum(0)) / np.where(norms > 0, norms, 1.0)
    generator = np.random.default_rng(2026)
    signs = generator.choice([-1.0, 1.0], size=(flips, len(sums)))
    drawn = signs @ sums
    if noise.any():
        scale = np.sqrt(freedom / generator.chisquare(freedom, size=(flips, 1)))
        drawn += scale * generator.standard_normal(drawn.shape) * noise
    flipped = np.abs(drawn[:, left] - drawn[:, right]) / np.where(norms > 0, norms, 1.0)
    p, least = np.ones(len(of)), 0.0
    order = np.argsort(-seen)
    for place, at in enumerate(order):  # the largest statistic first
        worst = flipped[:, order[place:]].max(1)
        least = max(least, (1 + int((worst >= seen[at] * (1 - 1e-9)).sum())) / (1 + flips))
        p[at] = least
    return [
        {"a": a, "b": b, "difference": float(columns[:, a] @ weights(run) - columns[:, b] @ weights(run))}
        | errors(columns[:, a] - columns[:, b], run)
        | {"p_value": float(p[at])}
        for at, (a, b) in enumerate(of)
    ]


def seed_noise(groups: list[list[Run]], count: int) -> tuple[np.ndarray, float]:
    """What seeds add to each row's score, and the degrees of freedom behind it."""
    methods = [place for place, runs in enumerate(groups) if len(runs) > 2]
    noise = np.zeros(count)
    if not methods:
        return noise, 2.0
    each = {place: np.array([column([run]) for run in groups[place]]).T for place in methods}
    spread = {p: float((weights(groups[p][0]) @ each[p]).var(ddof=1)) for p in methods}
    of_item = {p: weights(groups[p][0])[:, None] * each[p] for p in methods}
    beside = {p: float(summed(of_item[p], groups[p][0].clusters).var(axis=1, ddof=1).sum()) for p in methods}
    free = np.array([len(groups[p]) - 1 for p in methods])
    whole = float(np.average([spread[p] for p in methods], weights=free))
    pooled = max(whole - float(np.average([beside[p] for p in methods], weights=free)), 0.0)
    for place in methods:
        own = max(spread[place] - beside[place], pooled) if spread[place] > 4 * whole else pooled
        noise[place] = math.sqrt(own / len(groups[place]))
    return noise, max(2.0, int(free.sum()) * (pooled / whole) ** 2) if whole else 2.0


# --- what was told beside what was counted ---

TOLERANCE = 1e-9
ROUNDED = 1.001e-6
"""Of an exposure: each canary's is told to 1e-6 bits, and so is their mean."""


def numbers(value: Any, at: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a document with its place."""
    if isinstance(value, dict):
        for key in sorted(value):
            yield from numbers(value[key], f"{at}/{key}")
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from numbers(one, f"{at}/{place}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield at, float(value)


def differences(told: Any, counted: Any, beside: tuple[str, ...] = (), tolerance: float = TOLERANCE) -> list[str]:
    """Numbers that differ, and numbers that one side alone has; none below a place in `beside`."""
    one, other = (
        {at: x for at, x in numbers(value) if not any(part in at for part in beside)} for value in (told, counted)
    )
    lost = [f"{at}: only one side has it" for at in sorted(one.keys() ^ other.keys())]
    apart = [at for at in sorted(one.keys() & other.keys()) if not abs(one[at] - other[at]) <= tolerance]
    return lost + [f"{at}: told {one[at]}, counted {other[at]}" for at in apart]


def bundle_problems(run: Run) -> list[str]:
    """Where result.json says other than answers and ledger."""
    result, counted = run.result, cost(run)
    found = differences(result["scores"], scores(run), ("/written/option", "/exposure"))
    counted_exposure = exposure(run.canaries) if run.canaries else None
    found += differences(result["scores"].get("exposure"), counted_exposure, tolerance=ROUNDED)
    names = ("exclusions", "planned_exclusions")
    told = {one: result["cost"][one] for one in COST} | {one: result[one] for one in names}
    told["epsilon"] = (result["privacy"] or {}).get("epsilon")
    found += differences(told, counted)
    rounds = [body for body in run.ledger if body["event"] == "round"]
    if run.spec.get("privacy"):
        for body, (due, least) in zip(rounds, epsilons(run.spec, rounds), strict=True):
            told_here = body["privacy"]["epsilon"]
            if abs(told_here - due) > RELATIVE * due or told_here < least * (1 - RELATIVE):
                found.append(f"epsilon {told_here} after round {body['round']}: counted {due}, leaked at least {least}")
    spent = np.cumsum([body["bytes_down"] + body["bytes_up"] for body in rounds])
    for one in result["within"]:
        fitting = int((spent <= one["communication_mib"] * 2**20).sum())
        at = {"round": fitting, "bytes": int(spent[fitting - 1]) if fitting else 0}
        found += differences({name: one[name] for name in at}, at)
    target = result["cost_to_target"]
    if target:
        losses = [body["validation_loss"] for body in rounds]
        first = next(place for place, loss in enumerate(losses) if loss <= target["validation_loss"])
        at = {"round": first + 1, "bytes": int(spent[first])}
        found += differences({name: target[name] for name in at}, at)
    return found


def table_problems(table: JSON, runs: dict[str, Run]) -> list[str]:
    """Where a table says other than the answers of its bundles. A p-value is one of signs that are drawn, ours of
    others: five standard errors of the two are let pass."""
    found = []
    groups = [[runs[one["path"]] for one in line["bundles"]] for line in table["rows"]]
    beside = ("/knobs", "/rank", "/target", "/within", "/missing_seeds", "checkpoint_round")
    for line, group in zip(table["rows"], groups, strict=True):
        counted = row(group)
        found += [f"{line['label']}{one}" for one in differences(line, counted, (*beside, "/exposure"))]
        found += differences(line.get("exposure"), counted["exposure"], tolerance=ROUNDED)
    every = [run for group in groups for run in group]
    of_entry = {line["entry"]: group for line, group in zip(table["rows"], groups, strict=True)}
    marks, labels = [], [line["label"] for line in table["rows"]]
    for one in table["references"]:
        if one["kind"] == "majority":
            counted = scores(every[0])["majority"]
            found += differences(one["score"]["value"], counted)
        else:
            mine = of_entry.get(one["entry"], every)
            limit = [limits(scores(run).get(one["kind"]) or scores(run)["references"][one["kind"]]) for run in mine]
            found += differences(one["score"], told(np.mean(limit, 0).tolist()))
            marks.append(column(mine, one["kind"]))
            labels.append(f"({one['kind']}: ")
    apart = {label: [0, 0] for label in labels}
    compared = {frozenset(re.sub(r"^(\(.*?: ).*", r"\1", one[x]) for x in "ab"): one for one in table["comparisons"]}
    for pair in pairs(groups, marks):
        a, b = labels[pair["a"]], labels[pair["b"]]
        one = compared[frozenset((a, b))]
        sign, p = 1 if one["a"].startswith(a) else -1, pair["p_value"]
        found += differences(one["difference"], sign * pair["difference"])
        for name in ("standard_error", "clustered_error"):
            found += differences({name: one[name]}, {name: pair[name]})
        if abs(one["p_value"] - p) > 5 * math.sqrt(p * (1 - p) * 2e-4) + 2e-4:
            found.append(f"{a}, {b}: p {one['p_value']}, counted {p}")
        if one["apart"] and pair["b"] < len(groups):
            best, worst = (a, b) if pair["difference"] > 0 else (b, a)
            apart[worst][0] += 1
            apart[best][1] += 1
    for line in table["rows"]:
        better, worse = apart[line["label"]]
        found += differences(line["rank"], {"best": 1 + better, "worst": len(groups) - worse})
    return found


def plans(benchmarks: Path) -> dict[str, JSON]:
    """Spec hash → plan, of the compiled benchmarks below a folder."""
    locks = {json.loads(path.read_text())["spec_hash"]: path.parent for path in benchmarks.glob("**/ftbench.lock")}
    return {name: json.loads((folder / "app/ftbench_app/plan.json").read_text()) for name, folder in locks.items()}


def unpacked(archive: Path, folder: Path, known: dict[str, JSON]) -> Run:
    """The run of an archive, unpacked there; or of a bundle that is a folder."""
    if archive.is_dir():
        return Run(archive, known[json.loads((archive / "result.json").read_text())["spec_hash"]])
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    return Run(folder, known[json.loads((folder / "result.json").read_text())["spec_hash"]])


def main() -> None:
    """`recount.py TABLE.json BUNDLES BENCHMARKS`: what of `ftbench leaderboard --json` is not what was counted."""
    document, bundles, benchmarks = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]), Path(sys.argv[3])
    known, problems = plans(benchmarks), 0
    with tempfile.TemporaryDirectory() as scratch:
        found_here = sorted([*bundles.glob("*.zip"), *bundles.glob("*/bundle")])
        runs = {f"{one.relative_to(bundles)}": unpacked(one, Path(scratch, one.stem), known) for one in found_here}
        for name, run in runs.items():
            found = bundle_problems(run)
            print(name, len(list(numbers(run.result["scores"]))), "figures", *found, sep="\n  " if found else " ")
            problems += len(found)
        for table in document["tables"]:
            found = table_problems(table, runs)
            print(table["name"], len(list(numbers(table))), "figures", *found, sep="\n  " if found else " ")
            problems += len(found)
    sys.exit(problems > 0)


if __name__ == "__main__":
    main()
