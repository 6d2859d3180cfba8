"""The entry sets knobs only, within their ranges, and a seed that the spec allows."""

from __future__ import annotations

from ftbench.spec import vary
from ftbench.spec.entries import check_entry
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """The spec's own rules on the resolved entry; every knob has its value in force. A sweep that chose them can have
    tried nothing else."""
    spec, entry = context.spec, context.entry
    problems = [problem.message for problem in check_entry(spec, entry) if problem.severity == "error"]
    due = set(spec.knobs) - {"model.base"}
    problems += [f"`{path}` is frozen: it is no knob" for path in sorted(set(entry.knobs) - due)]
    problems += [f"the knob `{path}` has no value" for path in sorted(due - set(entry.knobs))]
    if entry.seed not in spec.seeds.runs:
        problems.append(f"seed {entry.seed} is not one of {spec.seeds.runs}")
    if "model.base" not in spec.knobs and entry.model != spec.model.base:
        problems.append(f"the base model is frozen: {spec.model.base.name}, not {entry.model.name}")
    if (told := context.result.selection) is not None:
        open_ = vary.paths(spec)
        problems += [f"a sweep chose `{path}`, which is no knob" for path in told.tuned if path not in open_]
        if told.seed not in spec.seeds.runs:
            problems.append(f"a sweep tried seed {told.seed}, which is not one of {spec.seeds.runs}")
    return judge(dict.fromkeys(problems), f"{plural(len(due), 'knob')} in range, seed {entry.seed} allowed")


CHECK = Check("entry-allowed", "CONFORMS", "FTB632", "the entry sets only what the spec leaves open, in range", run)
