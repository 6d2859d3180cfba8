"""Bare scores: what arithmetic catches, and that honest tables are let alone, rounded or cut off."""

from __future__ import annotations

import random
from collections import Counter
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin
from ftbench.data.store import Store
from ftbench.errors import InvalidInput
from ftbench.spec.load import load_pins, load_spec
from ftbench.verify.claims import printed
from ftbench.verify.claims.documents import Claims
from ftbench.verify.claims.report import report

MEDICAL = {"pubmedqa": 500, "medmcqa": 4183, "medqa": 1273, "careqa": 5621}
FINANCE = {"fpb": 1212, "fiqa": 304, "tfns": 2388}
CODE = {"mbpp": 500, "humaneval": 164, "js": 161, "cpp": 161}
CONSTANTS = {"tfns": 1566}


def judged(tmp_path: Path, spec: str, text: str, name: str = "table.csv", **more: Any) -> Claims:
    path = tmp_path / name
    path.write_text(text)
    found = builtin.specs()[spec]
    return report(path, load_spec(found).spec, load_pins(found), Store([tmp_path / "store"]), **more)


def rules(claims: Claims, row: int = 0) -> list[str]:
    return [one.rule for one in claims.rows[row].findings]


@pytest.mark.parametrize(
    ("spec", "head", "row"),
    [
        ("medical", "PubMedQA,MedMCQA,MedQA,CareQA", "59.00,23.69,27.10,21.47,32.82"),
        ("finance", "FPB,FIQA,TFNS", "44.55,62.50,28.77,45.27"),
        ("code", "MBPP,HumanEval,MultiPL-E JS,MultiPL-E C++", "31.60,23.78,28.57,25.47,27.36"),
        ("general-nlp", "STEM,Social Sciences,Humanities", "12.37,13.49,12.60,12.82"),
    ],
)
def test_the_published_lower_bounds_can_be(tmp_path: Path, spec: str, head: str, row: str) -> None:
    tasks = [task.name for task in load_spec(builtin.specs()[spec]).spec.evaluation.tasks]
    order = tasks if spec != "code" else [next(t for t in tasks if k in t) for k in ("mbpp", "humaneval", "js", "cpp")]
    named = dict(zip(head.split(","), order, strict=True))
    claims = judged(tmp_path, spec, f"model,{head},average\nMistral-7B-v0.3,{row}\n", named=named)
    assert claims.rows[0].findings == [] and claims.scale == "percent"
    assert all(column.digits == 2 for column in claims.columns)


def show(value: Fraction, digits: int, how: str) -> str:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return str(exact.quantize(Decimal(1).scaleb(-digits), rounding=how))


