"""Sites in network namespaces, over TLS, with rows that stay there: what it ends at, what crosses, who is refused."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from effort import times
from sites_world import Sites, able, federation

pytestmark = [
    pytest.mark.slow,
    pytest.mark.e2e,
    pytest.mark.skipif(not able(), reason="needs root and iproute2: network namespaces with wires between them"),
]

RUN = "runs/clinics-default-s1"


def start(made: Sites, more: str = "") -> Any:
    return made.start(f"organiser/run.sh {made.spec} --out runs {more}", "run")


def adapter(made: Sites, run: str) -> str:
    last = made.ledger(run)[-1]
    assert last["event"] == "finished", last
    return str(last["adapter"])


def excluded(made: Sites, run: str = RUN) -> list[list[tuple[int, str]]]:
    lines = [line for line in made.ledger(run) if line["event"] == "round"]
    return [[(one["partition"], one["detail"]) for one in line["excluded"]] for line in lines]


@pytest.mark.parametrize("count", [3, 10][: times(1, 2)])
def test_sites_end_where_the_inline_engine_does(tmp_path: Path, count: int) -> None:
    """The same digest, no file shared between the SuperLink, the organiser and the sites, and no row on any wire."""
    with federation(tmp_path, count) as made:
        before = [made.bytes_on_wire(number) for number in range(count)]
        nodes = [made.node(number) for number in range(count)]
        run = start(made, "--round-timeout 1800")
        assert run.wait(timeout=3600) == 0, made.log("run")
        store = made.all_rows()
        made.run(f"ftbench run {made.spec} --engine inline --out inline --store {store}")
        assert adapter(made, RUN) == adapter(made, "inline/clinics-default-s1")
        told = made.run(f"ftbench verify {RUN}/bundle --spec {made.spec} --require CONFORMS")
        assert "never left their sites" in told.replace("\n", " ").replace("  ", " ")
        # What left, by the sites' own records: numbers of known names, arrays, a digest.
        for number, node in enumerate(nodes):
            assert node.poll() is None
            lines = made.journal(number)
            assert [line["kind"] for line in lines] == ["query", *["train"] * 3]
            assert all(set(line["left"]) <= {"adapter", "config", "metrics"} for line in lines)
            arrays = sum(line["left"]["adapter"]["bytes"] for line in lines[1:])
            sent = made.bytes_on_wire(number)[1] - before[number][1]
            assert arrays < sent < 2.5 * arrays + (4 << 20)
        # The organiser's side holds no row: neither the run's folder, nor the kit, nor what the sites handed out.
        texts = {row["question"] for number in range(count) for row in made.rows(number)}
        for folder in (tmp_path / RUN, tmp_path / "organiser", tmp_path / "kit"):
            for path in (path for path in folder.rglob("*") if path.is_file()):
                data = path.read_bytes()
                found = [text for text in texts if text.encode() in data]
                assert not found, (path, found[:1])


def test_a_site_that_goes_away_for_two_rounds_comes_back(tmp_path: Path) -> None:
    with federation(tmp_path, 3, "") as made:
        nodes = [made.node(number) for number in range(3)]
        where = "runs/clinics-rounds6-local-steps400-s1"
        # Rounds take long enough that three are not over before a node has started.
        run = start(made, "--set federation.rounds=6 --set training.local_steps=400")
        made.until(lambda: made.rounds(where) >= 1, "no first round", run)
        nodes[1].kill()
        made.until(lambda: made.rounds(where) >= 3, "no third round", run)
        made.node(1, "")
        assert run.wait(timeout=3600) == 0, made.log("run")
        gone = [1 in {partition for partition, _ in line} for line in excluded(made, where)]
        assert not gone[0] and any(gone) and not gone[-1], gone


def test_a_run_that_is_killed_goes_on_at_the_same_digest(tmp_path: Path) -> None:
    """The ServerApp ends with `ftbench run`; what it had committed lies in the run's folder, here."""
    with federation(tmp_path, 2) as made:
        for number in range(2):
            made.node(number)
        run = start(made)
        made.until(lambda: made.rounds(RUN) >= 1, "no first round", run)
        run.kill()
        made.run(f"FLWR_HOME=$PWD/organiser/flwr ftbench run --resume {RUN}")
        made.run(f"ftbench run {made.spec} --engine inline --out inline --store {made.all_rows()}")
        assert adapter(made, RUN) == adapter(made, "inline/clinics-default-s1")


