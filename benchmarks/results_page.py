"""docs/results.md from the folders of the studies: `python benchmarks/results_page.py runs/studies > docs/results.md`.

A second argument names a folder of compiled benchmarks to know beside those here. Tables are those that `ftbench sweep`
and `ftbench analyse` wrote; what is not whole yet is said.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from ftbench.board.collect import collect, known_plans, verifier
from ftbench.board.sweep_model import Sweep
from ftbench.cli.benchmark import benchmark_folders
from ftbench.data.store import Store
from ftbench.errors import FtbenchError
from ftbench.result import ledger
from ftbench.result.documents import Finished, Round
from ftbench.spec.entries import load_resolved

HEAD = """# Results of the studies

Written by `benchmarks/studies.sh`; nothing here is edited by hand. Micro models on built-in data: they say how the method works and
nothing of real data.

## What was run

`micro/strategies-iid` and `micro/strategies-dirichlet` (alpha 0.1): general NLP's micro rows, eight clients of which four take eight
steps of eight in each of six rounds, LoRA of rank 8, AdamW. Every strategy has four trials on the validation cut at seed 1; the test
sets (three of 120 items, best constant answer 27 to 29 %) are read for the best alone. With clients alike the best two
strategies reach 100 % on some seeds, which is a ceiling; with skewed clients none does. Loss of a model that guesses among the four labels: ln 4 / 2 = 0.693.
"""  # noqa: E501
ELSEWHERE = """## Beside published figures

SmolLM2-135M-Instruct on FlowerTune's code board: 5.49 / 7.2 / 4.97 / 5.59; on general NLP a mean of 21.10. No run of ours answers the
same question: the domains' data has not been locked ([README](../README.md#not-yet)). What would differ in any case: answers to
general NLP are generated there and an unparsable one is wrong, which puts 21.10 below the 25 % of a guess, and are log-likelihoods
here; the code board's programs are cut by other stop strings; rounds, rates and seeds are free there. What was run of that model on
rows like finance's is in [results/real-rows.md](../results/real-rows.md).
"""  # noqa: E501


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
    print(analysed(folders, more))
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


def analysed(folders: list[Path], more: tuple[Path, ...]) -> str:
    """What `ftbench analyse` says of all of them together; empty while there is too little."""
    from ftbench.analysis import text
    from ftbench.analysis.analyse import analyse

    benchmarks, store = [*more, *benchmark_folders(())], Store.default(None)
    plans = known_plans(benchmarks)
    verify = verifier(store=store, benchmarks=benchmarks, spec=None, required="CONFORMS")
    try:
        found = collect(folders, verify, plans=plans, store=store)
        made = analyse(found.submissions, plans)
    except FtbenchError:
        return ""
    return text.markdown(made).replace("\n## ", "\n### ").replace("# Analysis", "## Analysis", 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), tuple(map(Path, sys.argv[2:])))