@pytest.mark.parametrize("how", [ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_DOWN])
@pytest.mark.parametrize("digits", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("scale", [100, 1])
def test_honest_tables_are_let_alone(tmp_path: Path, how: str, digits: int, scale: int) -> None:
    """2,400 rows of 4 cells and a mean over all kinds: of scores or of printed numbers, rounded or cut off."""
    draw, lines = random.Random(digits + scale), []
    decimals = digits if scale == 100 else digits + 2
    for n in range(80):
        true = [Fraction(draw.randrange(k // 20, k), k) * scale for k in MEDICAL.values()]
        cells = [show(one, decimals, how) for one in true]
        shown = [Fraction(cell) for cell in cells] if n % 2 else true
        lines.append(",".join([f"row {n}", *cells, show(sum(shown, Fraction(0)) / 4, decimals, how)]))
    claims = judged(tmp_path, "medical", f"name,{','.join(MEDICAL)},mean\n" + "\n".join(lines))
    assert claims.impossible == 0
    wrong = [one for row in claims.rows for one in row.findings if one.impossible]
    assert wrong == []


def test_floats_of_few_bits_are_let_alone(tmp_path: Path) -> None:
    """0.5899999737739563 is 295 of 500 in float32."""
    import numpy as np

    rows = [{"name": "x", **{task: float(np.float32(k // 3 / k)) for task, k in MEDICAL.items()}}]
    import json

    claims = judged(tmp_path, "medical", json.dumps(rows), "t.json")
    assert claims.rows[0].findings == [] and claims.scale == "fraction"


@pytest.mark.parametrize(
    ("row", "rule", "column"),
    [
        ("59.10,23.69,27.10,21.47,", "no-count", "pubmedqa"),  # 295.5 of 500, and no other's count either
        ("27.10,23.69,59.00,21.47,", "swapped", "pubmedqa"),
        ("59.00,23.69,27.10,121.47,", "out-of-range", "careqa"),
        ("59.00,23.69,27.10,-1,", "out-of-range", "careqa"),
        ("59.00,23.69,27.10,2147,", "out-of-range", "careqa"),
        ("0.59,23.69,27.10,21.47,", "scale", "pubmedqa"),
        ("59.00,23.69,27.10,21.47,33.82", "mean", "mean"),
        ("59.00,23.69,27.10,21.47,24.82", "mean", "mean"),
    ],
)
def test_what_cannot_be(tmp_path: Path, row: str, rule: str, column: str) -> None:
    claims = judged(tmp_path, "medical", f"name,{','.join(MEDICAL)},mean\nx,{row}\n")
    assert claims.impossible == 1
    assert rule in rules(claims), claims.rows[0]
    assert column in [one.column for one in claims.rows[0].findings if one.rule == rule]


def test_a_percentage_among_fractions(tmp_path: Path) -> None:
    claims = judged(tmp_path, "medical", f"name,{','.join(MEDICAL)}\nx,59.00,0.2369,0.2710,0.2147\n")
    assert claims.scale == "fraction" and rules(claims) == ["scale"]


def test_a_swap_of_two_columns(tmp_path: Path) -> None:
    """FIQA's 304 items against TFNS's 2,388: both numbers fit the other's count only."""
    claims = judged(tmp_path, "finance", "name,fpb,fiqa,tfns\na,44.55,28.77,62.50\nb,44.55,62.50,28.77\n")
    assert rules(claims, 1) == []
    assert "swapped" in rules(claims, 0) or "other-count" in rules(claims, 0), claims.rows[0]


def test_repeated_cells(tmp_path: Path) -> None:
    rows = ["a,59.00,23.69,27.10,21.47", "b,59.00,23.69,30.09,22.11", "c,49.20,49.20,27.10,21.49"]
    claims = judged(tmp_path, "medical", f"name,{','.join(MEDICAL)}\n" + "\n".join(rows))
    assert [rules(claims, n) for n in range(3)] == [[], ["repeated"], ["repeated"]]
    assert "`a` (line 2)" in claims.rows[1].findings[0].evidence
    assert claims.impossible == 0  # odd, and yet possible


def test_the_best_constant_answer(tmp_path: Path) -> None:
    claims = judged(
        tmp_path, "finance", "name,fpb,fiqa,tfns\na,44.55,62.50,65.57\nb,44.55,62.50,66.00\n", constants=CONSTANTS
    )
    assert "constant" in rules(claims, 0) and "constant" not in rules(claims, 1)
    assert any("fpb, fiqa" in sentence for sentence in claims.not_checked)
    quick = judged(tmp_path, "quickstart", "name,jars,shelves\na,0.2500,0.5000\n")
    assert [column.by_chance < 1 for column in quick.columns] == [True, True]


def test_the_mean_over_items_is_told(tmp_path: Path) -> None:
    values = [59.00, 23.69, 27.10, 21.47]
    pooled = sum(v * k for v, k in zip(values, MEDICAL.values(), strict=True)) / sum(MEDICAL.values())
    claims = judged(tmp_path, "medical", f"name,{','.join(MEDICAL)},mean\nx,59.00,23.69,27.10,21.47,{pooled:.2f}\n")
    assert "it is the mean over all items" in claims.rows[0].findings[0].evidence


@pytest.mark.parametrize("items", [161, 164, 304, 500, 1273, 5621])
def test_the_chance_of_passing_is_exact(items: int) -> None:
    """Every value with two decimals, asked one by one."""
    unit = Fraction(1, 10_000)
    passed = sum(bool(printed.Printed("", n * unit, unit).counts(items)) for n in range(10_001))
    assert printed.by_chance(items, unit) == passed / 10_001


def test_invented_numbers_fall_as_often_as_it_says(tmp_path: Path) -> None:
    draw = random.Random(5)
    rows = [",".join([str(n), *(f"{draw.uniform(10, 90):.2f}" for _ in MEDICAL)]) for n in range(500)]
    claims = judged(tmp_path, "medical", f"name,{','.join(MEDICAL)}\n" + "\n".join(rows))
    caught = Counter(one.column for row in claims.rows for one in row.findings if one.impossible)
    for column in claims.columns:
        assert abs(caught[column.column] / 500 - (1 - column.by_chance)) < 0.08, column


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", ""),
        ("t.csv", "name,other\na,1\n"),
        ("t.csv", "name,fpb,fpb\na,1,2\n"),
        ("t.csv", 'name,fpb\n"a,1\n'),
        ("t.csv", "name,fpb\na,1,2,3\n"),
        ("t.csv", "name,fpb\na,many\n"),
        ("t.csv", "name,fpb\na,NaN\n"),
        ("t.csv", "name,fpb\na,1e400\n"),
        ("t.csv", "name,fpb\na,\u0661\n"),
        ("t.json", "{}"),
        ("t.json", "[" * 3000),
        ("t.json", '[{"name": "a", "fpb": NaN}]'),
        ("t.json", '[{"name": "a", "fpb": 1, "fpb": 2}]'),
        ("t.json", '[{"name": "a", "fpb": [1]}]'),
        ("t.json", '[{"name": "a", "fpb": true}]'),
    ],
)
def test_what_is_no_table(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        judged(tmp_path, "finance", text, name)
    assert error.value.diagnostics[0].code == "FTB760"


def test_random_cells_never_break_it(tmp_path: Path) -> None:
    draw = random.Random(11)
    for _ in range(150):
        cells = ["".join(draw.choice("0123456789.%-eE+") for _ in range(draw.randrange(1, 8))) for _ in FINANCE]
        try:
            judged(tmp_path, "finance", "name,fpb,fiqa,tfns\na," + ",".join(cells) + "\n")
        except InvalidInput as error:
            assert error.diagnostics[0].code == "FTB760"