def test_a_wrong_app_other_rows_and_a_slow_site(tmp_path: Path) -> None:
    """Who is refused, in words: an app that is not on the list; rows that are not those that were locked."""
    with federation(tmp_path, 3) as made:
        made.node(0)
        made.node(1)
        home = tmp_path / "at-clinic-2" / "clinic-2"
        last = made.node(2)
        rows = (home / "rows.jsonl").read_bytes()
        (home / "rows.jsonl").write_bytes(rows.replace(b"herb", b"stone", 1) + b'{"answer":"x","question":"y"}\n')
        assert start(made).wait(timeout=1800) == 4, made.log("run")
        assert "FTB546" in made.log("run")
        assert "herb" not in made.log("run")
        assert "does not hold the rows of partition 2" in (home / "state" / "app.log").read_text()
        (home / "rows.jsonl").write_bytes(rows)
        # Another benchmark under the same names: the sites have not allowed its app.
        text = made.spec.read_text()
        made.spec.write_text(text.replace("local_steps: 4", "local_steps: 5"))
        refused = made.start(f"organiser/run.sh {made.spec} --out other", "other")
        assert refused.wait(timeout=1800) != 0
        assert "this site does not run this app" in made.log("other").replace("\n", " ")
        assert [line["refused"][:6] for line in made.journal(0) if "refused" in line] == ["FTB514"]
        # A site that stops answering is left out when the round's time is over, and the run goes on.
        made.spec.write_text(text)
        shutil.rmtree(tmp_path / "runs")
        run = start(made, "--round-timeout 120")
        made.until(lambda: made.rounds(RUN) >= 1, "no first round", run)
        last.send_signal(signal.SIGSTOP)
        try:
            assert run.wait(timeout=3600) == 0, made.log("run")
        finally:
            last.send_signal(signal.SIGCONT)
        assert {partition for line in excluded(made) for partition, _ in line} == {2}


ROGUE = """

def _leak(wanted, partition):
    from pathlib import Path
    import socket
    found = []
    for name in ("/etc/passwd", str(Path(wanted.own_rows).parent / "node.key")):
        try:
            found.append(f"read {len(Path(name).read_bytes())}")
        except OSError as error:
            found.append(f"refused {error.errno}")
    try:
        socket.create_connection(("10.77.0.1", 9092), timeout=2)
        found.append("connected")
    except OSError as error:
        found.append(f"refused {error.errno}")
    try:
        Path(wanted.own_rows).write_bytes(b"")
        found.append("wrote")
    except OSError as error:
        found.append(f"refused {error.errno}")
    print("ROGUE", found, flush=True)
"""


def test_a_rogue_app_that_a_site_allowed_reaches_nothing_and_sends_no_text(tmp_path: Path) -> None:
    """An app with a whole lock, so that the site's list lets it in: it looks around, then sends a row as metrics."""
    from ftbench.compile.fab import fab_hash
    from ftbench.spec.canonical import pretty, sha256
    from ftbench.spec.lock import Lock

    with federation(tmp_path, 2) as made:
        for folder in [next((tmp_path / "kit").rglob("ftbench.lock")).parent]:
            path = folder / "app" / "ftbench_app" / "client_app.py"
            text = path.read_text()
            text = text.replace(
                '    content = {\n        "adapter": to_record(reply.arrays),',
                "    _leak(wanted, task.partition)\n"
                "    row = node.rows(wanted, task.partition)[0]\n"
                '    metrics["rows"] = [float(ord(c)) for c in row["question"]]\n'
                '    content = {\n        "adapter": to_record(reply.arrays),',
            )
            path.write_text(text + ROGUE)
            plan = json.loads((folder / "app" / "ftbench_app" / "plan.json").read_bytes())
            plan["code"]["app/ftbench_app/client_app.py"] = sha256(path.read_bytes())
            from ftbench.compile.plan import Plan

            whole = Plan.model_validate_json(json.dumps(plan))
            (folder / "app" / "ftbench_app" / "plan.json").write_bytes(whole.to_bytes())
            project = folder / "app" / "pyproject.toml"
            lock = Lock.model_validate_json((folder / "ftbench.lock").read_bytes())
            project.write_text(project.read_text().replace(lock.spec_hash, whole.spec_hash))
            files = {name: (folder / name).read_bytes() for name in lock.files}
            changed = lock.model_copy(
                update={
                    "spec_hash": whole.spec_hash,
                    "fab_hash": fab_hash(files),
                    "files": {name: sha256(data) for name, data in files.items()},
                }
            )
            (folder / "ftbench.lock").write_bytes(pretty(changed.model_dump(mode="json")))
            shutil.copytree(folder, tmp_path / "rogue")
        for number in range(2):
            made.node(number)
        run = made.start("organiser/run.sh rogue --out runs", "run")
        assert run.wait(timeout=1800) != 0
        said = made.log("run").replace("\n", " ")
        assert "FTB515" in said, said
        home = tmp_path / "at-clinic-0" / "clinic-0"
        (line,) = [line for line in (home / "state" / "app.log").read_text().splitlines() if "ROGUE" in line]
        looked = line.partition("ROGUE ")[2]
        assert "read" not in looked and "connected" not in looked and "wrote" not in looked, looked
        question = made.rows(0)[0]["question"]
        assert question not in said and question not in made.log("superlink")
