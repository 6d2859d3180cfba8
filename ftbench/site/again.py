"""The commands that verify a bundle, let its adapter answer again, and run it again."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Sequence
from typing import Any

from ftbench import builtin
from ftbench.board.model import BundleRef, Row, Table
from ftbench.site.context import Context
from ftbench.spec import knobs


def commands(
    context: Context, table: Table, row: Row, bundle: BundleRef, choices: Sequence[dict[str, Any]]
) -> list[dict[str, str]]:
    """What is done, and the command, from the folder above that of the bundles. `choices`: as the page shows them."""
    if context.submission(bundle).carried:
        return []  # it lies where its submission says, and is of another benchmark
    where = context.folder(bundle)
    found = [("Verify the bundle, which scores every answer again", ["ftbench", "verify", where])]
    model = f"{row.model.name}@{row.model.revision}"
    spec = _specs().get(table.name)
    if spec is not None and not where.endswith((".zip", ".gz", ".tgz", ".tar")):
        words = ["ftbench", "evaluate", f"{where}/adapter", "--spec", spec]
        found.append(("Let the adapter answer every item again", [*words, *_model(context, table, row, model)]))
    if table.division == "closed":  # of the open division the code is in the bundle, its entry's file at its author's
        words = ["ftbench", "run", f"generated/{table.name}/{table.version}", *_model(context, table, row, model)]
        words += ["--seed", str(bundle.seed)]
        for one in choices:
            words += [] if one["default"] else ["--set", f"{one['path']}={one['value']}"]
        found.append(("Train and score again", words))
    return [{"said": said, "text": shlex.join(words)} for said, words in found]


def _model(context: Context, table: Table, row: Row, model: str) -> list[str]:
    """`--model`, where the entry's base model is not the benchmark's own."""
    plan = context.plan(table)
    spec = plan.typed_spec() if plan else None
    own = spec is not None and (knobs.BASE_MODEL not in spec.knobs or spec.model.base == row.model)
    return [] if own else ["--model", model]


@functools.cache
def _specs() -> dict[str, str]:
    """Name of a benchmark → what its spec is called where it comes with ftbench."""
    found = {}
    for key, path in builtin.specs().items():
        named = re.search(r"^metadata:\n(?:  .*\n)*?  name: (\S+)$", path.read_text("utf-8"), re.MULTILINE)
        if named is not None:
            found[named[1]] = key
    return found
