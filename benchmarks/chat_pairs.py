"""Bundles of a domain and of its chat variant side by side: every two compared on the same items.

    python benchmarks/chat_pairs.py BASE/bundle BASE-CHAT/bundle INSTRUCT/bundle INSTRUCT-CHAT/bundle

Rows of different specs are never ranked together: the prompts differ. Here the items are matched by their digest, each
marked by the scoring that ranks in its own spec. Printed are each bundle's scores before and after tuning, and for
every two bundles the difference of their means over tasks, with its interval at 95 % and the p-value of that mean. The
last line is the same as JSON. The bundles are believed as they are: verify them first.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from ftbench import builtin  # noqa: E402
from ftbench.errors import FtbenchError  # noqa: E402
from ftbench.result import names, samples  # noqa: E402
from ftbench.result.documents import Result  # noqa: E402
from ftbench.result.marks import Given, mark  # noqa: E402
from ftbench.result.opening import open_bundle  # noqa: E402
from ftbench.result.statistics import mover_mean, paired_difference, stratified  # noqa: E402
from ftbench.spec.load import load_spec  # noqa: E402
from ftbench.spec.model import Spec  # noqa: E402

Marks = dict[str, dict[str, bool]]
"""Task → digest of an item → whether it was answered rightly."""


def spec_named(name: str) -> Spec:
    """The built-in spec whose benchmark has this name. Raises ValueError for none."""
    for path in builtin.specs().values():
        spec = load_spec(path).spec
        if spec.metadata.name == name:
            return spec
    raise ValueError(f"no built-in spec is called {name!r}")


def read(path: Path) -> tuple[str, dict[str, Marks]]:
    """What a bundle is called, and its marks untuned and tuned."""
    bundle = open_bundle(path)
    result = Result.model_validate_json(bundle.files[names.RESULT])
    told: dict[str, Marks] = {"untuned": {}, "tuned": {}}
    for task in spec_named(result.name).evaluation.tasks:
        name = names.samples_name(task.name)
        for one in samples.parse(bundle.files[name], name):
            for when, answer in (("untuned", one.untuned), ("tuned", one.tuned)):
                given = Given(answer, one.options, one.target, one.prompt)
                told[when].setdefault(task.name, {})[one.item] = mark(task, task.scoring[0], given) == "right"
    return f"{result.name}, {result.model.name}, seed {result.seed}", told


def compare(one: Marks, other: Marks) -> dict[str, Any]:
    """The second less the first, on the items that both were asked. Raises ValueError where a task has none."""
    found, changes, before, after = [], [], [], []
    for task in sorted(one.keys() & other.keys()):
        shared = sorted(one[task].keys() & other[task].keys())
        if not shared:
            raise ValueError(f"the two have no item of {task} in common")
        pairs = [(one[task][item], other[task][item]) for item in shared]
        both, gained, lost = (pairs.count(p) for p in ((True, True), (False, True), (True, False)))
        found.append(paired_difference(both, gained, lost, len(pairs) - both - gained - lost, 0.95))
        changes.append((len(pairs), gained, lost))
        before.append((both + lost) / len(pairs))
        after.append((both + gained) / len(pairs))
    if not found:
        raise ValueError("the two have no task in common")
    mean = mover_mean(found, (-1.0, 1.0))
    scores = [sum(values) / len(values) for values in (before, after)]
    return {"scores": scores, "difference": mean.value, "low": mean.low, "high": mean.high, "p": stratified(changes)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", type=Path)
    arguments = parser.parse_args()
    out: list[dict[str, Any]] = []
    try:
        told = [read(path) for path in arguments.bundles]
        for name, marks in told:
            out.append({"of": name, "against": "itself untuned", **compare(marks["untuned"], marks["tuned"])})
        for (first, one), (second, other) in itertools.combinations(told, 2):
            for when in ("untuned", "tuned"):
                out.append({"of": f"{second}, {when}", "against": first, **compare(one[when], other[when])})
    except (FtbenchError, ValueError, KeyError, OSError) as error:
        print(f"cannot be compared: {error}", file=sys.stderr)
        return 1
    for row in out:
        change = f"{100 * row['difference']:+.1f} points [{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]"
        first, second = (f"{100 * value:.1f}" for value in row["scores"])
        print(f"{row['of']} against {row['against']}: {first} → {second}, {change}, p {row['p']:.3g}")
    print(json.dumps({"benchmark": "chat_pairs", "pairs": out}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
