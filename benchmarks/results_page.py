"""docs/results.md from the folders of the studies: `python benchmarks/results_page.py runs/studies > docs/results.md`.

A second argument names a folder of compiled benchmarks to know beside those here. Tables are those that `ftbench sweep`
and `ftbench analyse` wrote; what is not whole yet is said.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from ftbench import builtin
from ftbench.board import figures
from ftbench.board.collect import collect, known_plans, verifier
from ftbench.board.model import Estimate
from ftbench.board.sweep_model import Sweep
from ftbench.cli.benchmark import benchmark_folders
from ftbench.data.store import Store
from ftbench.errors import FtbenchError
from ftbench.result import ledger
from ftbench.result.documents import Finished, Result, Round
from ftbench.result.statistics import Estimate as Bounded
from ftbench.result.statistics import mover_mean
from ftbench.spec import sweep_file
from ftbench.spec.entries import load_resolved

HEAD = """# Results of the studies

Written by `benchmarks/studies.sh`; nothing here is edited by hand. Micro models on built-in data: they say how the method works and
nothing of real data.

## What was run

`micro/strategies-iid` and `micro/strategies-dirichlet` (alpha 0.1): general NLP's micro rows, eight clients of which four take eight
steps of eight in each of six rounds, LoRA of rank 8, AdamW. Every strategy has four trials on the validation cut at seed 1; the test
sets (three of 120 items, best constant answer 27 to 29 %) are read for the best alone. With clients alike the best two
strategies reach 100 % on some seeds, which is a ceiling; with skewed clients none does. Loss of a model that guesses among the four labels: ln 4 / 2 = 0.693.

What is tried decides: a first pass ended at a rate of 0.02 and had FedProx at mu 0.01 and 0.1. With rates up to 0.04 and mu 0.001 and 0.01
FFA-LoRA scores 77.7 where it scored 43.0, and FedProx 86.8 where it scored 47.7, with clients alike. What is marked `least` or `greatest`
ended at what was tried still. FedAdam (tau 0.001) guesses all the same: server rates of 0.003 to 0.3 were tried over the passes, and 0.1 and 0.3
came to validation losses of 0.77 and more.

`micro/adapters-16bit` and `micro/adapters-4bit`: the same federation with FedAvg, LoRA against DoRA of rank 8, on weights in bfloat16 and
on weights of 4 bits (fp4, bitsandbytes); untuned rates, so nothing is chosen. `micro/across-…`: one domain's adapter asked the other
domains' questions; `micro/mixed`: clients of all four domains in one federation. Three seeds each.
"""  # noqa: E501
ELSEWHERE = """## Beside published figures

SmolLM2-135M-Instruct on FlowerTune's code board: 5.49 / 7.2 / 4.97 / 5.59; on general NLP a mean of 21.10. No run of ours answers the
same question: the domains' data has not been locked ([README](../README.md#not-yet)). What would differ in any case: answers to
general NLP are generated there and an unparsable one is wrong, which puts 21.10 below the 25 % of a guess, and are log-likelihoods
here; the code board's programs are cut by other stop strings; rounds, rates and seeds are free there. What was run of that model on
rows like finance's is in [results/real-rows.md](../results/real-rows.md), and below.

## The real 135M model where it learns: adapters, bits, strategies

