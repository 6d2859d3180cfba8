"""No training loss told is below 0, and a validation loss is told only where there is such a cut."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench.result.documents import Round
from ftbench.verify import open_division
from ftbench.verify.check import Check, Failure, judge, plural
from ftbench.verify.context import Context


def run(context: Context) -> str | Failure:
    """Whether they are the run's own nobody can tell without training again. Validation losses the schema bounds."""
    own, told = context.brings("client"), "none below 0"
    if own:
        told = open_division.skipped(context, "That training losses told are at least 0")
    validates = context.in_force.data.validation is not None
    problems = [problem for body in context.rounds for problem in _round(body, validates, own)]
    replies = sum(len(body.replies) for body in context.rounds)
    return judge(problems, f"training losses of {plural(replies, 'reply')}: {told}")


def _round(body: Round, validates: bool, own: bool) -> Iterator[str]:
    for reply in body.replies:
        if reply.loss < 0 and not own:
            yield f"round {body.round}: client {reply.partition} has the loss {reply.loss}, below 0"
    if body.validation_loss is not None and not validates:
        yield f"round {body.round}: a validation loss, the spec has no validation cut"


CHECK = Check(
    "losses-possible", "CONFORMS", "FTB655", "no training loss is below 0, no validation loss without a cut", run
)
