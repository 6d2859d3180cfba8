"""The house: which package may import which (data flows one way), and what the copied modules may import."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ftbench"

# A package may import itself, the packages named here, and the modules at the top of ftbench.
ARROWS: dict[str, set[str]] = {
    "spec": set(),
    "result": {"spec"},
    "signing": {"result", "spec"},
    "micro": {"spec"},
    "data": {"micro", "spec"},
    "compile": {"data", "spec"},
    "base_models": {"data", "spec"},
    "draft": {"base_models", "data", "spec"},
    "api": {"board", "verify", "run", "compile", "base_models", "data", "result", "spec"},
    "flowertune": {"base_models", "result", "spec"},
    "run": {"base_models", "compile", "data", "result", "spec"},
    "verify": {"compile", "data", "result", "signing", "spec"},
    "node": {"compile", "data", "signing", "result", "spec"},
    "decisions": {"result", "signing", "spec"},
    "submit": {"board", "decisions", "recorded", "run", "signing", "verify", "compile", "data", "result", "spec"},
    "recorded": {"data", "result", "spec"},
    "board": {"verify", "compile", "data", "result", "spec"},
    "replay": {"signing", "verify", "run", "compile", "data", "result", "spec"},
    "export": {"verify", "compile", "data", "result", "spec"},
    "analysis": {"base_models", "board", "compile", "result", "spec"},
    "site": {"analysis", "board", "verify", "compile", "base_models", "data", "result", "spec"},
    "cli": {
        "analysis",
        "api",
        "board",
        "export",
        "site",
        "node",
        "replay",
        "submit",
        "decisions",
        "recorded",
        "signing",
        "verify",
        "run",
        "compile",
        "draft",
        "flowertune",
        "base_models",
        "data",
        "result",
        "spec",
    },
    "app": set(),
    "tasks": set(),
}
FOUNDATION = {"atomic", "locks", "codes", "diagnostics", "errors", "builtin", "explained", "interrupts", "parallel"}
FOUNDATION |= {"__version__"}


def imported(path: Path, *, run: bool = False) -> list[tuple[int, str, int]]:
    """(level of relative import, module, line) of every import in a file, the lazy ones inside functions too; with
    `run` without those that are never carried out."""
    found: list[tuple[int, str, int]] = []
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if run and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []  # before it is walked: breadth comes first
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(0, alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found += [
                (node.level, f"{module}.{alias.name}" if module else alias.name, node.lineno) for alias in node.names
            ]
    return found


@pytest.mark.parametrize("package", sorted(ARROWS))
def test_arrows(package: str) -> None:
    wrong = []
    for path in sorted((PACKAGE / package).rglob("*.py")):
        for level, name, line in imported(path):
            parts = name.split(".")
            if level or parts[0] != "ftbench" or len(parts) == 1:
                continue
            if parts[1] in FOUNDATION and package not in {"app", "tasks"}:
                continue
            if parts[1] != package and parts[1] not in ARROWS[package]:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_every_package_has_its_arrows() -> None:
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == set(ARROWS)


def dependencies() -> dict[str, set[str]]:
    """Module → the modules of ftbench that it imports, wherever the import stands."""
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
    }
    found: dict[str, set[str]] = {}
    for name, path in modules.items():
        package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
        named = {
            ".".join([*package[: len(package) - level + 1], target]) if level else target
            for level, target, _ in imported(path)
        }
        found[name] = {
            known for one in named for known in (one, one.rpartition(".")[0]) if known in modules and known != name
        } - {parent for one in named if one in modules for parent in [one.rpartition(".")[0]]}
    return found


def test_no_circle() -> None:
    """Not even one that only a type checker or a function sees."""
    graph = dependencies()
    while leaves := [name for name, needs in graph.items() if not needs & graph.keys()]:
        for name in leaves:
            del graph[name]
    assert not graph, f"in circles, or above one: {sorted(graph)}"


def test_the_app_imports_itself_relatively_only() -> None:
    for path in (PACKAGE / "app").rglob("*.py"):
        assert not [name for level, name, _ in imported(path) if not level and name.startswith("ftbench")], path


def test_hooks_are_self_contained() -> None:
    """The harness loads a hook without a package: neither relative nor sibling imports work there. What only a type
    checker reads stands under `TYPE_CHECKING`."""
    forbidden = {"torch", "lm_eval", "transformers", "ftbench"}
    siblings = {path.stem for path in (PACKAGE / "tasks").glob("*.py")}
    for path in (PACKAGE / "tasks").glob("*.py"):
        for level, name, line in imported(path, run=True):
            assert level == 0, f"{path}:{line}"
            assert name.split(".")[0] not in forbidden | siblings, f"{path}:{line}"


def test_foundation_imports_nothing_above() -> None:
    for name in ("atomic", "locks", "codes", "diagnostics", "errors", "builtin", "explained", "interrupts"):
        for level, module, _ in imported(PACKAGE / f"{name}.py"):
            assert level == 0
            parts = module.split(".")
            assert parts[0] != "ftbench" or parts[1] in FOUNDATION, module


def test_names_of_test_modules_are_their_own() -> None:
    """Test folders are no packages: of two modules with one name, the one that was loaded first is found. Every folder
    may have a `conftest`, and which of them it is depends on what else is collected: nothing is imported from it."""
    files = sorted((ROOT / "tests").rglob("*.py"))
    names = Counter(path.stem for path in files if path.name != "conftest.py")
    assert [name for name, count in names.items() if count > 1] == []
    borrowed = re.compile(r"^\s*(?:from|import) conftest\b", re.MULTILINE)
    assert [str(path) for path in files if borrowed.search(path.read_text(encoding="utf-8"))] == []


def test_no_file_is_too_long() -> None:
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        assert len(path.read_text().splitlines()) <= 500, path


@pytest.mark.parametrize("module", ["ftbench.spec.load", "ftbench.compile.compiler", "ftbench.verify.verifier"])
def test_light_commands_import_nothing_heavy(module: str) -> None:
    heavy = ["torch", "transformers", "peft", "datasets", "lm_eval", "ray"]
    code = f"import sys, {module}; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
