"""How the end of an engine becomes an error, and the watchdog."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import FtbenchError, InvalidInput, MissingResource, RunFailed, RunIncomplete
from ftbench.run.ending import cause, log_tail, settle
from ftbench.run.processes.watch import Watchdog

ZERO = "0" * 64
FINISHED = {"event": "finished", "rounds": 1, "round": 1, "adapter": ZERO, "bytes_down": 0, "bytes_up": 0}


def write(run_dir: Path, body: dict[str, object]) -> None:
    (run_dir / "ledger.jsonl").write_text(json.dumps({"seq": 0, "prev": ZERO, "body": body}) + "\n")


def stopped(reason: str) -> dict[str, object]:
    excluded = [{"partition": 2, "reason": "error", "detail": "boom"}]
    return {"event": "stopped", "round": 3, "reason": reason, "excluded": excluded, "detail": "why"}


def test_a_finished_ledger_is_a_good_end(tmp_path: Path) -> None:
    write(tmp_path, FINISHED)
    settle(tmp_path)


@pytest.mark.parametrize(
    ("reason", "error", "code"),
    [
        ("too-few-replies", RunFailed, "FTB508"),
        ("communication-budget", RunIncomplete, "FTB509"),
        ("parameter-budget", RunIncomplete, "FTB509"),
        ("operator-limit", RunIncomplete, "FTB510"),
    ],
)
def test_a_stop_is_told_with_its_reason(tmp_path: Path, reason: str, error: type[FtbenchError], code: str) -> None:
    write(tmp_path, stopped(reason))
    with pytest.raises(error, match=f"{code} round 3 was not committed") as caught:
        settle(tmp_path)
    assert "client 2: error boom" in caught.value.diagnostics[0].hint


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("FTB546", MissingResource),
        ("FTB543", MissingResource),
        ("FTB544", InvalidInput),
        ("FTB552", RunIncomplete),
        ("FTB551", RunFailed),
        ("FTB999", RunFailed),
    ],
)
def test_what_the_app_says_comes_first(tmp_path: Path, code: str, error: type[FtbenchError]) -> None:
    write(tmp_path, FINISHED)
    (tmp_path / "error.json").write_text(json.dumps({"code": code, "message": "m", "hint": "h"}))
    with pytest.raises(error) as caught:
        settle(tmp_path)
    (said,) = caught.value.diagnostics
    assert (said.code, said.message, said.hint) == (code, "m", "h")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"code": 1', '"x"'])
def test_an_error_file_that_says_nothing_is_passed_over(tmp_path: Path, text: str) -> None:
    write(tmp_path, FINISHED)
    (tmp_path / "error.json").write_text(text)
    settle(tmp_path)


def test_no_ledger_is_a_failed_run(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="FTB507"):
        settle(tmp_path)
    with pytest.raises(RunFailed, match="FTB525 mine"):
        settle(tmp_path, Diagnostic("FTB525", "mine"))


def test_the_apps_codes_are_ours() -> None:
    app = pytest.importorskip("ftbench.app.errors")
    assert app.CODES == codes.APP


def test_log_tail(tmp_path: Path) -> None:
    assert log_tail(tmp_path / "none") == ""
    (tmp_path / "log").write_text("".join(f"line {n}\n" for n in range(5000)))
    assert log_tail(tmp_path / "log", 2) == "line 4998 | line 4999"


def test_the_watchdog_bites_only_without_progress(tmp_path: Path) -> None:
    now = [0.0]
    watchdog = Watchdog(tmp_path, 60.0, lambda: now[0])
    now[0] = 59.0
    watchdog.check()
    (tmp_path / "ledger.jsonl").write_text("a line\n")
    now[0] = 61.0
    watchdog.check()
    now[0] = 120.0
    watchdog.check()
    now[0] = 122.0
    with pytest.raises(RunFailed, match="FTB524"):
        watchdog.check()


CHAIN = """Traceback (most recent call last):
  File "x.py", line 1, in <module>
ValueError: an older one

\x1b[36m(ClientAppActor pid=77)\x1b[0m Traceback (most recent call last):
(ClientAppActor pid=77)   File "x.py", line 1, in <module>
\x1b[36m(ClientAppActor pid=77)\x1b[0m FileNotFoundError: [Errno 2] No such file or directory: '/dev/shm'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
flwr.errors.SimulationError: Simulation Runtime crashed.

During handling of the above exception, another exception occurred:

RuntimeError: An error was encountered. Ending simulation.
ERROR :     Exit Code: 700
"""


def test_the_cause_is_what_the_last_chain_began_with(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert cause(log) == ""
    log.write_text("nothing wrong\nERROR: none\n")
    assert cause(log) == ""
    log.write_text(CHAIN)
    assert cause(log) == "; the cause: FileNotFoundError: [Errno 2] No such file or directory: '/dev/shm'"