Made again by one command, `python benchmarks/demo/studies.py DIR` (model and rows are the demo's; 39 minutes of processor).
SmolLM2-135M-Instruct (dequantised from Q4_1), 600 messages of four shops by intent, a client a shop, two clients of four a round, two
rounds of six steps of eight rows, rank 8, 1e-3 → 2e-4, computed in float32; 40 messages to answer, best constant answer 20 %. Weights in
float32, or in 4 bits (fp4). Three seeds each, as printed:

| | Score | Against the first | Gain over untuned | Traffic MiB | Parameters | Seeds |
| --- | --- | --- | --- | --- | --- | --- |
| 32 bits, `lora` | 60.0 [44.7, 73.6] ±6.6 over seeds | first | +40.0 [+17.0, +57.9] | 74.53 | 2,442,240 | 3 |
| 32 bits, `dora` | 61.7 [46.3, 74.9] ±8.0 over seeds | +1.7 [-4.5, +7.8] | +41.7 [+18.5, +59.5] | 79.28 | 2,597,760 | 3 |
| 4 bits, `lora` | 55.8 [40.6, 70.0] ±3.8 over seeds | first | +38.3 [+15.4, +56.4] | 74.53 | 2,442,240 | 3 |
| 4 bits, `dora` | 56.7 [41.4, 70.7] ±2.9 over seeds | +0.8 [-4.6, +6.3] | +39.2 [+16.1, +57.2] | 79.28 | 2,597,760 | 3 |
| 32 bits, `fedavg` | 60.0 [44.7, 73.6] ±6.6 over seeds | first | +40.0 [+17.0, +57.9] | 74.53 | 2,442,240 | 3 |
| 32 bits, `flexlora` | 60.8 [45.5, 74.3] ±7.6 over seeds | +0.8 [-5.9, +7.6] | +40.8 [+17.7, +58.7] | 74.53 | 2,442,240 | 3 |

| claim | outcome | figure | asked | why |
| --- | --- | --- | --- | --- |
| DoRA scores as LoRA, to 2 points | not told apart | +1.3 [-2.9, +5.4] | adapter: dora minus lora, everything else equal | within 2 points either way was claimed; 3 seeds, 2 contexts, 40 items; 40 seeds and 534 items would tell, were the figure as it is |
| 4-bit weights score as 32-bit ones, to 2 points | not told apart | -4.6 [-23.0, +13.9] | bits: 4 bits fp4 in float32 minus 32 bits, everything else equal | within 2 points either way was claimed; 3 seeds, 2 contexts, 40 items; 71 seeds and 947 items would tell, were the figure as it is |
| FlexLoRA scores as FedAvg, to 2 points | not told apart | +0.8 [-3.7, +5.3] | strategy: flexlora minus fedavg, everything else equal | within 2 points either way was claimed; 3 seeds, 1 contexts, 40 items; 37 seeds and 494 items would tell, were the figure as it is |

Every run is told apart from the constant answer, so that the claims are asked; forty messages and three seeds tell none of them. Estimate
over measurement of a client's memory: 1.23 to 1.36 in float32, 0.71 to 0.81 with 4 bits on this CPU; why was not looked into.
The standard deviations over seeds, 3 to 8 points, are those of this task, and no band for another.

## The real 135M model: two strategies and DoRA, three seeds

Not made again by one command, since its rows are not ours to pass on. `finance-real` cut small: SmolLM2-135M-Instruct (dequantised from
Q4_1), 14,056 public rows like finance's, four clients of which two train in each of three rounds four steps of eight rows of at most
64 tokens, rank 8 on all linear layers, float32, 2e-3 → 5e-4, 2 shared CPU cores; items by likelihood: 101 of FPB, 100 of TFNS.
`ftbench sweep … --vary strategy.kind=fedavg,flexlora --seeds 3` with LoRA, then `--vary adapter.kind=dora` with FedAvg, spec hash
53fff3e917a7…, as printed (two sweeps, so DoRA has no difference to the first):

| | Score | Against the first | Gain over untuned | Traffic MiB | Parameters | Seeds |
| --- | --- | --- | --- | --- | --- | --- |
| `fedavg` | 55.7 [48.9, 62.3] ±0.0 over seeds | first | +27.9 [+15.4, +39.0] (no gain) | 111.80 | 2,442,240 | 3 |
| `flexlora` | 55.7 [48.9, 62.3] ±0.0 over seeds | -0.0 [-1.6, +1.6] | +27.9 [+15.4, +39.0] (no gain) | 111.80 | 2,442,240 | 3 |
| `dora` | 55.9 [49.0, 62.5] ±0.3 over seeds | – | +28.0 [+15.6, +39.2] | 118.92 | 2,597,760 | 3 |

Seven of the nine runs have as many right as the best constant answer on either task (53 and 59), the other two differ from it by one item
a task: at most 96 rows a client say which answer is common and no more. So these runs tell nothing of strategies or adapters, and `ftbench
analyse` says so: *not asked*, "no run of either is told apart from the best constant answer". Seeds agree for the same reason, so that no
band for REPRODUCED follows. How many seeds or items would tell cannot be read off them; what is missing is training.
`ftbench estimate` said 111.8 and 118.9 MiB of traffic (sent: the same), 1,334 MiB of a client (grown: 1,569 to 1,592) and with DoRA 1,646 (1,881 to 1,893).
"""  # noqa: E501

STUDIES = {"strategies": ("paper/strategies",), "adapters": ("paper/adapters", "paper/bits")}
"""Beginning of the sweeps' folders → whose claims are asked of them: the paper's, in small form."""


def main(folder: Path, more: tuple[Path, ...] = ()) -> None:
    """Print the page."""
    print(HEAD)
    here = known_plans(benchmark_folders(()))
    folders = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    for one in folders:
        print(f"## {one.name}\n")
        print("\n".join(trials(one)))
        table = one / "table.md"
        if table.is_file():
            if Sweep.model_validate_json((one / "sweep.json").read_bytes()).spec_hash not in here:
                print("Run on an earlier tree, whose spec hash is another than that of now.\n")
            print(table.read_text(encoding="utf-8").replace("\n## ", "\n### ").replace("# Sweep", "### Sweep", 1))
        else:
            print("The sweep is not whole: `benchmarks/studies.sh` goes on with it.\n")
    print("\n".join(matrix(folders)))
    for study, files in STUDIES.items():
        print(analysed(study, [one for one in folders if one.name.startswith(study)], more, files))
    print(ELSEWHERE)


def trials(folder: Path) -> Iterator[str]:
    """Every candidate that was trained, with its loss on the validation cut."""
    found = []
    for path in sorted(folder.glob("*/ledger.jsonl")):
        entry = load_resolved(path.parent / "entry.yaml")
        bodies = [line.body for line in ledger.read(path, drop_torn=True)]
        if not bodies or not isinstance(bodies[-1], Finished):
            continue
        at = bodies[-1].round
        loss = next((one.validation_loss for one in bodies if isinstance(one, Round) and one.round == at), None)
        if loss is None:
            continue
        names = ("strategy.kind", "training.schedule.learning_rate", "strategy.mu", "strategy.server_learning_rate")
        values = [entry.knobs.get(name) for name in names]
        cells = ["–" if value is None else str(value) for value in values]
        found.append((cells, entry.seed, loss, (path.parent / "bundle" / "manifest.json").is_file()))
    if not found:
        return
    yield "Trained so far; loss on the validation cut of the round that it chose:"
    yield ""
    yield "| strategy | learning rate | mu | server rate | seed | loss | scored |"
    yield "|---|---|---|---|---|---|---|"
    for cells, seed, loss, scored in sorted(found, key=lambda one: (one[0][0], one[1], one[2])):
        yield f"| {' | '.join(cells)} | {seed} | {loss:.4f} | {'yes' if scored else '–'} |"
    yield ""


def matrix(folders: list[Path]) -> Iterator[str]:
    """What adapters of one domain, and of all of them at once, score on each domain; nothing where none was asked."""
    runs = {one.name: results for one in folders if (results := _results(one)) and _across(one.name)}
    domains = {
        name: elsewhere.tasks for results in runs.values() for name, elsewhere in sorted(results[0].scores.also.items())
    }
    if not domains:
        return
    yield "## Across domains"
    yield ""
    yield "Mean over a domain's tasks and over seeds, and the gain over the untuned model on the same items, in points;"
    yield "intervals at 95 % cover items only. `mixed`: two clients of each domain in one federation of 12 rounds; the"
    yield "others have the rounds of their own domain's spec."
    yield ""
    yield f"| trained on | runs | {' | '.join(domains)} |"
    yield f"|---|---|{'---|' * len(domains)}"
    for name, results in runs.items():
        cells = [_on(results, tasks) for tasks in domains.values()]
        yield f"| {name.removeprefix('across-')} | {len(results)} | {' | '.join(cells)} |"
    yield ""


def _across(name: str) -> bool:
    return name == "mixed" or name.startswith("across-")


def _results(folder: Path) -> list[Result]:
    found = sorted(folder.glob("*/bundle/result.json"))
    return [Result.model_validate_json(path.read_bytes()) for path in found]


def _on(results: list[Result], tasks: list[str]) -> str:
    """Score and gain on some tasks: each over seeds, then the plain mean."""
    by_task = [[(one.seed, one.scores.tasks[task]) for one in results] for task in tasks]
    score = _mean([figures.over_seeds((s, figures.estimate(x.tuned)) for s, x in runs) for runs in by_task], 0.0)
    gain = _mean([figures.over_seeds((s, figures.estimate(x.difference)) for s, x in runs) for runs in by_task], -1.0)
    return f"{_points(score, '.1f')}, {_points(gain, '+.1f')}"


def _mean(several: list[Estimate], least: float) -> Bounded:
    return mover_mean([Bounded(one.value, one.interval.low, one.interval.high) for one in several], (least, 1.0))


def _points(one: Bounded, form: str) -> str:
    return f"{100 * one.value:{form}} [{100 * one.low:{form}}, {100 * one.high:{form}}]"


def analysed(study: str, folders: list[Path], more: tuple[Path, ...], files: tuple[str, ...]) -> str:
    """What `ftbench analyse` says of the sweeps of a study together; empty while there is too little."""
    from ftbench.analysis import text
    from ftbench.analysis.analyse import analyse

    benchmarks, store = [*more, *benchmark_folders(())], Store.default(None)
    plans = known_plans(benchmarks)
    verify = verifier(store=store, benchmarks=benchmarks, spec=None, required="CONFORMS")
    claims = [claim for file in files for claim in sweep_file.load(builtin.sweeps()[file]).claims]
    try:
        found = collect(folders, verify, plans=plans, store=store)
        made = analyse(found.submissions, plans, stated=claims)
    except FtbenchError:
        return ""
    return text.markdown(made).replace("\n## ", "\n### ").replace("# Analysis", f"## Analysis of {study}", 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), tuple(map(Path, sys.argv[2:])))
