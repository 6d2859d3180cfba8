"""The references of a run: adapters trained alone or on pooled data, to be scored on the same items."""

from __future__ import annotations

from pathlib import Path

from ftbench.compile.plan import Plan
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.result.references import due_references
from ftbench.run import eval_codes as codes


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
