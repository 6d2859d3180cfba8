"""Every JSON Schema that ftbench publishes, generated from the models. Nobody edits schemas/ by hand."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

DOCUMENTS: dict[str, str] = {
    "spec": "ftbench.spec.model:Spec",
    "entry": "ftbench.spec.entry:Entry",
    "resolved-entry": "ftbench.spec.entry:ResolvedEntry",
    "pins": "ftbench.spec.pins:Pins",
    "plan": "ftbench.compile.plan:Plan",
    "lock": "ftbench.spec.lock:Lock",
    "outline": "ftbench.spec.outline:Outline",
    "ledger-line": "ftbench.result.documents:LedgerLine",
    "sample": "ftbench.result.documents:Sample",
    "result": "ftbench.result.documents:Result",
    "environment": "ftbench.result.documents:Environment",
    "manifest": "ftbench.result.documents:Manifest",
    "verdict": "ftbench.result.documents:Verdict",
    "withdrawn": "ftbench.board.withdrawn:Withdrawals",
    "published": "ftbench.board.published:PublishedScores",
    "submission": "ftbench.decisions.documents:Submission",
    "registration": "ftbench.decisions.documents:Registration",
    "decision-line": "ftbench.decisions.documents:DecisionLine",
    "site-lock": "ftbench.spec.sites:SiteLock",
    "carried": "ftbench.decisions.documents:Carried",
}
"""Name of a document → its model."""

OUTPUTS: dict[str, str] = {
    "error": "ftbench.cli.outputs.general:ErrorOutput",
    "new": "ftbench.cli.outputs.general:NewOutput",
    "validate": "ftbench.cli.outputs.general:ValidateOutput",
    "preview": "ftbench.run.preview:Preview",
    "lock": "ftbench.cli.outputs.general:LockOutput",
    "partition": "ftbench.cli.outputs.partition:PartitionOutput",
    "privacy": "ftbench.cli.outputs.privacy:PrivacyOutput",
    "data": "ftbench.cli.outputs.data:DataOutput",
    "compile": "ftbench.cli.outputs.general:CompileOutput",
    "publish": "ftbench.cli.outputs.general:PublishOutput",
    "explain": "ftbench.cli.outputs.general:ExplainOutput",
    "explain-code": "ftbench.cli.outputs.general:ExplainCodeOutput",
    "diff": "ftbench.cli.outputs.general:DiffOutput",
    "hash": "ftbench.cli.outputs.general:HashOutput",
    "run": "ftbench.cli.outputs.result:RunOutput",
    "site-kit": "ftbench.cli.outputs.sites:SiteKitOutput",
    "node": "ftbench.cli.outputs.sites:NodeOutput",
    "watch": "ftbench.cli.outputs.watch:WatchOutput",
    "sweep": "ftbench.board.sweep_model:Sweep",
    "sweep-plan": "ftbench.cli.outputs.sweep_plan:SweepPlanOutput",
    "analyse": "ftbench.analysis.documents:Analysis",
    "merge": "ftbench.cli.outputs.result:MergeOutput",
    "evaluate": "ftbench.cli.outputs.result:EvaluateOutput",
    "sign": "ftbench.cli.outputs.trust:SignOutput",
    "pack": "ftbench.cli.outputs.general:PackOutput",
    "verify": "ftbench.cli.outputs.result:VerifyOutput",
    "submit": "ftbench.cli.outputs.trust:SubmitOutput",
    "decide": "ftbench.cli.outputs.trust:DecideOutput",
    "carry": "ftbench.cli.outputs.trust:CarryOutput",
    "score": "ftbench.cli.outputs.trust:ScoreOutput",
    "import": "ftbench.cli.outputs.flowertune:ImportOutput",
    "models": "ftbench.cli.outputs.base_models:ModelsOutput",
    "estimate": "ftbench.cli.outputs.base_models:EstimateOutput",
    "compare": "ftbench.board.versus:Versus",
    "bisect": "ftbench.replay.bisect:Divergence",
    "leaderboard": "ftbench.board.model:Board",
    "site": "ftbench.cli.outputs.site:SiteOutput",
    "export": "ftbench.cli.outputs.site:ExportOutput",
    "report": "ftbench.cli.outputs.site:ReportOutput",
    "list": "ftbench.cli.outputs.general:ListOutput",
    "schema": "ftbench.cli.outputs.general:SchemaOutput",
    "doctor": "ftbench.cli.outputs.general:DoctorOutput",
    "version": "ftbench.cli.outputs.general:VersionOutput",
    "completion": "ftbench.cli.outputs.general:CompletionOutput",
}
"""Command → the model of what it prints with `--json`. `error` is any command's that could not do its work."""

ENDING = "v1.schema.json"
"""What the name of every schema's file ends in, after the document's name."""

REGENERATE = "ftbench schema --write schemas"
"""The command that brings schemas/ up to date."""


def all_schemas() -> dict[str, bytes]:
    """Path below schemas/ → the schema's bytes."""
    named = {f"{name}.{ENDING}": where for name, where in DOCUMENTS.items()}
    named |= {f"output/{name}.{ENDING}": where for name, where in OUTPUTS.items()}
    return {path: _bytes(path, where) for path, where in sorted(named.items())}


def drift(folder: Path) -> list[str]:
    """Files of `folder` that are missing, not generated, or have other bytes than the models give."""
    wanted = all_schemas()
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    wrong = [f"missing: {path}" for path in sorted(set(wanted) - found)]
    wrong += [f"not generated: {path}" for path in sorted(found - set(wanted))]
    wrong += [
        f"other bytes: {path}" for path in sorted(found & set(wanted)) if (folder / path).read_bytes() != wanted[path]
    ]
    return wrong


def write(folder: Path) -> list[str]:
    """Write every schema that is missing or differs; return their paths. Files that are not generated stay."""
    from ftbench.atomic import write_file

    written = []
    for path, data in all_schemas().items():
        target = folder / path
        if target.is_file() and target.read_bytes() == data:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, data)
        written.append(path)
    return written


def _bytes(path: str, where: str) -> bytes:
    from ftbench.spec.canonical import pretty
    from ftbench.spec.schema import schema_for, spec_schema

    if path == f"spec.{ENDING}":
        return pretty(spec_schema())
    name = path.removesuffix(f".{ENDING}")
    module, _, model = where.partition(":")
    title = f"ftbench {name.replace('/', ': ').replace('-', ' ')}"
    urn = f"urn:ftbench:{name.replace('/', ':')}:v1"
    return pretty(schema_for(getattr(import_module(module), model), title, urn))
