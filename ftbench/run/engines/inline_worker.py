"""`python -m ftbench.run.engines.inline_worker APP_DIR CONFIG.json [--guarded]`: runs of a compiled app in here.

CONFIG.json holds `runs`, each with `clients`, `run_config` and `processes` (clients at once); they are carried out in
order and share the loaded base model. On a CUDA device clients at once share its passes.

Exit status 0: the ServerApp returned each time; 1: it raised; 3: with `--guarded`, standard input was
closed, because whoever started this wants no more of it or is gone.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
import tomllib
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ftbench.run import start
from ftbench.run.engines import unquantised

PACKAGE = "ftbench_app"


def flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables → dotted keys, as Flower hands the run config to an app."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def fused_config(app_dir: Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The app's own run config with overrides. Raises ValueError for a key that it does not declare, as Flower does."""
    project = tomllib.loads((app_dir / "pyproject.toml").read_text(encoding="utf-8"))
    config = flatten(project["tool"]["flwr"]["app"]["config"])
    if unknown := sorted(overrides.keys() - config.keys()):
        raise ValueError(f"the app declares no run-config key {', '.join(unknown)}")
    return {**config, **overrides}


def run(app_dir: Path, overrides: Mapping[str, Any], clients: int, processes: int = 1) -> None:
    """Import the app from `app_dir`, the first time, and carry it out, clients in so many processes. What the ServerApp
    raises passes through."""

    def mark(what: str) -> None:
        if "run-dir" in overrides and not overrides.get("reference"):
            start.mark(Path(str(overrides["run-dir"])) / "logs", what)

    mark("importing Flower")
    from flwr.app import Context, RecordDict

    from ftbench.run.engines.inline_grid import RUN_ID, SERVER_NODE, InlineGrid
    from ftbench.run.engines.inline_processes import ProcessGrid
    from ftbench.run.engines.inline_together import TogetherGrid

    config = fused_config(app_dir, overrides)
    if str(app_dir) not in sys.path:
        sys.path.insert(0, str(app_dir))
    mark("importing the app and PyTorch")
    server = importlib.import_module(f"{PACKAGE}.server_app").app
    module = importlib.import_module(f"{PACKAGE}.client_app")
    mark("data, models and the first round")
    context = Context(run_id=RUN_ID, node_id=SERVER_NODE, node_config={}, state=RecordDict(), run_config=config)
    device = processes > 1 and _on_a_device()
    together = getattr(module, "train_together", None) if device else None
    if together is not None:
        server(TogetherGrid(module.app, config, clients, processes, together), context)
        return
    if device:
        print("ftbench: clients one after another: this benchmark was compiled before they could train together")
    if processes == 1 or device:
        server(InlineGrid(module.app, config, clients), context)
        return
    grid = ProcessGrid(module.app, config, clients, processes, getattr(module, "warm", None))
    try:
        server(grid, context)
    finally:
        grid.close()


def _on_a_device() -> bool:
    import torch

    return torch.cuda.is_available()


def end_with_stdin() -> None:
    """From now on end this process, without more ado, when standard input is closed.

    Nothing needs clearing up: a run can be killed at any moment.
    """

    def wait() -> None:
        while os.read(0, 4096):
            pass
        os._exit(3)

    threading.Thread(target=wait, daemon=True).start()


def main(arguments: list[str]) -> int:
    """Exit status of all runs."""
    app_dir, config_file, *options = arguments
    if "--guarded" in options:
        end_with_stdin()
    config = json.loads(Path(config_file).read_bytes())
    # A compiled benchmark is frozen: importing it must not leave bytecode beside its modules.
    sys.dont_write_bytecode = True
    plan = Path(app_dir) / PACKAGE / "plan.json"
    unquantised.keep_away(plan, [wanted["run_config"] for wanted in config["runs"]])
    try:
        for wanted in config["runs"]:
            run(Path(app_dir).resolve(), wanted["run_config"], int(wanted["clients"]), int(wanted.get("processes", 1)))
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
