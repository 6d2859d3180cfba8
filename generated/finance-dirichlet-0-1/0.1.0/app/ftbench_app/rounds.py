"""The server's rounds: ask, judge, aggregate, commit. Killed at any moment, a resumed run ends at the same adapter."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flwr.app import ConfigRecord, Message, MessageType, RecordDict
from flwr.serverapp import Grid

from . import adapter_files, initial, replies, schedule, seeding, shares, state, store, strategy, transport, worker
from . import arrays as arr
from .arrays import Arrays
from .errors import AppError
from .files import clear_temporary
from .ledger import Body, Ledger
from .measure import Measurements, peak_device_bytes, peak_memory_bytes
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
        for folder in ("state", "adapter"):
            clear_temporary(self.run_dir / folder)
        self.ledger = Ledger(self.run_dir / "ledger.jsonl", settings.spec_hash)
        self.measurements = Measurements(self.run_dir / "measurements.jsonl")
        self.sizes: Sequence[int] = shares.sizes(settings)
        self.validates = settings.spec["data"]["validation"] is not None
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
        conditions = self._conditions(drawn, folder.name)
        if self.ledger.started is not None and dict(self.ledger.started) != conditions:
            raise _other_conditions(self.ledger.started, conditions)
        if self.ledger.finished:
            self._write_adapter(self._adapter_after(self._chosen(), drawn))
            say("this run is finished; nothing to do")
            return
        self.nodes = transport.find_partitions(self.grid, self.settings.clients, self.settings.round_timeout)
        done = len(self.ledger.rounds())
        if self.ledger.started is None:
            state.put(self.run_dir, self.settings.adapter, drawn)
            self.ledger.append(conditions)
        else:
            self.ledger.append({"event": "resumed", "after_round": done})
        self._check_parameters(conditions["trainable_parameters"])
        current = self._adapter_after(done, drawn)
        for number in range(done + 1, self.settings.rounds + 1):
            current = self._round(number, current)
        self._write_adapter(self._adapter_after(self._chosen(), drawn))
        self.ledger.append(self._finish())
        say(f"finished after {self.settings.rounds} rounds")

    # --- one round ---

    def _round(self, number: int, current: Arrays) -> Arrays:
        """Carry out and commit one round; returns the new adapter."""
        began = time.monotonic()
        settings, federation = self.settings, self.settings.spec["federation"]
        asked = seeding.choose_clients(
            settings.seed, number, settings.clients, float(federation["sampling"]["fraction"])
        )
        self._check_communication(number, len(asked), self._charged(arr.nbytes(current)))
        rate = schedule.learning_rate(settings.spec["training"]["schedule"], number, settings.rounds)
        task = RecordDict(
            {
                "adapter": arr.to_record(current),
                "config": ConfigRecord({"round": number, "learning-rate": rate}),
            }
        )
        messages = [self._message(task, number, partition) for partition in asked]
        received = transport.exchange(self.grid, messages, settings.round_timeout)
        expected = replies.Expected(current, settings.adapter, self.sizes, settings.local_steps)
        harvest = replies.judge(asked, received, expected)
        least = 1 if settings.reference else max(1, int(federation["min_replies"]))
        if len(harvest.replies) < least:
            self._too_few(number, len(asked), harvest, least)
        new, own = self._aggregate(current, harvest.weighted)
        if bad := arr.not_finite(new):
            raise AppError("FTB555", f"the adapter after round {number} is not finite: {bad}")
        name = state.put(self.run_dir, settings.adapter, new)
        kept = None if own is None else state.put(self.run_dir, settings.spec["strategy"], own)
        validation = worker.validation_loss(settings, new) if self.validates else None
        seconds = time.monotonic() - began
        # Before the commit: a round that is repeated after a kill then counts its time twice, as it took.
        self.measurements.add(
            number,
            seconds,
            max(peak_memory_bytes(), harvest.peak_memory_bytes),
            max(peak_device_bytes(), harvest.peak_device_bytes),
            harvest.deterministic and worker.deterministic(),
        )
        before = self._strategy_state()
        self.ledger.append(
            {
                "event": "round",
                "round": number,
                "learning_rate": rate,
                "sampled": asked,
                "replies": harvest.replies,
                "excluded": harvest.excluded,
                "bytes_down": self._charged(len(asked) * arr.nbytes(current)),
                "bytes_up": self._charged(harvest.bytes_up),
                "adapter": name,
                "strategy_state": kept,
                "client_states": {},
                "validation_loss": validation,
            }
        )
        if before is not None and before != kept:
            # Only a resumed run reads it, and that begins at the line just written.
            state.path_of(self.run_dir, before).unlink(missing_ok=True)
        mean = sum(reply["loss"] for reply in harvest.replies) / len(harvest.replies)
        left_out = f", {len(harvest.excluded)} left out" if harvest.excluded else ""
        held_out = "" if validation is None else f", validation {validation:.4f}"
        say(f"round {number}/{settings.rounds}: loss {mean:.4f}{held_out}, {seconds:.1f} s{left_out}")
        return new

    def _aggregate(self, current: Arrays, weighted: strategy.Weighted) -> tuple[Arrays, Arrays | None]:
        """The next adapter and the strategy's state; in a reference run the only client's adapter is the next."""
        if self.settings.reference:
            return weighted[0][1], None
        block = self.settings.spec["strategy"]
        name = self._strategy_state()
        own = None if name is None else state.get(self.run_dir, block, name)
        return strategy.find(block["kind"])(block, current, weighted, own)

    def _strategy_state(self) -> str | None:
        """Digest of the strategy's state after the last committed round."""
        rounds = self.ledger.rounds()
        return rounds[-1]["strategy_state"] if rounds else None

    def _charged(self, size: int) -> int:
        """Bytes that count as communication: in a reference run nothing is sent to anyone."""
        return 0 if self.settings.reference else size

    def _message(self, task: RecordDict, number: int, partition: int) -> Message:
        return Message(
            task,
            dst_node_id=self.nodes[partition],
            message_type=MessageType.TRAIN,
            group_id=str(number),
            ttl=max(self.settings.round_timeout, 1.0),
        )

    # --- limits ---

    def _check_communication(self, number: int, asked: int, size: int) -> None:
        """A round whose worst case would exceed the budget does not start."""
        limit = float(self.settings.spec["budget"]["communication_mib"]) * MIB
        spent = sum(line["bytes_down"] + line["bytes_up"] for line in self.ledger.rounds())
        worst = spent + 2 * asked * size
        if worst > limit:
            detail = f"{spent} bytes spent; round {number} may need {worst - spent} more; the budget is {limit:.0f}"
            self._stop(number, "communication-budget", [], detail)
            raise AppError(
                "FTB552",
                f"round {number} was not begun: {detail}",
                "a lower adapter.rank sends less, where the benchmark leaves it free",
            )

    def _check_parameters(self, count: int) -> None:
        limit = int(self.settings.spec["budget"]["trainable_parameters"])
        if count > limit:
            detail = f"the adapter has {count} trainable parameters, the budget is {limit}"
            self._stop(len(self.ledger.rounds()) + 1, "parameter-budget", [], detail)
            raise AppError("FTB553", detail, "choose a lower adapter.rank or fewer adapter.targets")

    def _too_few(self, number: int, asked: int, harvest: replies.Harvest, least: int) -> None:
        usable = len(harvest.replies)
        detail = f"{usable} usable replies of {asked} asked, at least {least} are needed"
        self._stop(number, "too-few-replies", harvest.excluded, detail)
        causes = "; ".join(f"partition {e['partition']}: {e['reason']} {e['detail']}".strip() for e in harvest.excluded)
        raise AppError("FTB551", f"round {number}: {detail} ({causes})", "mend the cause, then resume the run")

    def _stop(self, number: int, reason: str, excluded: Sequence[Body], detail: str) -> None:
        self.ledger.append(
            {"event": "stopped", "round": number, "reason": reason, "excluded": list(excluded), "detail": detail[:500]}
        )

    # --- beginning and end ---

    def _conditions(self, drawn: Arrays, model: str) -> dict[str, Any]:
        settings = self.settings
        return {
            "event": "started",
            "spec_hash": settings.spec_hash,
            "entry": settings.entry_digest,
            "base_model": model,
            "seed": settings.seed,
            "clients": settings.clients,
            "rounds": settings.rounds,
            "trainable_parameters": arr.elements(drawn),
            "adapter": arr.digest(settings.adapter, drawn),
        }

    def _adapter_after(self, number: int, drawn: Arrays) -> Arrays:
        """The adapter after a committed round; 0: the initial one."""
        rounds = self.ledger.rounds()
        return state.get(self.run_dir, self.settings.adapter, rounds[number - 1]["adapter"]) if number else drawn

    def _chosen(self) -> int:
        """The round whose adapter is scored: the last, or the earliest of those with the lowest validation loss."""
        rounds = self.ledger.rounds()
        if self.settings.spec["evaluation"]["checkpoint"] == "best-validation":
            return int(min(rounds, key=lambda line: (line["validation_loss"], line["round"]))["round"])
        return len(rounds)

    def _write_adapter(self, arrays: Arrays) -> None:
        adapter_files.write(self.run_dir / "adapter", self.settings.adapter, self.settings.model, arrays)

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
