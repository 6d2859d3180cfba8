"""A run from Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from ftbench.api.specs import AnySpec, compile, load_spec
from ftbench.api.telling import Tell, silent
from ftbench.run.progress import Progress
from ftbench.run.summary import RunOutcome
from ftbench.spec.load import LoadedSpec

__all__ = ["Progress", "RunOutcome", "run"]

Engine = Literal["flower", "inline"]


class _Listener:
    def __init__(self, progress: Callable[[Progress], None] | None, tell: Tell) -> None:
        self._progress = progress
        self._tell = tell

    def show(self, progress: Progress) -> None:
        """Several times a second, always the same object."""
        if self._progress is not None:
            self._progress(progress)

    def note(self, text: str) -> None:
        """A sentence."""
        self._tell(text)


def run(
    spec: AnySpec = "quickstart",
    *,
    entry: str | Path | None = None,
    sets: Sequence[str] = (),
    model: str | None = None,
    seed: int | None = None,
    out: str | Path = "runs",
    store: str | Path | None = None,
    engine: Engine | None = None,
    micro_batch: int | Literal["auto"] | None = None,
    smoke: bool = False,
    resume: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    tell: Tell = silent,
) -> RunOutcome:
    """Train, score the model before and after, write the result bundle; with `resume` go on with a run's folder.

    A new folder below `out` holds it all. `engine`: Flower's simulation, where it can have a network of its own, else
    inline. `progress` is called several times a second with how far the run is, `tell` with sentences. An entry in the
    open division is not run from here: that carries out code, and the command line asks for it.
    Raises InvalidInput, MissingResource (nothing is left then), RunFailed and RunIncomplete (`resume` goes on then).
    """
    from ftbench.data.hub import Hub
    from ftbench.data.store import Store
    from ftbench.run import runner
    from ftbench.run.engines.private import default_engine
    from ftbench.run.preflight import check_resolved
    from ftbench.spec.entries import load_entry, resolve_entry

    listener = _Listener(progress, tell)
    if resume is not None:
        where = None if store is None else Store.default(str(store))
        return runner.resume(Path(resume), listener, store=where)
    found = Store.default(None if store is None else str(store))
    loaded = load_spec(spec)
    shown = _shown(spec)
    made = compile(loaded, tell=tell)
    check_resolved(made.plan, shown)
    given = load_entry(Path(entry)) if entry is not None else None

    def commit_of(name: str) -> str:
        commit = Hub(found.scratch()).commit("model", name)
        tell(f"{name}: no revision was given; this run uses commit {commit}, which its entry records")
        return commit

    resolved = resolve_entry(loaded.spec, given, sets, model, seed, commit_of=commit_of)
    engines = {"flower": "flower-simulation", "inline": "inline"}
    return runner.start(
        made,
        resolved,
        out=Path(out),
        store=found,
        engine=default_engine() if engine is None else engines[engine],
        micro_batch=-1 if micro_batch == "auto" else micro_batch or 0,
        smoke=smoke,
        listener=listener,
        spec=shown,
    )


def _shown(spec: AnySpec) -> str:
    return str(spec.path) if isinstance(spec, LoadedSpec) else str(spec)
