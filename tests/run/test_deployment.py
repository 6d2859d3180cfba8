"""Runs on a SuperLink with two SuperNodes over TLS, set up by the very commands of docs/deployment.md."""

from __future__ import annotations

import json
import re
import signal
import ssl
import urllib.request
from pathlib import Path

import pytest
from deployment_world import Lab, blocks, lab

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

RUN = "ftbench run two-sites.yaml --superlink lab --out runs"


def adapter(run_dir: Path) -> str:
    last = json.loads((run_dir / "ledger.jsonl").read_bytes().splitlines()[-1])
    assert last["body"]["event"] == "finished", last
    return str(last["body"]["adapter"])


def rounds(run_dir: Path) -> int:
    path = run_dir / "ledger.jsonl"
    return path.read_bytes().count(b'"event":"round"') if path.exists() else 0


def states(made: Lab) -> list[str]:
    """How the SuperLink's runs stand, the latest first."""
    answer = made.run("flwr list lab --format json")
    return [run["status"] for run in json.loads(answer)["runs"]]


def test_two_sites_end_where_inline_does_and_survive_a_kill(tmp_path: Path) -> None:
    with lab(tmp_path) as made:
        run_dir = made.folder / "runs" / "two-sites-default-s1"
        killed = made.start(RUN, "killed")
        made.until(lambda: rounds(run_dir) == 1, "no first round", killed, "killed")
        made.interrupt(killed, signal.SIGKILL)
        assert (run_dir / "flower-run.json").is_file()
        made.run(f"ftbench run --resume {run_dir}")
        assert not (run_dir / "flower-run.json").exists()
        assert states(made)[0] == "finished:completed"
        assert set(states(made)[1:]) <= {"finished:stopped", "finished:completed"}
        events = [json.loads(line)["body"]["event"] for line in (run_dir / "ledger.jsonl").read_bytes().splitlines()]
        assert events.count("round") == 2
        made.run("ftbench run two-sites.yaml --engine inline --out inline")
        assert adapter(run_dir) == adapter(made.folder / "inline" / "two-sites-default-s1")
        result = json.loads((run_dir / "bundle" / "result.json").read_bytes())
        assert result["engine"] == "flower-deployment"
        made.run(f"ftbench verify {run_dir / 'bundle'} --spec two-sites.yaml --require CONFORMS")
        # Client 0 found its rows in the file of its own: neither node's store has any data.
        assert not list(made.folder.glob("site-*/store/data"))


def test_ctrl_c_stops_the_run_where_it_is_and_resume_goes_on(tmp_path: Path) -> None:
    with lab(tmp_path) as made:
        run_dir = made.folder / "runs" / "two-sites-default-s1"
        stopped = made.start(f"{RUN} --smoke", "stopped")
        made.until((run_dir / "ledger.jsonl").exists, "no ledger", stopped, "stopped")
        assert made.interrupt(stopped, signal.SIGINT) == 130
        assert states(made)[0] == "finished:stopped"
        assert "go on with: ftbench run --resume" in made.log("stopped")
        assert not (run_dir / "flower-run.json").exists()
        made.run(f"ftbench run --resume {run_dir}")
        assert adapter(run_dir)


def test_a_stranger_and_other_rows_are_refused(tmp_path: Path) -> None:
    with lab(tmp_path, nodes=False) as made:
        node = dict(blocks())
        made.run('ssh-keygen -q -t ecdsa -b 384 -N "" -f tls/stranger')
        stranger = made.start(node["supernode-1"].replace("tls/site-1", "tls/stranger"), "stranger")
        assert stranger.wait(timeout=300) != 0
        assert "Exit Code: 305" in made.log("stranger")
        first = made.start(node["supernode-0"], "supernode-0")
        made.said("supernode-0", "SuperNode ID", first)
        other = made.start(node["supernode-1"].replace("client-1.jsonl", "client-0.jsonl"), "other")
        made.said("other", "SuperNode ID", other)
        refused = made.start(RUN, "refused")
        assert refused.wait(timeout=900) == 4, made.log("refused")
        told = made.log("refused")
        assert re.search(r"FTB546 .*client-0\.jsonl does not hold the rows of partition 1", told), told
        assert states(made)[0] == "finished:failed"


def test_a_node_that_dies_is_excluded_and_the_run_goes_on(tmp_path: Path) -> None:
    with lab(tmp_path, nodes=False) as made:
        node = dict(blocks())
        nodes = [made.start(node[name], name) for name in ("supernode-0", "supernode-1")]
        for name in ("supernode-0", "supernode-1"):
            made.said(name, "SuperNode ID")
        run_dir = made.folder / "runs" / "two-sites-default-s1"
        run = made.start(RUN, "run")
        made.until((run_dir / "ledger.jsonl").exists, "no ledger", run, "run")
        nodes[1].kill()
        assert run.wait(timeout=1800) == 0, made.log("run")
        lines = [json.loads(line)["body"] for line in (run_dir / "ledger.jsonl").read_bytes().splitlines()]
        excluded = [one for line in lines if line["event"] == "round" for one in line["excluded"]]
        assert {one["partition"] for one in excluded} == {1}
        assert {one["reason"] for one in excluded} == {"missing"}


def test_who_reaches_the_port(tmp_path: Path) -> None:
    """Anybody: TLS here shows who the SuperLink is, not who asks. A run that a stranger stops says so, and goes on."""
    with lab(tmp_path) as made:
        plain = '[superlink.lab]\\naddress = "127.0.0.1:9092"\\ninsecure = true\\n'
        made.run(f"mkdir -p stranger && printf '{plain}' > stranger/config.toml")
        told = made.run("FLWR_HOME=$PWD/stranger flwr list lab --format json || true")
        assert json.loads(told)["success"] is False  # plain text is not served
        # No certificate of ours, no key, nothing checked: the request is carried out all the same.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        kind = {"Content-Type": "application/protobuf"}
        url = f"https://127.0.0.1:{made.ports['9092']}/v1/control/list-runs"
        request = urllib.request.Request(url, data=b"", headers=kind, method="POST")
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            assert answer.status == 200
        run_dir = made.folder / "runs" / "two-sites-default-s1"
        run = made.start(RUN, "run")
        made.until((run_dir / "ledger.jsonl").exists, "no ledger", run, "run")
        number = json.loads((run_dir / "flower-run.json").read_bytes())["run-id"]
        made.run(f"flwr stop {number} lab --format json")
        assert run.wait(timeout=600) == 5, made.log("run")
        assert "FTB525" in made.log("run")
        made.run(f"ftbench run --resume {run_dir}")
        made.run("ftbench run two-sites.yaml --engine inline --out inline")
        assert adapter(run_dir) == adapter(made.folder / "inline" / "two-sites-default-s1")
