"""With --json each command prints exactly one object, and it fits its schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ftbench.cli import schemas
from ftbench.cli.inventory import KINDS
from ftbench.cli.list_ import KINDS as LISTED
from ftbench.cli.main import run
from ftbench.cli.options import LEVELS as REQUIRED
from ftbench.result.documents import LEVELS
from ftbench.run.progress import Progress

Captured = pytest.CaptureFixture[str]
Check = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def validators() -> dict[str, Draft202012Validator]:
    return {
        path.removeprefix("output/").removesuffix(".v1.schema.json"): Draft202012Validator(json.loads(data))
        for path, data in schemas.all_schemas().items()
        if path.startswith("output/")
    }


@pytest.fixture
def check(validators: dict[str, Draft202012Validator], capsys: Captured) -> Check:
    """Run a command with --json and hold its one object to the schema."""

    def checked(*argv: str, code: int = 0, schema: str = "") -> dict[str, Any]:
        assert run([*argv, "--json"]) == code
        answer: dict[str, Any] = json.loads(capsys.readouterr().out)
        name = schema or argv[0]
        assert [error.message for error in validators[name].iter_errors(answer)] == []
        assert answer["format"] == f"ftbench/output/{name}/v1"
        return answer

    return checked


def test_spec_commands(check: Check, spec: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    assert check("validate", str(spec))["valid"]
    check("compile", str(spec), "--out", out)
    assert check("compile", str(spec), "--out", out, "--check")["drift"] == []
    check("hash", str(spec))
    check("explain", str(spec), "training")
    check("explain", str(spec), "adapter.rank")
    check("diff", "quickstart", str(spec))
    check("lock", str(spec), "--check")
    check("lock", str(spec), "--store", str(tmp_path / "store"))
    spec.write_text(spec.read_text().replace("metadata:\n", "metadata:\n  status: published\n"))
    check("publish", str(spec), "--out", out)


def test_failures(check: Check, spec: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    assert check("compile", str(spec), "--out", out, "--check", code=1)["drift"]
    spec.with_name("quickstart.pins.json").unlink()
    assert check("compile", str(spec), code=4, schema="error")["diagnostics"][0]["code"] == "FTB190"
    assert check("lock", str(spec), "--check", code=1)["fresh"] is False
    spec.write_text("ftbench: [\n")
    assert check("validate", str(spec), code=3)["specs"][0]["diagnostics"][0]["line"]
    check("compile", str(spec), code=3, schema="error")
    check("publish", "quickstart", code=3, schema="error")
    check("leaderboard", str(tmp_path / "none"), code=3, schema="error")


def test_judging_commands(check: Check, submitted: Any, tmp_path: Path) -> None:
    assert check("verify", submitted.good, *submitted.options)["accepted"]
    check("verify", str(submitted.bundles / "broken.zip"), *submitted.options, code=1)
    check("leaderboard", str(submitted.bundles), *submitted.options)
    check("pack", submitted.good, "--out", str(tmp_path / "x.zip"))


def test_looking_around(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in KINDS:
        answer = check("list", kind)
        assert answer["items"], kind
        names = [item["name"] for item in answer["items"]]
        assert len(set(names)) == len(names) or kind == "tasks"
    check("version")
    check("schema")
    check("schema", "spec")
    for shell in ("bash", "zsh", "fish"):
        assert "_FTBENCH_COMPLETE" in check("completion", shell)["script"]
    from ftbench.cli import checkup

    monkeypatch.setattr(checkup, "CHECKUPS", tuple(c for c in checkup.CHECKUPS if c is not checkup.device))
    assert check("doctor")["checks"]


def outcome(submitted: Any, bundle: bool = True) -> Any:
    from ftbench.result.documents import Result
    from ftbench.run.summary import RunOutcome

    folder = Path(submitted.good)
    result = Result.model_validate_json((folder / "result.json").read_bytes())
    return RunOutcome(folder.parent, folder if bundle else None, result)


def test_run(check: Check, submitted: Any, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    from ftbench.run import runner

    calls: list[Any] = []
    monkeypatch.setattr(runner, "start", lambda *a, **k: calls.append((a, k)) or outcome(submitted))
    monkeypatch.setattr(runner, "resume", lambda *a, **k: calls.append((a, k)) or outcome(submitted, False))
    assert check("run")["verify"].startswith("ftbench verify ")
    check("run", "quickstart", "--set", "adapter.rank=4", "--seed", "2", "--engine", "inline", "--smoke", "--out", "x")
    (_, resolved), options = calls[-1]
    assert resolved.knobs["adapter.rank"] == 4 and resolved.seed == 2
    assert options["engine"] == "inline" and options["smoke"] and options["out"] == Path("x")
    assert check("run", "--resume", str(submitted.bundles))["bundle"] is None
    check("run", "--resume", str(submitted.bundles), "--seed", "0", code=2, schema="error")
    check("run", "--set", "federation.clients=3", code=3, schema="error")
    check("sweep", "quickstart", "--vary", "adapter.rank=2,4", "--seeds", "2", "--dry-run")
    check("sweep", "quickstart", "--vary", "adapter.rnk=2,4", code=3, schema="error")
    assert run(["run"]) == 0
    shown = capsys.readouterr()
    assert "running the quickstart" in shown.err and "ftbench run SPEC" in shown.err
    assert "verify with" in shown.out


def test_who_stops_a_run_is_told_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    from ftbench.run import runner

    def start(*args: Any, listener: Any, **options: Any) -> Any:
        listener.show(Progress(name="x", engine="inline", run_dir=Path("runs/my run")))
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "start", start)
    assert run(["run"]) == 130
    assert "ftbench run --resume 'runs/my run'" in capsys.readouterr().err


def test_run_of_a_compiled_folder(check: Check, submitted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from ftbench.run import runner

    calls: list[Any] = []
    monkeypatch.setattr(runner, "start", lambda *a, **k: calls.append(a) or outcome(submitted))
    (folder,) = (submitted.world.root / "benchmarks").glob("*/*")
    check("run", str(folder))
    assert calls[0][0] == folder


def test_evaluate(check: Check, submitted: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from ftbench.run.evaluation import evaluate

    scores = outcome(submitted).scores
    task = next(iter(scores.tasks.values()))
    also = {"jars": {name: other.tuned for name, other in task.also.items()}}
    found = SimpleNamespace(tasks={"jars": task.tuned}, also=also, mean=scores.tuned)
    monkeypatch.setattr(evaluate, "evaluate_adapter", lambda *a, **k: found)
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    assert check("evaluate", str(adapter), "--spec", "quickstart")["scores"] is None
    check("evaluate", str(adapter), code=3, schema="error")
    from ftbench.result import samples

    files = {path.name.split(".")[0]: path for path in Path(submitted.good, "samples").iterdir()}
    parsed = {name: samples.parse(path.read_bytes(), name) for name, path in files.items()}
    monkeypatch.setattr(evaluate, "evaluate_run", lambda *a, **k: parsed)
    (tmp_path / "run" / "compiled/app/ftbench_app").mkdir(parents=True)
    (tmp_path / "run" / "run.json").touch()
    (tmp_path / "run" / "compiled" / "app/ftbench_app/plan.json").write_bytes(submitted.world.compiled.plan.to_bytes())
    assert check("evaluate", str(tmp_path / "run"))["scores"]["tuned"] == scores.tuned.model_dump(mode="json")


def test_lists_agree() -> None:
    assert tuple(KINDS) == LISTED
    assert LEVELS[1:] == REQUIRED


def test_every_registered_code_is_listed(check: Check) -> None:
    """Every code that the source names is one that `list diagnostics` explains."""
    import re

    import ftbench

    listed = {item["name"] for item in check("list", "diagnostics")["items"]}
    root = Path(ftbench.__file__).parent
    skipped = {"app", "tasks"}
    named = {
        code
        for path in root.rglob("*.py")
        if path.relative_to(root).parts[0] not in skipped
        for code in re.findall(r'"(FTB\d{3})"', path.read_text())
    }
    assert named - listed == set()
