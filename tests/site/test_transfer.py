"""The table of what an adapter does to other domains: which column is whose."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ftbench.site import transfer

ESTIMATE = {"value": 0.5, "low": 0.4, "high": 0.6}


def result(own: list[str], **also: list[str]) -> Any:
    told = {
        name: SimpleNamespace(tasks=tasks, tuned=SimpleNamespace(**ESTIMATE), difference=SimpleNamespace(**ESTIMATE))
        for name, tasks in also.items()
    }
    tasks = dict.fromkeys([*own, *(task for listed in also.values() for task in listed)])
    return SimpleNamespace(seed=1, scores=SimpleNamespace(tasks=tasks, also=told))


def made(monkeypatch: Any, **results: Any) -> Any:
    """The matrix of a board with a table of one row for each of these results, by the benchmark's name."""
    monkeypatch.setattr(transfer.figures, "over_seeds", lambda found: next(iter(found))[1])
    monkeypatch.setattr(transfer.figures, "estimate", lambda one: one.value)
    monkeypatch.setattr(transfer.links, "table", lambda table: table.name)
    monkeypatch.setattr(transfer.links, "anchor", lambda row: "row")
    monkeypatch.setattr(transfer, "label", lambda row: "entry")
    row = {"model": SimpleNamespace(name="model"), "score": "score", "gain": "gain"}
    tables = [SimpleNamespace(name=n, rows=[SimpleNamespace(bundles=[n], **row)]) for n in results]
    found = transfer.matrix(
        SimpleNamespace(  # type: ignore[arg-type]
            board=SimpleNamespace(tables=tables), submission=lambda name: SimpleNamespace(result=results[name])
        )
    )
    assert found is not None
    return found["domains"], [[cell and cell["home"] for cell in line["cells"]] for line in found["lines"]]


def test_a_home_has_the_name_by_which_others_know_its_tasks(monkeypatch: Any) -> None:
    """Whatever the benchmarks are called."""
    finance, law = result(["fpb", "fiqa"], law=["cases"]), result(["cases"], finance=["fiqa", "fpb"])
    assert made(monkeypatch, bench_one=finance, bench_two=law) == (["finance", "law"], [[True, False], [False, True]])


def test_a_home_that_nobody_names_has_the_benchmarks_name(monkeypatch: Any) -> None:
    assert made(monkeypatch, across_law=result(["fpb"], law=["cases"])) == (["across_law", "law"], [[True, False]])
