"""What is added beside a benchmark leaves it byte for byte as it was: one dummy of each sort, in a copy of ftbench.

All official specs are compiled by that copy and held to what is committed. A dummy is a file of its own and the lines
that CONTRIBUTING names; where an anchor below is no longer found, that page needs a look too.
"""

# ruff: noqa: E501 - anchors stand as they are in the files
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin

PACKAGE = Path(builtin.__file__).parent

FILES = {
    "app/strategy/dummy.py": '''"""A strategy."""
from . import base
from .dummy_shared import NOTHING


class Strategy(base.Strategy):
    """Nothing new."""

    parameters = frozenset({"mu", "dummy_rate"})
''',
    "app/strategy/dummy_shared.py": '"""Shared by dummies."""\n\nNOTHING = 0\n',
    "app/objective/dummy.py": '"""An objective."""\n\n\nclass Objective:\n    """Nothing."""\n',
    "app/coding/dummy.py": '"""A coding."""\n',
    "app/privacy/dummy.py": '"""A kind of noise."""\n',
    "data/partitions/dummy.py": '"""A partition."""\n\n\ndef deal(given, block):\n    return []\n',
    "data/normalise/dummy.py": (
        "from ftbench.data.normalise.base import Normaliser\n\nDUMMY = Normaliser('dummy', 'A dummy', {}, dict)\n"
    ),
    "verify/checks/dummy.py": (
        "from ftbench.verify.check import Check\n\n"
        "CHECK = Check('dummy', 'CONFORMS', 'FTB699', 'a dummy', lambda context: 'nothing')\n"
    ),
    "tasks/ftbench_sandbox_cobol.py": '"""A language."""\n',
}
LINES = {
    "spec/strategies.py": [
        ('    "fedprox": Record(', '    "dummy": Record(meaning="d", source="d", parameters=("mu", "dummy_rate")),\n    "fedprox": Record(')
    ],
    "spec/model.py": [
        (
            "    mu: PositiveFloat | None = None\n",
            '    dummy_rate: PositiveFloat | None = None\n    """Dummy."""\n    mu: PositiveFloat | None = None\n',
        ),
        (
            "    faults: Faults | None = None\n",
            '    dummy: Transport | None = None\n    """Dummy."""\n    faults: Faults | None = None\n',
        ),
    ],
    "spec/tasks.py": [
        ("    sandbox: Sandbox | None = None\n", '    dummy: str | None = None\n    """D."""\n    sandbox: Sandbox | None = None\n')
    ],
    "spec/objective.py": [
        (
            "Objective = Annotated[SftObjective | DpoObjective",
            'class DummyObjective(Block):\n    """D."""\n\n    kind: Literal["dummy"]\n    """D."""\n\n\n'
            "Objective = Annotated[SftObjective | DpoObjective | DummyObjective",
        )
    ],
    "spec/transport.py": [
        ('Literal["float32", "bf16", "int8"]', 'Literal["float32", "bf16", "int8", "dummy"]'),
        ('"int8": 1}', '"int8": 1, "dummy": 1}'),
    ],
    "spec/partitions.py": [
        ("Partition = Annotated[\n    IidPartition", "Partition = Annotated[\n    DummyPartition | IidPartition"),
        (
            "class IidPartition(Block):",
            'class DummyPartition(Block):\n    """D."""\n\n    kind: Literal["dummy"]\n    """D."""\n\n\nclass IidPartition(Block):',
        ),
    ],
    "data/partition.py": [
        ("import dirichlet, iid", "import dirichlet, dummy, iid"),
        ('    "iid": iid.deal,', '    "dummy": dummy.deal,\n    "iid": iid.deal,'),
    ],
    "data/normalise/__init__.py": [
        ("from ftbench.data.normalise.finance", "from ftbench.data.normalise.dummy import DUMMY\nfrom ftbench.data.normalise.finance"),
        ("    *(ALPACA, MMLU", "    DUMMY,\n    *(ALPACA, MMLU"),
    ],
    "verify/checks/__init__.py": [
        ("    documents_parse,\n", "    documents_parse,\n    dummy,\n"),
        ("    documents_parse.CHECK,", "    documents_parse.CHECK,\n    dummy.CHECK,"),
    ],
}  # fmt: skip
"""File → (what stands there, what the dummy makes of it)."""

COMPILE = """
import json, sys
from ftbench import builtin
from ftbench.compile.compiler import compile_spec
from ftbench.spec.load import load_pins, load_spec
from ftbench.spec.strategies import STRATEGIES
from ftbench.verify.checks import CHECKS
from ftbench.data.normalise import NORMALISERS
from ftbench.data.partition import KINDS

known = [STRATEGIES, NORMALISERS, KINDS, {check.id for check in CHECKS}]
moved = {}
for name, path in builtin.specs().items():
    compiled = compile_spec(load_spec(path).spec, load_pins(path))
    folder = builtin.generated() / compiled.folder
    committed = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    differ = sorted(n for n in {*committed, *compiled.files} if committed.get(n) != compiled.files.get(n))
    if differ:
        moved[name] = differ
print(json.dumps({"moved": moved, "specs": len(builtin.specs()), "dummies": sum("dummy" in one for one in known)}))
"""


def _copy(root: Path) -> Path:
    shutil.copytree(PACKAGE, root / "ftbench", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("specs", "entries", "schemas", "generated"):
        (root / name).symlink_to(builtin.root() / name)
    return root / "ftbench"


def _compiled(root: Path) -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", COMPILE], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_a_dummy_of_each_sort_moves_no_other_benchmark(tmp_path: Path) -> None:
    package = _copy(tmp_path)
    for name, text in FILES.items():
        (package / name).write_text(text)
    for name, changes in LINES.items():
        text = (package / name).read_text()
        for before, after in changes:
            assert text.count(before) == 1, f"{name} has no single {before!r}"
            text = text.replace(before, after)
        (package / name).write_text(text)
    told = _compiled(tmp_path)
    assert (told["specs"], told["dummies"]) == (len(builtin.specs()), 4)
    assert told["moved"] == {}


@pytest.mark.parametrize(
    "name",
    [
        "app/rounds.py",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("app/strategy/base.py", "tasks/ftbench_tasks.py")),
    ],
)
def test_and_what_all_of_them_use_moves_all(tmp_path: Path, name: str) -> None:
    """So that the test above can fail."""
    path = _copy(tmp_path) / name
    path.write_bytes(path.read_bytes() + b"# changed\n")
    told = _compiled(tmp_path)
    assert told["dummies"] == 0
    assert set(told["moved"]) == set(builtin.specs())
