"""Trainable parameters of low-rank adapters, as peft makes them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Literal

from ftbench import codes
from ftbench.base_models.architecture import Architecture
from ftbench.base_models.shapes import Linear, families, linears
from ftbench.diagnostics import Diagnostic, did_you_mean
from ftbench.errors import InvalidInput
from ftbench.spec.implied import traffic

AdapterKind = Literal["lora", "dora"]
Targets = Literal["all-linear", "attention", "mlp"] | Sequence[str]
"""`all-linear` (every linear layer but the output head), the layers of `attention` or `mlp` in the model's family, or
module names, matched as peft does: at their end."""


def adapted(architecture: Architecture, targets: Targets) -> list[Linear]:
    """The linear layers that get an adapter.

    Raises InvalidInput (FTB803) where a target names no linear layer of the model, or its output head: with an
    adapter on that, peft puts the whole head and embedding into what is sent.
    """
    every = [linear for linear in linears(architecture) if not linear.head]
    if targets == "all-linear":
        return every
    if isinstance(targets, str):
        group, targets = targets, families(architecture)[targets]
        if not targets:
            known = sorted({linear.name.rpartition(".")[2] for linear in every})
            message = f"this {architecture.model_type} model has no layer of the group `{group}`"
            hint = f"name its layers in `adapter.targets`: {', '.join(known)}"
            raise InvalidInput(Diagnostic(codes.NO_SUCH_TARGET, message, hint=hint))
    wrong = [target for target in targets if not any(_named(linear, target) for linear in every)]
    if wrong:
        known = sorted({linear.name.rpartition(".")[2] for linear in every})
        raise InvalidInput(
            [
                Diagnostic(
                    codes.NO_SUCH_TARGET,
                    f"no linear layer of this {architecture.model_type} model is called `{target}`",
                    hint=_hint(target, known, architecture),
                )
                for target in wrong
            ]
        )
    return [linear for linear in every if any(_named(linear, target) for target in targets)]


def trainable(architecture: Architecture, kind: AdapterKind, rank: int, targets: Targets) -> int:
    """Number of parameters that a client trains and sends.

    LoRA (arXiv 2106.09685) has two factors of a layer, rank × inputs and outputs × rank; DoRA (arXiv 2402.09353)
    has besides one magnitude for each output. Raises InvalidInput (FTB803) on an unknown target.
    """
    return elements(shapes(architecture, kind, rank, targets))


def shapes(architecture: Architecture, kind: AdapterKind, rank: int, targets: Targets) -> dict[str, tuple[int, ...]]:
    """Tensor name, as peft has it, → shape of every tensor of an adapter. Raises InvalidInput (FTB803)."""
    found: dict[str, tuple[int, ...]] = {}
    for linear in adapted(architecture, targets):
        stem = f"base_model.model.{linear.name}"
        found[f"{stem}{traffic.A}"] = (rank, linear.inputs)
        found[f"{stem}{traffic.B}"] = (linear.outputs, rank)
        if kind == "dora":
            found[f"{stem}.lora_magnitude_vector"] = (linear.outputs,)
    return found


def elements(tensors: traffic.Shapes) -> int:
    """Number of elements of all tensors together."""
    return sum(prod(shape) for shape in tensors.values())


def _named(linear: Linear, target: str) -> bool:
    return linear.name == target or linear.name.endswith(f".{target}")


def _hint(target: str, known: list[str], architecture: Architecture) -> str:
    if target == "lm_head":
        return "the output head gets no adapter: peft would send the whole head and embedding with it"
    names = f"its linear layers are {', '.join(known)}"
    if architecture.fused and target in {"q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"}:
        return f"this model joins them into one layer: {names}"
    near = did_you_mean(target, known)
    return f"{near} {names}" if near else names
