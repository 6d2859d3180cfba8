"""What a benchmark asks of a participant with a given base model: parameters, traffic, memory. Arithmetic only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ftbench import codes
from ftbench.base_models import activations, weights
from ftbench.base_models.adapters import AdapterKind, Targets, adapted, elements, shapes
from ftbench.base_models.architecture import Architecture
from ftbench.base_models.catalogue import BaseModel
from ftbench.base_models.communication import GIB, MIB, Communication, Sending, communication
from ftbench.base_models.shapes import Linear
from ftbench.base_models.weights import Bits
from ftbench.diagnostics import Diagnostic
from ftbench.errors import InvalidInput
from ftbench.spec.implied import traffic
from ftbench.spec.primitives import Block
from ftbench.spec.strategies import STRATEGIES
from ftbench.spec.transport import Transport

CARDS = (8, 12, 16, 24, 40, 80)
"""Sizes of graphics cards in GiB, as they are sold."""
RUNTIME = 512 * MIB
"""Assumed for the CUDA context, kernels and library workspaces; differs by card and driver."""
SLACK = 0.3
"""Share of what comes and goes in a step that the allocator is assumed to reserve beyond it."""
UNCODED = Transport()
TIGHT = 0.9
"""Above this share of a card an estimate is too close to call."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a model is trained, on plain values: what a spec can say and a little more."""

    kind: AdapterKind
    """Kind of adapter."""
    rank: int
    """Its rank."""
    targets: Targets
    """Which layers get one."""
    clients_per_round: int
    """Clients that train in a round."""
    rounds: int
    """Number of rounds."""
    sequence_length: int
    """Most tokens of an example."""
    micro_batch: int
    """Sequences in one forward pass: examples, or twice as many as pairs."""
    bits: Bits = 32
    """Bits of the frozen weights."""
    double_quant: bool = False
    """Whether the scales of 4-bit weights are quantised too."""
    dropout: float = 0.0
    """Dropout on the adapter's input."""
    gradient_checkpointing: bool = False
    """Whether layers are computed again in the backward pass instead of being kept."""
    clients_at_once: int = 1
    """Clients of a round that train together on the card, in passes that they share."""
    attention: activations.Attention = "sdpa"
    """Attention kernel."""
    learnt: float = 1.0
    """Share of the tokens that the loss counts: at most all of them."""
    strategy: str = "fedavg"
    """Kind of strategy."""
    moments: int = 2
    """Numbers that the local optimiser keeps of each trained parameter: AdamW two, SGD with momentum one, else none."""
    moment_bits: Literal[8, 32] = 32
    """Bits of each."""
    transport: Transport = UNCODED
    """How arrays are coded on their way."""
    client_ranks: Sequence[int] = ()
    """Rank of each client's adapter where they differ; `rank` is then the server's."""
    budget_mib: float | None = None
    """The benchmark's limit of communication."""
    max_trainable: int | None = None
    """The benchmark's limit of trainable parameters."""
    max_parameters: int | None = None
    """The benchmark's limit of base model parameters."""


class Part(Block):
    """One part of a client's memory."""

    name: str
    """What it holds."""
    bytes: int
    """Its size."""
    exact: bool
    """Whether it is a count of known tensors; otherwise an estimate."""
    how: str
    """How it is computed."""


class Card(Block):
    """Whether a graphics card is large enough."""

    gib: int
    """Its memory in GiB."""
    fits: Literal["yes", "tight", "no"]
    """`tight`: above nine tenths of it, closer than this estimate is good for."""


class Limit(Block):
    """A limit of the benchmark and what this choice comes to."""

    name: str
    """Which limit."""
    value: float
    """What this choice comes to."""
    limit: float
    """What is allowed."""
    within: bool
    """Whether it is allowed."""


class Estimate(Block):
    """What training asks for."""

    model: str
    """Base model."""
    parameters: int
    """Its parameters."""
    trainable_parameters: int
    """Parameters that a client trains and sends."""
    adapted_layers: int
    """Linear layers with an adapter."""
    communication: Communication
    """Traffic."""
    clients_at_once: int = 1
    """Clients whose training the memory is of: more than one where so many train together on the card."""
    memory: list[Part]
    """Memory of one client at its highest, by part; of all that train together where there are several."""
    memory_bytes: int
    """Sum of the parts."""
    cards: list[Card]
    """Which cards are large enough."""
    download_bytes: int
    """Weights to download, as stored on the hub."""
    limits: list[Limit]
    """The benchmark's limits."""


