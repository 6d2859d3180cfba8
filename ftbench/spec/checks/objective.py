"""Preference pairs where the objective is made of them, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench import codes
from ftbench.spec.model import Spec
from ftbench.spec.problems import Problem

AT = ("data", "rejected")


def pairs(spec: Spec) -> Iterator[Problem]:
    """The other answer is given with DPO, and only there, and is another one."""
    kind, rejected = spec.objective.kind, spec.data.rejected
    if kind == "dpo" and rejected is None:
        message = "`objective.kind: dpo` learns from pairs and needs `data.rejected`, the answer that is not preferred"
        yield Problem(codes.MISSING_PARAMETER, ("objective", "kind"), message, 'for example `rejected: " {rejected}"`')
    elif kind != "dpo" and rejected is not None:
        message = f"`data.rejected` has no effect with `objective.kind: {kind}`"
        yield Problem(codes.NO_EFFECT, AT, message, "leave it out, or use `objective: {kind: dpo, …}`")
    elif rejected is not None and rejected == spec.data.completion:
        message = "`data.rejected` is `data.completion`: neither of two equal answers can be preferred"
        yield Problem(codes.CONTRADICTION, AT, message, "name the column of the other answer")


def reduction(spec: Spec) -> Iterator[Problem]:
    """DPO's loss is a mean over pairs; tokens are summed inside an answer and never averaged."""
    if spec.objective.kind == "dpo" and spec.data.loss_reduction != "example-mean":
        message = f"DPO takes the mean over pairs, and `data.loss_reduction` is {spec.data.loss_reduction}"
        yield Problem(codes.CONTRADICTION, ("data", "loss_reduction"), message, "write `example-mean`")
