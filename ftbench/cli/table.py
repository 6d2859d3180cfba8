"""Every command by name: where it lies and one line of help, so that `ftbench --help` imports no command."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A command: its module under `ftbench.cli` and its line in the list of commands."""

    module: str
    help: str


SECTIONS: dict[str, dict[str, Entry]] = {
    "Write a benchmark": {
        "new": Entry("new", "Write a spec from two files, or an entry for a spec."),
        "validate": Entry("validate", "Check specs and report every problem at once."),
        "preview": Entry("preview", "Show prompts and answers exactly as they are trained and scored."),
        "lock": Entry("lock", "Resolve a spec's data and partitions into its pins file."),
        "partition": Entry("partition", "Show which rows and labels each client holds, and how unlike they are."),
        "privacy": Entry("privacy", "Show what a spec's rounds spend of its privacy budget."),
        "compile": Entry("compile", "Freeze a spec into a Flower app and evaluation tasks."),
        "publish": Entry("publish", "Compile a version that is never changed again."),
        "explain": Entry("explain", "Say what a field of a spec is, or what a diagnostic means."),
        "diff": Entry("diff", "Say why two benchmarks have different hashes."),
        "hash": Entry("hash", "Print the hash that results are pinned to."),
    },
    "Enter it": {
        "import": Entry("import_", "Turn a FlowerTune app into an entry, and say where it departs."),
        "models": Entry("models", "List base models and the facts of their architecture."),
        "estimate": Entry("estimate", "Say what a benchmark asks for with a base model: traffic, memory, download."),
        "data": Entry("data", "Fetch data and base models, list and check what is in the store."),
        "run": Entry("run", "Run a benchmark: train, evaluate, write the result bundle."),
        "site-kit": Entry("site_kit", "Make what a site needs to take part with rows that stay there."),
        "node": Entry("node", "Take part from a site: answer a federation's messages with your own rows."),
        "watch": Entry("watch", "Look at a run from another terminal while it goes on."),
        "sweep": Entry("sweep", "Run every combination of values and compare them in one table."),
        "analyse": Entry("analyse", "Say what many runs say together, and which claims stand."),
        "merge": Entry("merge", "Merge a run's adapter into its base weights, and score that on the same items."),
        "evaluate": Entry("evaluate", "Score the adapter of a run again."),
        "report": Entry("report", "Write what a run came to as one page and as Markdown."),
        "sign": Entry("sign", "Sign a bundle or a verdict with an SSH key, or verify such a signature."),
        "pack": Entry("pack", "Put a result bundle into one archive to hand in."),
    },
    "Judge it": {
        "verify": Entry("verify", "Say how far a result bundle can be believed, and why."),
        "score": Entry("score", "Score recorded answers, whoever's, by the scorings of a spec."),
        "submit": Entry("submit", "Hand a bundle in, check what was handed in, or note that it was received."),
        "decide": Entry("decide", "Decide on what was handed in; decisions are chained and signed."),
        "carry": Entry("carry", "Score a result under another spec hash, where only evaluation or stack moved."),
        "compare": Entry("compare", "Compare two runs item by item: what differs, and whether it shows."),
        "bisect": Entry("bisect", "Say where two runs of one entry part: round, client, and what differs."),
        "leaderboard": Entry("leaderboard", "Verify every bundle of a folder and rank what holds."),
        "export": Entry("export", "Write a verified result in a form that others read."),
        "site": Entry("site", "Make web pages of a folder of bundles, down to the single answer."),
    },
    "Look around": {
        "list": Entry("list_", "List specs, knobs, strategies, checks and more."),
        "schema": Entry("schema", "Print, write or check the JSON Schemas."),
        "doctor": Entry("doctor", "Check whether this machine can run benchmarks."),
        "version": Entry("version", "Print the versions of ftbench, its formats and its stack."),
        "completion": Entry("completion", "Print the shell completion script."),
    },
}
"""The commands in the order of the work, as `ftbench --help` shows them."""

COMMANDS: dict[str, Entry] = {name: entry for section in SECTIONS.values() for name, entry in section.items()}

EXIT_CODES: dict[int, str] = {
    0: "done, and everything that was asked to hold does",
    1: "a check failed: files drifted, a bundle is below the level required, or an estimate is above a limit",
    2: "the command line was not understood",
    3: "a spec, entry, pins file or bundle cannot be used as it is",
    4: "something needed is not here: data, a model, a package, a tool",
    5: "a run began and could not be finished",
    6: "a run stopped at a limit; its state is kept",
    70: "a bug in ftbench",
    130: "interrupted",
    141: "the reader of the output went away",
}
"""Exit codes; they never change their meaning."""
