"""`python -m ftbench.replay.worker APP_DIR JOB.json ANSWER.json`: parts of committed rounds again, by a compiled app.

JOB.json holds `run_config`, `archive`, `threads`, `clients` ([round, partition] each), `aggregations` and
`validations` (rounds). What cannot be done gets a `reason`. The process ends when its standard input is closed.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ftbench.result import names
from ftbench.run.engines.inline_worker import PACKAGE, end_with_stdin, fused_config

UNFIT = (ValueError, TypeError, LookupError, ArithmeticError)
"""What numpy says of arrays that do not fit together."""


def main(arguments: list[str]) -> int:
    """Exit status: 0 where the answer was written."""
    app, job, answer = map(Path, arguments)
    end_with_stdin()
    asked = json.loads(job.read_bytes())
    sys.dont_write_bytecode = True  # a compiled benchmark is frozen
    sys.path.insert(0, str(app))
    answer.write_text(json.dumps(redone(app, asked)))
    return 0


def redone(app: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """What JOB.json asks; `app` is on the path."""
    import torch

    torch.set_num_threads(asked["threads"])
    redo = importlib.import_module(f"{PACKAGE}.redo")
    errors = importlib.import_module(f"{PACKAGE}.errors")
    worker = importlib.import_module(f"{PACKAGE}.worker")
    settings = worker.checked_settings(fused_config(app, asked["run_config"]))
    rounds = redo.Rounds(settings, Path(asked["archive"]))
    return {
        "clients": [_one(errors.AppError, rounds.client, number, part) for number, part in asked["clients"]],
        "aggregations": [_one(errors.AppError, rounds.aggregation, number) for number in asked["aggregations"]],
        "validations": [
            _one(errors.AppError, _validation, settings, rounds.archive, line)
            for line in rounds.lines
            if line["round"] in asked["validations"]
        ],
    }


def _validation(settings: Any, archive: Path, line: dict[str, Any]) -> dict[str, Any]:
    """The validation loss of a round's adapter, which is what the next round began from, or what the bundle has."""
    state, arrays = (importlib.import_module(f"{PACKAGE}.{name}") for name in ("state", "arrays"))
    worker = importlib.import_module(f"{PACKAGE}.worker")
    name = line["adapter"]
    if not state.path_of(archive, name).is_file():
        from safetensors.numpy import load

        found = arrays.ordered(load((settings.run_dir / names.ADAPTER).read_bytes()))
        if arrays.digest(settings.adapter, found) == name:
            return {"loss": worker.validation_loss(settings, found)}
    return {"loss": worker.validation_loss(settings, state.get(archive, settings.adapter, name))}


def _one(error: type[Exception], function: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """What a function finds, or why it finds nothing. What an archive holds is its owner's to choose: arrays of another
    shape, or of names that nobody asked for, end the one part and not the process, which would leave the bundle
    undecided. What is wrong with the machine (no memory, no disk) still ends it."""
    try:
        return function(*arguments)
    except error as problem:
        return {"reason": str(getattr(problem, "message", problem))}
    except UNFIT as problem:
        return {"reason": f"what the archive holds is not of this run: {type(problem).__name__}: {problem}"[:500]}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