def estimate(model: BaseModel, setting: Setting) -> Estimate:
    """What training `model` under `setting` asks for.

    Raises InvalidInput: FTB803 for a target that is no layer of the model, FTB804 for DoRA on 8-bit weights.
    """
    if setting.kind == "dora" and setting.bits == 8:
        message = "DoRA does not work on 8-bit weights: their norm cannot be had without rounding them again"
        raise InvalidInput(Diagnostic(codes.NO_SUCH_ESTIMATE, message, hint="take 4, 16 or 32 bits, or LoRA"))
    architecture = model.architecture
    layers = adapted(architecture, setting.targets)
    tensors = shapes(architecture, setting.kind, setting.rank, setting.targets)
    parameters = elements(traffic.trained(setting.strategy, tensors, max(setting.client_ranks or [setting.rank])))
    sending = Sending(
        strategy=setting.strategy,
        transport=setting.transport,
        shapes=tensors,
        ranks=setting.client_ranks or [setting.rank],
        clients=setting.clients_per_round,
        rounds=setting.rounds,
    )
    moved = communication(sending, setting.budget_mib)
    if not _together(architecture, setting):
        setting = replace(setting, clients_at_once=1)
    memory = _memory(architecture, layers, elements(tensors), parameters, setting)
    total = sum(part.bytes for part in memory)
    return Estimate(
        model=model.name,
        parameters=model.parameters,
        trainable_parameters=parameters,
        adapted_layers=len(layers),
        communication=moved,
        clients_at_once=setting.clients_at_once,
        memory=memory,
        memory_bytes=total,
        cards=[Card(gib=gib, fits=_fits(total, gib)) for gib in CARDS],
        download_bytes=model.download_bytes,
        limits=_limits(model, parameters, moved, setting),
    )


