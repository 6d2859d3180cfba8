"""The base model and its adapter: weights, quantisation, rank, targets."""

from __future__ import annotations

from typing import Any

from ftbench.base_models.adapters import adapted
from ftbench.base_models.catalogue import BaseModel
from ftbench.errors import InvalidInput
from ftbench.flowertune.case import Case
from ftbench.flowertune.facts import Fact

ATTENTION = {"flash_attention_2": "flash-attention-2", "sdpa": "sdpa", "eager": "eager"}


def look(case: Case) -> None:
    """Every finding of this subject."""
    _model(case)
    _quantization(case)
    facts = case.facts
    if facts.attention is not None:
        value = ATTENTION.get(facts.attention.value, facts.attention.value)
        case.choose("precision", "model.attention", Fact(value, facts.attention.place), "the attention kernel")
    if facts.other_adapter is not None:
        text = f"the adapter is made by `{facts.other_adapter.value}`; the benchmark has LoRA and DoRA"
        case.departs("adapter", text, facts.other_adapter.place)
    case.choose("adapter", "adapter.rank", facts.rank, "the adapter's rank")
    case.choose("adapter", "adapter.alpha", _whole(facts.alpha), "the adapter's alpha")
    case.choose("adapter", "adapter.dropout", facts.dropout, "the adapter's dropout")
    kind = None if facts.dora is None else Fact("dora" if facts.dora.value else "lora", facts.dora.place)
    case.choose("adapter", "adapter.kind", kind, "the kind of adapter")
    for name, fact in sorted(facts.adapter_extras.items()):
        case.departs("adapter", f"LoraConfig's `{name}` is set; the benchmark has no such setting", fact.place)
    _targets(case)


def _whole(fact: Fact[float] | None) -> Fact[Any] | None:
    """32.0 as 32, which is how entries write it."""
    return Fact(int(fact.value), fact.place) if fact is not None and fact.value.is_integer() else fact


def _model(case: Case) -> None:
    model = case.facts.model
    if model is None:
        case.not_told("model", "the base model is not named; the entry keeps the benchmark's own")
        return
    if case.facts.revision is None or len(case.facts.revision.value) != 40:
        text = f"no commit of {model.value} is named, so that two people may load two models; the entry names one"
        if case.base is None or case.base.revision is None:
            text = text.replace("the entry names one", "name one in the entry")
        case.carried("model", text, model.place)
    if case.base is None:
        text = f"the architecture of {model.value} is not in the catalogue: its targets and traffic were not looked at"
        case.not_told("model", f"{text}; --model takes the path of its config.json", model.place)


def _quantization(case: Case) -> None:
    facts, held = case.facts, case.spec.model.quantization
    ours = held.bits if held is not None else 16
    if facts.bits is None:
        case.not_told("quantization", "how the base weights are held is not to be told from the text")
        return
    if facts.bits.value != ours:
        told = "not quantised" if facts.bits.value == 16 else f"held in {facts.bits.value} bits"
        case.departs(
            "quantization", f"the base weights are {told}; the benchmark holds them in {ours} bits", facts.bits.place
        )
        return
    if facts.bits.value != 4:
        return
    case.choose("quantization", "model.quantization.kind", facts.quantization, "the 4-bit format")
    case.choose(
        "quantization", "model.quantization.compute_dtype", facts.compute, "the type that 4-bit weights are computed in"
    )
    if facts.double_quant is not None and facts.double_quant.value:
        case.departs(
            "quantization",
            "the scales of the 4-bit weights are quantised too; the benchmark's are not",
            facts.double_quant.place,
        )


def by_family(base: BaseModel) -> list[str] | None:
    """The targets that peft takes for a model's family where none are named."""
    here = {linear.name.rpartition(".")[2] for linear in adapted(base.architecture, "all-linear")}
    if {"q_proj", "v_proj"} <= here:
        return ["q_proj", "v_proj"]
    return ["qkv_proj"] if "qkv_proj" in here else None


def _targets(case: Case) -> None:
    fact = case.facts.targets
    if fact is None:
        case.not_told("targets", "which layers get an adapter is not to be told; the entry keeps the benchmark's own")
        return
    targets = fact.value
    if targets is None:
        targets = by_family(case.base) if case.base is not None else None
        if targets is None:
            case.not_told(
                "targets", "peft chooses the layers by the model's family, which is not known here", fact.place
            )
            return
    if isinstance(targets, str) and targets != "all-linear":
        case.departs(
            "targets", f"layers are chosen by the pattern `{targets[:60]}`; the benchmark takes names", fact.place
        )
        return
    wanted = sorted(set(targets)) if isinstance(targets, list) else targets
    if isinstance(wanted, list) and case.base is not None:
        lacked = [name for name in wanted if not _has(case.base, name)]
        if lacked:
            names = ", ".join(f"`{name}`" for name in lacked)
            there = sorted({linear.name.rpartition(".")[2] for linear in adapted(case.base.architecture, "all-linear")})
            text = f"{case.base.name} has no layers {names}; it has {', '.join(there)}"
            case.departs("targets", text, fact.place)
            wanted = [name for name in wanted if name not in lacked]
        every = adapted(case.base.architecture, "all-linear")
        if wanted and len(adapted(case.base.architecture, wanted)) == len(every):
            wanted = "all-linear"
    if wanted:
        case.choose("targets", "adapter.targets", Fact(wanted, fact.place), "the adapted layers")


def _has(base: BaseModel, name: str) -> bool:
    try:
        return bool(adapted(base.architecture, [name]))
    except InvalidInput:
        return False
