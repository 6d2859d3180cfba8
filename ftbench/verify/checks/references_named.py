"""The references that the spec asks for are there, each with an adapter of its own."""

from __future__ import annotations

from ftbench.result.references import FAULT_FREE, LOCAL, due_references
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context
from ftbench.verify.references import fault_free_may_be


def run(context: Context) -> str | Failure:
    """Compare the names in the result with the spec; no adapter stands twice, nor is one the scored one.

    A client that trains alone may come to the only reply of a round; a run without faults to what faults did not
    change.
    """
    due, told = due_references(context.spec), context.result.references
    problems = [f"the reference {name} is missing" for name in due if name not in told]
    problems += [f"the spec asks for no reference {name}" for name in sorted(told) if name not in due]
    seen = {body.adapter: f"round {body.round}" for body in context.rounds if len(body.replies) > 1}
    seen |= {context.started.adapter: "the beginning", context.result.adapter: "the adapter that is scored"}
    alone = {body.adapter: f"round {body.round}" for body in context.rounds if len(body.replies) == 1}
    for name, adapter in sorted(told.items()):
        if name == FAULT_FREE and adapter in fault_free_may_be(context):
            continue
        if adapter in alone and not name.startswith(LOCAL):
            problems.append(f"the adapter of {name} is that of {alone[adapter]}")
        elif adapter in seen:
            problems.append(f"the adapter of {name} is that of {seen[adapter]}")
        seen.setdefault(adapter, name)
    if due:
        context.notes.append("How the references were trained: a bundle holds their answers, not their ledgers.")
    return judge(problems, f"{plural(len(due), 'reference')} beside the untuned model")


CHECK = Check("references-named", "CONFORMS", "FTB653", "the references are those that the spec asks for", run)
