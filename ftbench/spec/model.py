"""The spec: what everyone must share, as one typed model. Only what runs is modelled.

What is planned but does not run yet is listed in `ftbench.spec.reserved` and refused by name.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ftbench.spec.block import Block

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=26)]
"""Lower-case words joined by hyphens; Flower allows 32 characters and the app's name adds six."""
Version = Annotated[str, Field(pattern=r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$", max_length=20)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=1, le=2**31)]
PositiveFloat = Annotated[float, Field(gt=0)]
NonNegativeFloat = Annotated[float, Field(ge=0)]
Template = Annotated[str, Field(min_length=1, max_length=20_000)]
"""Text in which `{column}` stands for a column's value; `{{` and `}}` are literal braces. Nothing else is special."""


class Metadata(Block):
    """What people read. Never hashed: changing it does not make another benchmark."""

    name: Name
    """The benchmark's name; it is also a folder under `generated/`."""
    version: Version
    """MAJOR.MINOR.PATCH of this benchmark. Other hashed bytes of a published spec ask for a new version."""
    status: Literal["draft", "published"] = "draft"
    """A draft may change freely; a published version is kept for ever and never rewritten."""
    title: Annotated[str, Field(min_length=1, max_length=120)]
    """One line for tables and pages."""
    description: str = ""
    """What the benchmark is for, in a paragraph."""
    licence: str = ""
    """Licence of the spec itself (SPDX expression). Each data source has its own in the pins."""
    authors: list[str] = []
    """Who publishes it."""


class BuiltinSource(Block):
    """Data that comes with ftbench, made by a seeded script in its repository."""

    kind: Literal["builtin"]
    """Where the rows come from."""
    name: Name
    """Name of the built-in data set (`ftbench list tasks`)."""
    split: Name
    """Which part of it."""


Source = BuiltinSource


class Data(Block):
    """Training data and how a row becomes tokens. Everything here is required: a default would hide a condition."""

    source: Source
    """Where the training rows come from."""
    columns: Annotated[dict[str, str], Field(min_length=1)]
    """Our column name → the source's. Templates use our names; every other column is dropped."""
    prompt: Template
    """Template of the text the model is given. Must not end in white space: put it at the start of `completion`."""
    completion: Template
    """Template of the text the model must learn to give. Tokenised apart from the prompt, then joined as ids."""
    chat_template: Literal["none"]
    """`none`: the prompt is used as it is."""
    bos: bool
    """Whether the tokenizer's beginning-of-sequence token goes first."""
    eos: bool
    """Whether the end-of-sequence token follows the completion and is learnt."""
    over_length: Literal["drop", "truncate"]
    """A row longer than `training.sequence_length` tokens: left out, or cut at its end."""
    loss_on: Literal["completion"]
    """Which tokens the loss counts."""
    loss_reduction: Literal["token-mean", "example-mean"]
    """Mean over all counted tokens of the effective batch, or mean over examples of each example's token mean."""


class IidPartition(Block):
    """Rows are shuffled with the partition seed and dealt in equal, contiguous shares."""

    kind: Literal["iid"]
    """How rows are dealt to clients."""


Partition = IidPartition


class Sampling(Block):
    """Which clients train in a round."""

    fraction: Annotated[float, Field(gt=0, le=1)]
    """Share of clients chosen each round; the number is max(1, floor(fraction × clients + 0.5))."""


class Federation(Block):
    """Who takes part and for how long."""

    clients: Annotated[int, Field(ge=1, le=100_000)]
    """Number of clients, one partition each."""
    partition: Partition
    """How the training rows are dealt to them."""
    sampling: Sampling
    """Which of them train in a round."""
    rounds: Annotated[int, Field(ge=1, le=10_000)]
    """Number of federated rounds."""
    min_replies: Count
    """Fewest usable replies with which a round may be aggregated; with fewer, the run ends with an error."""


class AdamW(Block):
    """AdamW (Loshchilov and Hutter, arXiv 1711.05101); its state starts afresh with each client's round."""

    kind: Literal["adamw"]
    """The local optimiser."""
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Decay of the first moment."""
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """Decay of the second moment."""
    epsilon: PositiveFloat = 1e-8
    """Added to the denominator."""
    weight_decay: NonNegativeFloat = 0.0
    """Decoupled weight decay."""


class ConstantSchedule(Block):
    """The same learning rate in every round."""

    kind: Literal["constant"]
    """How the learning rate moves over rounds."""
    learning_rate: PositiveFloat
    """Learning rate of every step."""


class CosineSchedule(Block):
    """Cosine annealing over rounds (arXiv 1608.03983), constant inside a round.

    Round r of R, counted from 1, uses final + (first − final) · (1 + cos(π (r − 1) / max(R − 1, 1))) / 2.
    """

    kind: Literal["cosine"]
    """How the learning rate moves over rounds."""
    learning_rate: PositiveFloat
    """Learning rate of the first round."""
    final_learning_rate: NonNegativeFloat
    """Learning rate of the last round."""


Schedule = Annotated[ConstantSchedule | CosineSchedule, Field(discriminator="kind")]


class Training(Block):
    """What a client does in a round."""

    optimizer: AdamW
    """Local optimiser."""
    schedule: Schedule
    """Learning rate over rounds."""
    local_steps: Annotated[int, Field(ge=1, le=1_000_000)]
    """Optimiser steps a client takes in a round."""
    batch_size: Annotated[int, Field(ge=1, le=65_536)]
    """Effective batch: examples in one optimiser step, however the operator splits it (`--micro-batch`)."""
    sequence_length: Annotated[int, Field(ge=2, le=1_048_576)]
    """Most tokens in an example, prompt and completion with BOS and EOS."""
    max_grad_norm: PositiveFloat | None = None
    """Gradient norm is clipped to this; null: no clipping."""
    data_order: Literal["reshuffle-each-round"] = "reshuffle-each-round"
    """A new seeded permutation of the client's rows in each round; when it is used up, the next permutation follows."""


class BaseModelRef(Block):
    """A base model by name and exact revision."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=120)]
    """`builtin/NAME` for a model that comes with ftbench."""
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
    """For a built-in model the sha256 digest of its files."""


class Model(Block):
    """The base model and its limits."""

    base: BaseModelRef
    """The base model, or its default where `model.base` is a knob."""
    max_parameters: Annotated[int, Field(ge=1, le=2**50)]
    """Most parameters that a base model may have."""
    dtype: Literal["float32"]
    """Precision of the frozen weights and of the computation."""


class Lora(Block):
    """Low-rank adaptation (arXiv 2106.09685): W + (alpha / rank) · B A."""

    kind: Literal["lora"]
    """Kind of adapter."""
    rank: Annotated[int, Field(ge=1, le=4096)]
    """Rank of the two factors."""
    alpha: PositiveFloat
    """Scale: the product of the factors is multiplied by alpha / rank."""
    dropout: Annotated[float, Field(ge=0, lt=1)]
    """Dropout on the adapter's input while training."""
    targets: Literal["all-linear"] | Annotated[list[str], Field(min_length=1)]
    """Modules that get an adapter: `all-linear` (every linear layer but the output head) or module names."""


Adapter = Lora


class FedAvg(Block):
    """Federated averaging (arXiv 1602.05629): mean of the clients' adapters weighted by the rows each one holds."""

    kind: Literal["fedavg"]
    """How the server combines the clients' adapters."""


Strategy = FedAvg


class Budget(Block):
    """Hard limits. A round whose worst case would exceed one does not start."""

    communication_mib: PositiveFloat
    """MiB (2^20 bytes) of adapter arrays in both directions, summed over clients and rounds."""
    trainable_parameters: Annotated[int, Field(ge=1, le=2**50)]
    """Most parameters that a client trains and sends."""


class Task(Block):
    """One test set and how it is asked and scored."""

    name: Name
    """Name of the task in tables and in the harness."""
    source: Source
    """Where the items come from."""
    columns: Annotated[dict[str, str], Field(min_length=1)]
    """Our column name → the source's."""
    prompt: Template
    """Template of the question. Must not end in white space."""
    options: Annotated[list[Template], Field(min_length=2, max_length=64)]
    """Templates of the answers to choose from, in order; each begins with the space that parts it from the prompt."""
    answer: str
    """Our column that holds the right option's index, counted from 0."""
    scoring: Literal["likelihood"]
    """`likelihood`: the option with the highest log-likelihood given the prompt is the answer; the first wins a tie."""


class References(Block):
    """What the tuned model is compared with, on the same items."""

    untuned: Literal[True] = True
    """Score the base model before any tuning."""


class Evaluation(Block):
    """How an adapter is scored. The last round's adapter is scored; the ranking score is the plain mean over tasks."""

    tasks: Annotated[list[Task], Field(min_length=1)]
    """The test sets."""
    references: References = References()
    """What else is scored on the same items."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Level of every interval."""


class Seeds(Block):
    """Where all randomness comes from."""

    partition: Annotated[int, Field(ge=0, lt=2**32)]
    """Deals the rows to clients; the same for every run."""
    runs: Annotated[list[Annotated[int, Field(ge=0, lt=2**32)]], Field(min_length=1, max_length=100)]
    """Seeds a run may use (`seed` of the entry; the first is the default): client choice, init and data order."""


class NumberRange(Block):
    """Any number from `min` to `max`, both included; whole numbers only where the field is one."""

    min: float
    """Least value allowed."""
    max: float
    """Greatest value allowed."""


class Choices(Block):
    """One of the listed values."""

    choices: Annotated[list[Any], Field(min_length=1)]
    """Values allowed."""


class Free(Block):
    """Whatever the spec's own rules allow for that field."""

    free: Literal[True]
    """Always true."""


Knob = NumberRange | Choices | Free


class Spec(Block):
    """A benchmark: what everyone must share, and under `knobs` what each may choose."""

    ftbench: Literal["spec/v1"]
    """Format of this file."""
    metadata: Metadata
    """What people read; never hashed."""
    data: Data
    """Training data and how a row becomes tokens."""
    federation: Federation
    """Clients, partition, sampling, rounds."""
    training: Training
    """What a client does in a round."""
    model: Model
    """Base model and its limits."""
    adapter: Adapter
    """What is trained."""
    strategy: Strategy
    """How the server combines."""
    budget: Budget
    """Hard limits."""
    evaluation: Evaluation
    """Tasks and scoring."""
    seeds: Seeds
    """Where randomness comes from."""
    knobs: dict[str, Knob] = {}
    """Path of a field → the values an entry may give it. Everything else is frozen. The spec's value is the default."""