def _memory(
    architecture: Architecture, layers: list[Linear], held: int, parameters: int, setting: Setting
) -> list[Part]:
    """`held`: elements of the whole adapter; `parameters`: those of them that are trained."""
    bits, clients = setting.bits, setting.clients_at_once
    # Clients that train together have values and gradients beside the model's own, which wait.
    places = 1 if clients == 1 else clients + 1
    quantised, scales, rest = weights.base_bytes(architecture, bits, setting.double_quant)
    kind = {4: "4-bit", 8: "8-bit", 16: "bfloat16", 32: "float32"}[bits]
    parts = [Part(name=f"{kind} weights", bytes=quantised or rest, exact=True, how=_weights_how(bits))]
    if quantised:
        scale_how = "float32 scales a block of 64" if bits == 4 else "a float32 scale an output"
        scale_how += ", quantised again in blocks of 256" if bits == 4 and setting.double_quant else ""
        left = "embedding, norms, biases and output head in bfloat16"
        parts.append(Part(name="scales of the weights", bytes=scales, exact=True, how=scale_how))
        parts.append(Part(name="not quantised", bytes=rest, exact=True, how=left))
    fixed = [
        ("adapter", 4 * held * places, "float32"),
        ("gradients", 4 * parameters * places, "float32, of the adapter alone"),
    ]
    if setting.moments and setting.moment_bits == 32:
        size = 4 * setting.moments * parameters * clients
        fixed.append(("optimiser", size, f"{setting.moments} float32 moments a parameter"))
    elif setting.moments:
        how = f"{setting.moments} moments of 8 bits a parameter and a scale for 256; more where tensors are small"
        fixed.append(("optimiser", setting.moments * (parameters + parameters // 64), how))
    if STRATEGIES[setting.strategy].variates:
        how = "the correction in float32 and the sum of gradients in float64"
        fixed.append(("control variates", 12 * parameters * clients, how))
    if STRATEGIES[setting.strategy].growing and setting.rounds > 1:
        replies = setting.clients_per_round * (setting.rounds - 1)
        how = f"float32, what FLoRA stacked of {replies:,} replies before the last round"
        fixed.insert(1, ("stacked adapters", 4 * held * replies, how))
    if _ours(architecture, setting.bits) and (kept := _held_for_a_step(layers, held, setting)[0]):
        how = "factors as they are computed with, products and norms of DoRA: once a step"
        fixed.append(("held for a step", kept * places, how))
    counted = setting.moment_bits == 32  # which tensors have moments of 8 bits is bitsandbytes' choice
    parts += [Part(name=n, bytes=size, exact=counted or n != "optimiser", how=how) for n, size, how in fixed]
    passing = _step(architecture, layers, setting)
    reserved = RUNTIME + int(SLACK * sum(part.bytes for part in passing))
    how = "CUDA context, kernels and what is reserved beyond what is used: an assumption, not a count"
    return [*parts, *passing, Part(name="runtime", bytes=reserved, exact=False, how=how)]


def _ours(architecture: Architecture, bits: Bits) -> bool:
    """Whether the compiled app has layers of its own for the model."""
    return architecture.model_type in activations.OURS and bits != 8


def _together(architecture: Architecture, setting: Setting) -> bool:
    """Whether clients can train together: the app says so of layers, attention, optimiser and strategy."""
    scores = setting.attention == "eager" or architecture.model_type == "gemma2"
    plain = setting.moment_bits == 32 and not STRATEGIES[setting.strategy].growing
    return _ours(architecture, setting.bits) and plain and not scores


def _held_for_a_step(layers: list[Linear], held: int, setting: Setting) -> tuple[int, int]:
    """Bytes of what our layers keep beside the adapter, and of what is there while norms are computed."""
    element = weights.compute_bytes(setting.bits)
    copies = held * element if element < 4 else 0
    if setting.kind != "dora":
        return copies, 0
    outputs = sum(x.outputs for x in layers)
    by_shape: dict[tuple[int, int], int] = {}
    for x in layers:
        shape = x.outputs, x.inputs
        by_shape[shape] = by_shape.get(shape, 0) + x.outputs * setting.rank
    widest = max(by_shape.values(), default=0)
    moment = 4 * widest * (1 if element == 4 else 2)
    return copies + outputs * (element * setting.rank + 8 + element), moment


def _weights_how(bits: Bits) -> str:
    if bits >= 16:
        return f"{bits // 8} bytes a parameter, a tied head once"
    return f"{bits} bits an element of every linear layer but the output head"


def _step(architecture: Architecture, layers: list[Linear], setting: Setting) -> list[Part]:
    """Activations kept over the whole step, and what is there only for a moment."""
    step = activations.Step(
        tokens=setting.clients_at_once * setting.micro_batch * setting.sequence_length,
        sequence_length=setting.sequence_length,
        bits=setting.bits,
        kind=setting.kind,
        rank=setting.rank,
        dropout=setting.dropout,
        attention=setting.attention,
        ours=_ours(architecture, setting.bits),
        learnt=setting.learnt,
    )
    by_layer: dict[str, list[Linear]] = {}
    for linear in layers:
        by_layer.setdefault(_layer(linear.name), []).append(linear)
    bare: list[list[Linear]] = [[]] * max(0, architecture.layers - len(by_layer))
    kept = [activations.layer_bytes(architecture, inside, step) for inside in (*by_layer.values(), *bare)]
    workspace = activations.workspace_bytes(layers, weights.quantised(architecture, setting.bits), step)
    workspace += activations.backward_bytes(architecture, step)
    logits = activations.logits_bytes(architecture, step)
    if step.ours:
        held = elements(shapes(architecture, setting.kind, setting.rank, setting.targets))
        logits = max(logits, setting.clients_at_once * _held_for_a_step(layers, held, setting)[1])
    source = "counted as in arXiv 2205.05198"
    if setting.gradient_checkpointing:
        inputs = weights.compute_bytes(setting.bits) * architecture.hidden * step.tokens * architecture.layers
        moment = max(logits, max(kept) + workspace)
        saved = Part(name="activations", bytes=inputs, exact=False, how=f"each layer's input; {source}")
        how = "the larger of logits with loss, and one layer computed again, its gradients and largest weight"
    else:
        moment = max(logits, workspace)
        saved = Part(name="activations", bytes=sum(kept), exact=False, how=f"all that layers keep; {source}")
        how = "the larger of logits with loss, and a layer's gradients and largest weight"
    return [saved, Part(name="for a moment", bytes=moment, exact=False, how=how)]


def _layer(name: str) -> str:
    """The decoder layer that a module is in: its name up to the first number."""
    parts = name.split(".")
    number = next((at for at, part in enumerate(parts) if part.isdecimal()), -1)
    return ".".join(parts[: number + 1])


def _fits(total: int, gib: int) -> Literal["yes", "tight", "no"]:
    if total > gib * GIB:
        return "no"
    return "yes" if total <= TIGHT * gib * GIB else "tight"


def _limits(model: BaseModel, parameters: int, moved: Communication, setting: Setting) -> list[Limit]:
    wanted = [
        ("communication in MiB", moved.total_mib, setting.budget_mib),
        ("trainable parameters", parameters, setting.max_trainable),
        ("base model parameters", model.parameters, setting.max_parameters),
    ]
    return [
        Limit(name=name, value=float(value), limit=float(limit), within=value <= limit)
        for name, value, limit in wanted
        if limit is not None
    ]
