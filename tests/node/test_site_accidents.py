"""What befalls sites in truth: killed amid a round, started twice, a full disk, a SuperLink that is started anew."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from sites_world import CONNECTED, Sites, able, federation

from ftbench import codes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.e2e,
    pytest.mark.skipif(not able(), reason="needs root and iproute2: network namespaces with wires between them"),
]

ROUNDS = "runs/clinics-rounds6-local-steps100-s1"


def excluded(made: Sites, run: str) -> list[list[str]]:
    lines = [line for line in made.ledger(run) if line["event"] == "round"]
    return [[f"{one['partition']}: {one['reason']} {one['detail']}" for one in line["excluded"]] for line in lines]


def test_a_killed_site_and_a_superlink_started_anew_change_no_bit(tmp_path: Path) -> None:
    """Nobody is left out of a round, no site has to do anything for the SuperLink, and the digest is the inline one."""
    more = "--set federation.rounds=6 --set training.local_steps=100"
    with federation(tmp_path, 2) as made:
        nodes = [made.node(number) for number in range(2)]
        home = tmp_path / "at-clinic-1" / "clinic-1"
        twice = subprocess.run(
            made._words(f"ftbench node {home}", 1),
            cwd=tmp_path,
            env=made.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert twice.returncode == 3 and codes.NODE_RUNS in twice.stderr, twice.stderr

        run = made.start(f"organiser/run.sh {made.spec} --out runs {more}", "run")
        made.until(lambda: made.rounds(ROUNDS) >= 1, "no first round", run)
        made.until((home / "asked.pb").exists, "nothing asked of site 1", run)
        nodes[1].kill()
        nodes[1].wait()
        nodes[1] = made.node(1, "")
        made.said(made.names[1], "was not answered; once more", nodes[1])

        made.until(lambda: made.rounds(ROUNDS) >= 3, "no third round", run)
        (superlink,) = (pid for pid in pids(made) if "flower-superlink" in command(pid))
        os.kill(superlink, signal.SIGKILL)
        assert run.wait(timeout=1800) != 0
        again = made.start("organiser/superlink.sh", "superlink-2")
        made.said("superlink-2", "Uvicorn running on", again)
        made.run("organiser/register.sh")
        for number, node in enumerate(nodes):
            made.said(made.names[number], CONNECTED, node, times=2 + number)
        made.run(f"FLWR_HOME=$PWD/organiser/flwr ftbench run --resume {ROUNDS}")
        made.run(f"ftbench run {made.spec} --engine inline --out inline --store {made.all_rows()} {more}")
        assert excluded(made, ROUNDS) == [[]] * 6
        both = [made.ledger(where)[-1]["adapter"] for where in (ROUNDS, ROUNDS.replace("runs/", "inline/"))]
        assert both[0] == both[1]


def test_a_full_disk_costs_a_site_its_rounds_and_no_more(tmp_path: Path) -> None:
    where = "runs/clinics-local-steps100-s1"
    with federation(tmp_path, 2) as made:
        made.run("ftbench node at-clinic-1/clinic-1 --kit kit --look", 1)
        home = tmp_path / "at-clinic-1" / "clinic-1"
        kept = home.with_name("kept")
        home.rename(kept)
        home.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", home], check=True)
        try:
            shutil.copytree(kept, home, dirs_exist_ok=True)
            nodes = [made.node(0), made.node(1, "")]
            filler = home / "filler"
            with pytest.raises(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
            run = made.start(f"organiser/run.sh {made.spec} --out runs --set training.local_steps=100", "run")
            # The question which client it is is refused too: nothing is carried out that could not be written down.
            assert run.wait(timeout=1800) != 0
            assert "FTB558" in made.log("run"), made.log("run")
            filler.unlink()
            shutil.rmtree(tmp_path / "runs")
            made.run(f"organiser/run.sh {made.spec} --out runs --set training.local_steps=100")
            assert excluded(made, where) == [[]] * 3
            assert all(node.poll() is None for node in nodes)
            lines = [json.loads(line) for line in (home / "state" / "journal.jsonl").read_text().splitlines()]
            assert [line["kind"] for line in lines if "left" in line] == ["query", *["train"] * 3]
        finally:
            made.end()
            subprocess.run(["umount", "-l", home], check=False)


def pids(made: Sites) -> list[int]:
    """Processes of this federation."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if made.marker.encode() in (path / "environ").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue
    return found


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
