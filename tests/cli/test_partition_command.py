"""`ftbench partition`: what each client holds, from pins and store alone."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin
from ftbench.cli.main import run
from ftbench.cli.outputs.partition import ClientShare, PartitionOutput
from ftbench.cli.partition_plot import LETTERS, bar, divide, legend, plot
from ftbench.cli.ui import Ui
from ftbench.spec.canonical import sha256
from ftbench.spec.load import load_pins
from ftbench.spec.partitions import IidPartition

Captured = pytest.CaptureFixture[str]
MICRO = "micro/finance-dirichlet"


def answer(capsys: Captured, *argv: str) -> dict[str, Any]:
    assert run(["partition", *argv, "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_bars_and_figures(capsys: Captured) -> None:
    assert run(["partition", MICRO]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "dirichlet, label output, alpha 0.5, draw clients"
    assert any("heterogeneity" in line and "total variation" in line for line in shown)
    assert {"neutral", "positive", "negative"} <= {line.split()[-1] for line in shown[4:7]}
    assert [line.split()[0] for line in shown[-4:]] == ["0", "1", "2", "3"]


def test_the_object_agrees_with_the_pins(capsys: Captured) -> None:
    found = answer(capsys, MICRO)
    pins = json.loads(builtin.specs()[MICRO].with_suffix(".pins.json").read_bytes())
    assert [client["rows"] for client in found["clients"]] == pins["partition"]["sizes"]
    assert found["digest"] == pins["partition"]["digest"]
    for client in found["clients"]:
        assert sum(client["labels"].values()) == client["rows"] and 0 <= client["distance"] <= 1
    assert sum(found["labels"].values()) == found["rows"] == 1200
    mean = sum(client["distance"] for client in found["clients"]) / 4
    assert found["heterogeneity"] == pytest.approx(mean)
    # The micro study's clients are far more unlike than those of the same rows dealt IID.
    assert found["heterogeneity"] > 5 * answer(capsys, "micro/finance", "--by", "output")["heterogeneity"]


def test_each_clients_own_rows_are_written(capsys: Captured, tmp_path: Path) -> None:
    exported = answer(capsys, "quickstart", "--export", str(tmp_path / "sites"))["exported"]
    pins = json.loads(builtin.specs()["quickstart"].with_suffix(".pins.json").read_bytes())
    assert [sha256(Path(path).read_bytes()) for path in exported] == pins["partition"]["digests"]
    assert [Path(path).name for path in exported] == [f"client-{number}.jsonl" for number in range(4)]


def test_without_a_column_the_pins_are_enough(capsys: Captured, spec: Path) -> None:
    found = answer(capsys, str(spec), "--store", str(spec.parent / "nothing"))
    assert found["column"] is None and found["heterogeneity"] is None and found["clients"][0]["labels"] is None


def test_what_cannot_be_shown(capsys: Captured) -> None:
    assert run(["partition", "micro/finance", "--by", "outpu"]) == 3
    assert "did you mean `output`" in capsys.readouterr().err
    assert run(["partition", "studies/finance-dirichlet-0.1"]) == 4
    assert "FTB326" in capsys.readouterr().err


def test_no_row_for_a_client_is_refused_at_lock(capsys: Captured, tmp_path: Path) -> None:
    folder = tmp_path / "specs"
    shutil.copytree(builtin.specs()["quickstart"].parent, folder)
    path = folder / "mine.yaml"
    partition = "{kind: size-skew, growth: exponential, ratio: 1000000}"
    path.write_text(
        "extends: micro/finance.yaml\nmetadata: {name: mine}\n"
        f"federation: {{clients: 20, min_replies: 1, partition: {partition}}}\n"
    )
    assert run(["lock", str(path), "--store", str(tmp_path / "store")]) == 3
    told = capsys.readouterr().err
    assert "FTB309 client 0 and" in told and "hint: lower federation.clients" in told
    pins = load_pins(path)  # what is good is kept, and a partition there is none
    assert pins.partition is None and pins.sources["train"].digest


def output(labels: dict[str, int] | None, clients: list[ClientShare]) -> PartitionOutput:
    sizes = [client.rows for client in clients]
    return PartitionOutput(
        spec="x",
        partition=IidPartition(kind="iid"),
        digest="0" * 64,
        rows=sum(sizes),
        validation_rows=0,
        smallest=min(sizes),
        largest=max(sizes),
        column="y" if labels else None,
        labels=labels,
        heterogeneity=0.0,
        clients=clients,
        exported=[],
    )


def test_rare_labels_share_a_letter_and_many_clients_a_line(capsys: Captured) -> None:
    labels = {f"label {number}" + "x" * 40: 2 for number in range(12)}
    one = ClientShare(partition=0, rows=24, labels=labels, distance=0.0)
    many = output(labels, [one] * 70)
    shown = list(labels)[: len(LETTERS)]
    assert "4 other values" in legend(many, shown)[-1][-1][0]
    assert "·" * 16 in "".join(text for text, _ in bar(one, many, shown))
    plot(Ui(json=False), many)
    assert "and 10 more clients" in capsys.readouterr().out


def test_a_terminal_gets_colour_unless_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    one = ClientShare(partition=0, rows=3, labels={"a\x1b[31m": 3}, distance=0.0)
    for no_color, coloured in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", no_color)
        stream = Terminal()
        monkeypatch.setattr("sys.stdout", stream)
        plot(Ui(json=False), output({"a\x1b[31m": 3}, [one]))
        assert ("\x1b[" in stream.getvalue()) is coloured
        assert "\x1b[31m" not in stream.getvalue()


def test_parts_fill_the_bar() -> None:
    assert divide(10, [1, 1, 1]) == [3, 4, 3]
    assert sum(divide(7, [5, 0, 100, 3])) == 7
