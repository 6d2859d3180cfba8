"""What is scored beside a run's own adapter on the same items: references, and earlier rounds within a budget."""

from __future__ import annotations

from pathlib import Path

from ftbench import codes
from ftbench.compile.plan import Plan
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.result import ledger
from ftbench.result.budgets import measure_within
from ftbench.result.documents import Finished, Round, Started
from ftbench.result.references import due_references
from ftbench.run.evaluation.job import TUNED, UNTUNED
from ftbench.spec.budgets import within_name


def find_references(run_dir: Path, plan: Plan, *, whole: bool = True) -> dict[str, Path]:
    """Reference → its adapter's folder, `references/<name>/adapter` of the run, in the order that the spec implies.

    With `whole` each that the spec asks for must be there. Raises InvalidInput (FTB575).
    """
    due = due_references(plan.typed_spec())
    found = {name: run_dir / "references" / name / "adapter" for name in due}
    missing = [name for name, folder in found.items() if not (folder / "adapter_model.safetensors").is_file()]
    if whole and missing:
        message = f"the spec asks for {len(due)} references, {len(missing)} were not trained, first {missing[0]}"
        hint = "go on with the run: ftbench run --resume"
        raise InvalidInput(Diagnostic(codes.REFERENCE_MISSING, message, Place(str(run_dir / "references")), hint=hint))
    return {name: folder for name, folder in found.items() if name not in missing}


def find_within(run_dir: Path, plan: Plan) -> dict[str, Path | str]:
    """Name of each budget's answers → the adapter's folder, or the name of the model whose answers they are: nothing
    is asked twice. By the ledger of a finished run. Raises InvalidInput (FTB575)."""
    block = plan.typed_spec().evaluation.quality_within
    if block is None:
        return {}
    bodies = [line.body for line in ledger.read(run_dir / "ledger.jsonl")]
    rounds = [body for body in bodies if isinstance(body, Round)]
    beginning = next(body.adapter for body in bodies if isinstance(body, Started))
    known = {body.adapter: TUNED for body in bodies if isinstance(body, Finished)}
    found: dict[str, Path | str] = {}
    for budget in measure_within(block, rounds, beginning):
        name = within_name(budget.communication_mib)
        if budget.round == 0:
            found[name] = UNTUNED
        elif budget.adapter in known:
            found[name] = known[budget.adapter]
        else:
            folder = run_dir / "within" / f"round-{budget.round}"
            if not (folder / "adapter_model.safetensors").is_file():
                message = f"the adapter of round {budget.round}, for {name}, is not there"
                hint = "go on with the run: ftbench run --resume"
                raise InvalidInput(Diagnostic(codes.REFERENCE_MISSING, message, Place(str(folder)), hint=hint))
            found[name] = folder
            known[budget.adapter] = name
    return found
