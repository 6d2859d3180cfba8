"""What an engine is: something that carries out the compiled app's training and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from ftbench.spec.entry import ResolvedEntry

EngineName = Literal["flower-simulation", "flower-deployment", "inline"]
ENGINES: tuple[EngineName, ...] = ("flower-simulation", "flower-deployment", "inline")

RunConfig = dict[str, str | int | float | bool]
"""Run-config keys as Flower takes them: dotted path → scalar."""


def knob_config(entry: ResolvedEntry) -> RunConfig:
    """An entry's knobs as run-config keys: what is no scalar as JSON text, which is all that Flower carries."""
    return {
        path: value if isinstance(value, (str, int, float, bool)) else json.dumps(value)
        for path, value in entry.knobs.items()
    }


def _unheard(_text: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class TrainJob:
    """One start of one run's training."""

    compiled: Path
    """The compiled benchmark (the run's own copy), absolute; the app is its `app/`."""
    run_config: RunConfig
    """Overrides of the app's run config, among them `run-dir`, `store`, `resume` and the knobs."""
    run_dir: Path
    """The run's folder, absolute."""
    logs: Path
    """Folder for the engine's logs; exists."""
    clients: int
    """Number of clients: SuperNodes of the simulation."""
    workers: int = 1
    """Most clients that train at the same time."""
    client_cpus: int = 1
    """CPUs of a simulated client (Flower's client resources)."""
    client_gpus: float = 0.0
    """CUDA devices of a simulated client, or the share of one; 0: clients see all devices and use the first."""
    gpus: int = 0
    """CUDA devices that the simulation deals out."""
    superlink: str = ""
    """For a deployment: the connection in the user's Flower configuration."""
    secret: str = ""
    """For a deployment: file with the secret that the SuperLink asks of its ServerApps; empty: it runs them itself."""
    fab_hash: str = ""
    """What the lock says about the Flower app bundle's sha256; empty: not compared."""
    round_timeout: float = 3600.0
    """Seconds without any progress after which the run is stopped; engines may add a margin."""
    say: Callable[[str], None] = _unheard
    """Told what is being started and what is waited for until the app begins."""
    more: Mapping[str, str] = field(default_factory=dict)
    """Environment variables for the app beyond ours, by the operator's switches."""
    marker: str = ""
    """Value of the environment variable that marks every process of this run (`ftbench.run.processes.tree`)."""


class Engine(Protocol):
    """Carries out a TrainJob."""

    @property
    def name(self) -> EngineName:
        """What `--engine` calls it."""
        ...

    def train(self, job: TrainJob, on_tick: Callable[[], None]) -> None:
        """Run the app until it ended and the ledger says `finished`; call `on_tick` about five times a second.

        No process, port or temporary file of the engine is left behind, however this ends.
        Raises RunFailed, RunIncomplete (a limit, from the ledger's `stopped` line) or MissingResource (from
        `error.json`); exceptions of `on_tick` and KeyboardInterrupt pass through after everything is stopped.
        """
        ...
