"""The server's rounds: ask, judge, aggregate, commit. Killed at any moment, a resumed run ends at the same adapter."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flwr.serverapp import Grid

from . import (
    adapter_files,
    archive,
    budget_adapters,
    faults,
    inbox,
    initial,
    privacy,
    replies,
    state,
    stopping,
    store,
    transport,
    worker,
)
from . import arrays as arr
from .arrays import Arrays
from .errors import AppError
from .exchange import Exchange, aggregate, begin
from .files import clear_temporary
from .in_force import strategy_of
from .ledger import Body, Ledger
from .measure import Measurements, peak_device_bytes, peak_memory_bytes
from .run_lock import hold_run
from .settings import Settings

MIB = 2**20


def say(text: str) -> None:
    """A line for the log."""
    print(f"ftbench: {text}", flush=True)


class Run:
    """One start of one run: what it works with, and the ledger it writes."""

    def __init__(self, grid: Grid, settings: Settings) -> None:
        if settings.run_dir is None:
            raise AppError("FTB540", "the setting `run-dir` is empty", "give the absolute path of a folder to write to")
        self.grid = grid
        self.settings = settings
        self.run_dir: Path = settings.run_dir
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self._alone = hold_run(self.run_dir / ".ledger.lock")
        for folder in (self.run_dir / "state", self.run_dir / "adapter", *budget_adapters.folders(self.run_dir)):
            clear_temporary(folder)
        inbox.clear(self.run_dir)
        self.ledger = Ledger(self.run_dir / "ledger.jsonl", settings.spec_hash)
        self.measurements = Measurements(self.run_dir / "measurements.jsonl")
        self.validates = "validation" in settings.spec["data"]
        self.nodes: dict[int, int] = {}
        """Partition id → node id."""

    def conduct(self) -> None:
        """From wherever the ledger stands to `finished`. Raises AppError where the run cannot begin or must stop."""
        if self.ledger.bodies and not self.settings.resume:
            raise AppError(
                "FTB549",
                f"{self.run_dir} already holds a run",
                "continue it with `ftbench run --resume DIR` (setting `resume`), or choose another folder",
            )
        folder = store.model(self.settings.roots, self.settings.model["name"], self.settings.model["revision"])
        drawn = initial.arrays(folder, self.settings.spec, self.settings.seed)
        first = strategy_of(self.settings).start(drawn)
        conditions = self._conditions(drawn, first, folder.name)
        if self.ledger.started is not None and dict(self.ledger.started) != conditions:
            raise _other_conditions(self.ledger.started, conditions)
        self._forget_uncommitted()
        if self.ledger.finished:
            self._write_adapter(self._adapter_after(self._chosen(), first))
            self._write_within(first)
            say("this run is finished; nothing to do")
            return
        self.nodes = transport.find_partitions(self.grid, self.settings.clients, self.settings.round_timeout)
        done = len(self.ledger.rounds())
        if self.ledger.started is None:
            state.put(self.run_dir, self.settings.adapter, first)
            self.ledger.append(conditions)
        else:
            self.ledger.append({"event": "resumed", "after_round": done})
        self._check_parameters(conditions["trainable_parameters"])
        current = self._adapter_after(done, first)
        for number in range(done + 1, self.settings.rounds + 1):
            current = self._round(number, current)
        self._write_adapter(self._adapter_after(self._chosen(), first))
        self._write_within(first)
        self.ledger.append(self._finish())
        say(f"finished after {self.settings.rounds} rounds")

    # --- one round ---

    def _round(self, number: int, current: Arrays) -> Arrays:
        """Carry out and commit one round; returns the new adapter."""
        began = time.monotonic()
        settings = self.settings
        self._check_operator(number)
        kept = self._server_state()
        exchange = begin(settings, number, current, kept, self.run_dir)
        self._check_communication(number, exchange)
        released = self._check_privacy(exchange)
        states = self._client_states()
        self.nodes = transport.find_again(self.grid, self.nodes, settings.clients, settings.round_timeout)
        harvest = exchange.carry_out(self.grid, self.nodes, states, each=archive.keeps(settings, number))
        least = 1 if settings.virtual else max(1, int(settings.spec["federation"]["min_replies"]))
        if len(harvest.usable) < least:
            self._too_few(number, len(exchange.sampled), harvest, least)
        new, own = aggregate(exchange, harvest.weighted())
        if bad := arr.not_finite(new):
            raise AppError("FTB555", f"the adapter after round {number} is not finite: {bad}")
        if bad := arr.not_float32({**new, **(own or {})}):
            raise AppError("FTB555", f"what the strategy made in round {number} is not all float32: {bad}")
        name = state.put(self.run_dir, settings.adapter, new)
        own_name = None if own is None else state.put(self.run_dir, settings.spec["strategy"], own)
        validation = worker.validation_loss(settings, new) if self.validates else None
        seconds = time.monotonic() - began
        # Before the commit: a round that is repeated after a kill then counts its time twice, as it took.
        self.measurements.add(
            number,
            seconds,
            max(peak_memory_bytes(), harvest.peak_memory_bytes),
            max(peak_device_bytes(), harvest.peak_device_bytes),
            deterministic=harvest.deterministic and worker.deterministic(),
            sent=(self._charged(exchange.bytes_down), self._charged(harvest.bytes_up)),
            clients=harvest.client_memory,
        )
        before = self._state_name()
        if archive.keeps(settings, number):
            archive.keep(self.run_dir, exchange, harvest, states)
        self.ledger.append(
            {
                "event": "round",
                "round": number,
                "learning_rate": exchange.learning_rate,
                "sampled": exchange.sampled,
                "replies": harvest.replies,
                "excluded": faults.marked(settings, number, harvest.excluded),
                "bytes_down": self._charged(exchange.bytes_down),
                "bytes_up": self._charged(harvest.bytes_up),
                "adapter": name,
                "strategy_state": own_name,
                "client_states": harvest.states,
                "validation_loss": validation,
                "privacy": released,
                "simulated_seconds": exchange.planned.simulated_seconds,
                # On a device that changes how sums are rounded; where nobody did, lines are as they always were.
                **({"clients_together": harvest.together} if harvest.together > 1 else {}),
            }
        )
        exchange.inbox.clear()
        if before is not None and before != own_name:
            # Only a resumed run reads it, and that begins at the line just written.
            state.path_of(self.run_dir, before).unlink(missing_ok=True)
        mean = sum(reply["loss"] for reply in harvest.replies) / len(harvest.replies)
        left_out = f", {len(harvest.unusable)} left out" if harvest.unusable else ""
        held_out = "" if validation is None else f", validation {validation:.4f}"
        rows, used = (sum(reply[name] or 0 for reply in harvest.replies) for name in ("examples", "used"))
        unused = f", {used} of {rows} rows used" if 0 < used < rows else ""
        say(f"round {number}/{settings.rounds}: loss {mean:.4f}{held_out}, {seconds:.1f} s{unused}{left_out}")
        return new

    def _state_name(self) -> str | None:
        """Digest of the server's state after the last committed round."""
        rounds = self.ledger.rounds()
        return rounds[-1]["strategy_state"] if rounds else None

    def _server_state(self) -> Arrays | None:
        name = self._state_name()
        return None if name is None else state.get(self.run_dir, self.settings.spec["strategy"], name)

    def _client_states(self) -> dict[int, str]:
        """Partition id → digest of the state that its last committed reply left."""
        return {int(k): name for line in self.ledger.rounds() for k, name in line["client_states"].items()}

    def _forget_uncommitted(self) -> None:
        """Remove files in `state/` that a round left which was cut off, and that no committed one names."""
        if self.ledger.started is None:
            return
        named = {line["adapter"] for line in (self.ledger.started, *self.ledger.rounds())} | {self._state_name()}
        for path in (self.run_dir / "state").glob("*.safetensors"):
            if path.stem not in named:
                path.unlink(missing_ok=True)

    def _charged(self, size: int) -> int:
        """Bytes that count as communication: in a reference run nothing is charged to anyone."""
        return 0 if self.settings.reference else size

    # --- limits ---

    def _check_communication(self, number: int, exchange: Exchange) -> None:
        """A round whose worst case would exceed the budget does not start."""
        limit = float(self.settings.spec["budget"]["communication_mib"]) * MIB
        spent = sum(line["bytes_down"] + line["bytes_up"] for line in self.ledger.rounds())
        worst = spent + self._charged(exchange.bytes_down + exchange.bytes_up)
        if worst > limit:
            detail = f"{spent} bytes spent; round {number} may need {worst - spent} more; the budget is {limit:.0f}"
            self._stop(number, "communication-budget", [], detail)
            raise AppError(
                "FTB552",
                f"round {number} was not begun: {detail}",
                "a lower adapter.rank sends less, where the benchmark leaves it free",
            )

    def _check_operator(self, number: int) -> None:
        """Whoever runs this may set limits of their own; they are looked at between rounds."""
        if (detail := stopping.requested(self.run_dir)) is not None:
            self._stop(number, "operator-limit", [], detail)
            raise AppError("FTB557", f"round {number} was not begun: {detail}", "resume the run with a higher limit")

    def _check_privacy(self, exchange: Exchange) -> dict[str, float] | None:
        """A round that would exceed epsilon does not start. Returns what its line says of privacy."""
        sampled = [*(line["sampled"] for line in self.ledger.rounds()), exchange.sampled]
        if detail := privacy.exceeded(self.settings, sampled):
            self._stop(exchange.number, "privacy-budget", [], detail)
            raise AppError(
                "FTB556",
                f"round {exchange.number} was not begun: {detail}",
                "fewer rounds, or a benchmark with more noise: `ftbench privacy SPEC` shows what fits",
            )
        return privacy.record(self.settings, sampled, state.part(exchange.kept, state.PRIVACY))

    def _check_parameters(self, count: int) -> None:
        """What a client of the federation trains. A virtual one trains the plain adapter, whole, as a comparison."""
        if self.settings.virtual:
            return
        limit = int(self.settings.spec["budget"]["trainable_parameters"])
        if count > limit:
            detail = f"the adapter has {count} trainable parameters, the budget is {limit}"
            self._stop(len(self.ledger.rounds()) + 1, "parameter-budget", [], detail)
            raise AppError("FTB553", detail, "choose a lower adapter.rank or fewer adapter.targets")

    def _too_few(self, number: int, sampled: int, harvest: replies.Harvest, least: int) -> None:
        usable = len(harvest.usable)
        detail = f"{usable} usable replies of {sampled} sampled, at least {least} are needed"
        excluded = faults.marked(self.settings, number, harvest.excluded)
        self._stop(number, "too-few-replies", excluded, detail)
        causes = "; ".join(f"partition {e['partition']}: {e['reason']} {e['detail']}".strip() for e in excluded)
        raise AppError("FTB551", f"round {number}: {detail} ({causes})", faults.remedy(excluded))

    def _stop(self, number: int, reason: str, excluded: Sequence[Body], detail: str) -> None:
        self.ledger.append(
            {"event": "stopped", "round": number, "reason": reason, "excluded": list(excluded), "detail": detail[:500]}
        )

    # --- beginning and end ---

    def _conditions(self, drawn: Arrays, first: Arrays, model: str) -> dict[str, Any]:
        settings = self.settings
        return {
            "event": "started",
            "spec_hash": settings.spec_hash,
            "entry": settings.entry_digest,
            "base_model": model,
            "seed": settings.seed,
            "clients": settings.clients,
            "rounds": settings.rounds,
            "trainable_parameters": strategy_of(settings).trainable(drawn),
            "adapter": arr.digest(settings.adapter, first),
        }

    def _adapter_after(self, number: int, first: Arrays) -> Arrays:
        """The adapter after a committed round; 0: the initial one."""
        rounds = self.ledger.rounds()
        return state.get(self.run_dir, self.settings.adapter, rounds[number - 1]["adapter"]) if number else first

    def _chosen(self) -> int:
        """The round whose adapter is scored: the last, or the earliest of those with the lowest validation loss."""
        rounds = self.ledger.rounds()
        if self.settings.spec["evaluation"]["checkpoint"] == "best-validation":
            return int(min(rounds, key=lambda line: (line["validation_loss"], line["round"]))["round"])
        return len(rounds)

    def _write_adapter(self, arrays: Arrays, folder: str | Path = "adapter") -> None:
        block = strategy_of(self.settings).described(arrays)
        adapter_files.write(self.run_dir / folder, block, self.settings.model, arrays)

    def _write_within(self, first: Arrays) -> None:
        """The adapters that the spec scores within smaller budgets."""
        if self.settings.reference:
            return
        for number in budget_adapters.rounds(
            self.settings.spec["evaluation"].get("quality_within"), self.ledger.rounds()
        ):
            self._write_adapter(self._adapter_after(number, first), budget_adapters.folder(self.run_dir, number))

    def _finish(self) -> dict[str, Any]:
        rounds = self.ledger.rounds()
        chosen = self._chosen()
        return {
            "event": "finished",
            "rounds": len(rounds),
            "round": chosen,
            "adapter": rounds[chosen - 1]["adapter"],
            "bytes_down": sum(line["bytes_down"] for line in rounds),
            "bytes_up": sum(line["bytes_up"] for line in rounds),
        }


def _other_conditions(started: Mapping[str, Any], conditions: Mapping[str, Any]) -> AppError:
    names = ", ".join(key for key in conditions if started.get(key) != conditions[key])
    return AppError(
        "FTB550",
        f"the run that is to be resumed began under other conditions: {names} differ",
        "resume with the same benchmark, entry, seed and smoke setting, or start a new run",
    )
