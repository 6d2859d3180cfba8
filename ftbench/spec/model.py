"""The spec: what everyone must share, as one typed model. Only what runs is modelled.

What is planned but does not run yet is listed in `ftbench.spec.reserved` and refused by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field, model_validator

from ftbench.spec import canaries as planting
from ftbench.spec import strategies
from ftbench.spec.budgets import CostToTarget, QualityWithin
from ftbench.spec.faults import Faults
from ftbench.spec.objective import Objective, SftObjective
from ftbench.spec.partitions import IidPartition, Partition
from ftbench.spec.primitives import (
    REPOSITORY,
    REVISION,
    Block,
    Commit,
    Count,
    Name,
    NonNegativeFloat,
    PositiveFloat,
    Sha256,
    Template,
    Version,
)
from ftbench.spec.privacy import Privacy
from ftbench.spec.sources import BuiltinSource, Columns, FileSource, HubSource, SitesSource, Source, TrainSource
from ftbench.spec.tasks import ChoiceTask, CodeTask, Generation, References, Task
from ftbench.spec.transport import Transport

__all__ = [
    "BuiltinSource",
    "ChoiceTask",
    "ClusterKey",
    "CodeTask",
    "Commit",
    "FileSource",
    "Generation",
    "HubSource",
    "IidPartition",
    "Name",
    "Partition",
    "Sha256",
    "SitesSource",
    "Source",
    "Spec",
    "Task",
    "Version",
]


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


class Validation(Block):
    """A seeded cut of the training rows that no client trains on. Its size is max(min_rows, ceil(fraction × rows))."""

    fraction: Annotated[float, Field(gt=0, lt=0.5)]
    """Share of the training rows."""
    min_rows: Count
    """Fewest rows."""


class Data(Block):
    """Training data and how a row becomes tokens. Everything here is required: a default would hide a condition."""

    source: TrainSource
    """Where the training rows come from."""
    columns: Annotated[Columns, Field(min_length=1)]
    """Our column name → the source's, or `{column: NAME, type: integer}` where the file cannot say the type: values of
    csv are texts. Templates use our names; every other column is dropped."""
    prompt: Template
    """Template of the text the model is given. Must not end in white space: put it at the start of `completion`."""
    completion: Template
    """Template of the text the model must learn to give. Tokenised apart from the prompt, then joined as ids.
    With `objective.kind: dpo` it is the preferred answer."""
    rejected: Template | None = None
    """Template of the answer that is not preferred, to the same prompt; null: none, which only DPO has use for."""
    chat_template: Literal["none", "model"]
    """`none`: the prompt is used as it is. `model`: it is one user turn in the model's own chat template and the
    completion the reply; the same in training and evaluation. Then completion and options begin without white space,
    as the template parts them from the prompt."""
    bos: bool
    """Whether the tokenizer's beginning-of-sequence token goes first, where the model has one. A chat template writes
    its own: then false."""
    eos: bool
    """Whether the end-of-sequence token follows the completion and is learnt."""
    over_length: Literal["drop", "truncate"]
    """A row longer than L = `training.sequence_length` tokens: left out, or cut. `truncate` takes tokens from the
    beginning of what comes before the completion (BOS stays) until the completion fits, but leaves L // 2 of them; what
    is still too long is cut off the completion's end. With DPO the longer answer decides, and both keep the same
    prompt. A row with an empty completion is left out either way. The log, the ledger and the result count what is."""
    loss_on: Literal["completion"]
    """Which tokens the loss counts."""
    loss_reduction: Literal["token-mean", "example-mean"]
    """Mean over all counted tokens of the effective batch, or mean over examples of each example's token mean.
    DPO takes the mean over pairs and asks for `example-mean`."""
    validation: Validation | None = None
    """Rows set aside before partitioning, to choose a round by; null: none, and the last round is scored."""


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
    weigh_by: Literal["rows-held", "rows-used"] | None = None
    """What a client counts by in a weighted mean: the rows that it holds, or those of them that it learnt from (by its
    own word: rows that are too long, empty or otherwise left out are not among them). Null: the rows that it holds."""


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
    moments: Literal["float32", "paged-8bit"] | None = None
    """How the moments are kept. `paged-8bit`: by bitsandbytes' PagedAdamW8bit (arXiv 2110.02861), where tensors of
    4,096 and more numbers have moments of 8 bits; on a CPU nothing is paged. null: `float32`."""


class Sgd(Block):
    """Stochastic gradient descent; its momentum starts afresh with each client's round."""

    kind: Literal["sgd"]
    """The local optimiser."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """v ← momentum · v + gradient, and the step is learning rate · v; 0: no momentum."""
    weight_decay: NonNegativeFloat = 0.0
    """Weight decay, added to the gradient."""


Optimizer = Annotated[AdamW | Sgd, Field(discriminator="kind")]


class ConstantSchedule(Block):
    """The same learning rate in every round."""

    kind: Literal["constant"]
    """How the learning rate moves over rounds."""
    learning_rate: PositiveFloat
    """Learning rate of every step."""


class CosineSchedule(Block):
    """Cosine annealing over rounds (arXiv 1608.03983).

    Round r of R, counted from 1, uses final + (first − final) · (1 + cos(π x)) / 2, where x is
    (r − 1) / max(R − 1, 1), or with `endpoints: last` r / R.
    """

    kind: Literal["cosine"]
    """How the learning rate moves over rounds."""
    learning_rate: PositiveFloat
    """Learning rate of the first round."""
    final_learning_rate: NonNegativeFloat
    """Learning rate of the last round."""
    endpoints: Literal["both", "last"] | None = None
    """Which ends of the curve are rounds. `both`: the first round has the first learning rate, the last the last.
    `last`: the first learning rate stands before the first round and no round has it, as with FlowerTune.
    null: `both`."""


Schedule = Annotated[ConstantSchedule | CosineSchedule, Field(discriminator="kind")]


class Training(Block):
    """What a client does in a round."""

    optimizer: Optimizer
    """Local optimiser."""
    schedule: Schedule
    """Learning rate over rounds."""
    within_round: Literal["constant", "linear"] | None = None
    """The learning rate inside a client's round. `constant`: the round's. `linear`: after the warm-up it falls from the
    round's on a line that reaches 0 after the last step. null: `constant`."""
    warmup_steps: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """Steps at the beginning of a client's round in which the learning rate rises from 0 to the round's: step i of
    them, counted from 0, has i / warmup_steps of it. null: none."""
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

    name: Annotated[str, Field(pattern=REPOSITORY, max_length=120)]
    """`builtin/NAME` for a model that comes with ftbench."""
    revision: Annotated[str, Field(pattern=REVISION)]
    """For a built-in model the sha256 digest of its files."""


class Quantization(Block):
    """Frozen weights in fewer bits, by bitsandbytes: 4 (QLoRA, arXiv 2305.14314), 8 (LLM.int8(), arXiv 2208.07339)."""

    bits: Literal[4, 8]
    """Bits a weight."""
    kind: Literal["nf4", "fp4", "int8"]
    """Number format: `nf4` or `fp4` for 4 bits, `int8` for 8."""
    double: bool = False
    """Whether the 4-bit blocks' scales are quantised once more."""
    compute_dtype: Literal["float32", "bfloat16"] | None = None
    """Precision in which a layer of 4-bit weights multiplies; its output has `model.dtype`. null: `model.dtype`."""


class Model(Block):
    """The base model and its limits."""

    base: BaseModelRef
    """The base model, or its default where `model.base` is a knob."""
    max_parameters: Annotated[int, Field(ge=1, le=2**50)]
    """Most parameters that a base model may have."""
    dtype: Literal["float32", "bfloat16"]
    """Precision of the computation and of weights that are not quantised. Adapters are trained and sent in float32."""
    quantization: Quantization | None = None
    """How the frozen weights are held; null: as `dtype` says."""
    gradient_checkpointing: bool = False
    """Whether activations are computed again in the backward pass, to save memory."""
    attention: Literal["eager", "sdpa", "flash-attention-2"] = "sdpa"
    """Attention kernel."""


class Adapter(Block):
    """What is trained: a low-rank change of the base model's linear layers. Every kind has the same fields."""

    kind: Literal["lora", "dora"]
    """`lora`: W + (alpha / rank) · B A (arXiv 2106.09685). `dora`: the same weight, with the norm of each output
    trained apart as a magnitude (arXiv 2402.09353)."""
    rank: Annotated[int, Field(ge=1, le=4096)]
    """Rank of the two factors."""
    alpha: PositiveFloat
    """Scale: the product of the factors is multiplied by alpha / rank."""
    dropout: Annotated[float, Field(ge=0, lt=1)]
    """Dropout on the adapter's input while training."""
    targets: Literal["all-linear", "attention", "mlp"] | Annotated[list[str], Field(min_length=1)]
    """Modules that get an adapter: `all-linear` (every linear layer but the output head), those of `attention` or of
    the `mlp` in the model's family, or module names."""
    client_ranks: Annotated[list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=1)] | None = None
    """FlexLoRA: client k trains factors of rank client_ranks[k mod their number], scaled as those of rank `rank`, which
    the server keeps; null: every client trains rank `rank`."""


if TYPE_CHECKING:
    StrategyKind: TypeAlias = str
else:
    StrategyKind = Literal[tuple(strategies.STRATEGIES)]


class Strategy(Block):
    """How the server combines the clients' adapters. A parameter that the kind does not use must be null or left out.

    The mean is weighted by the rows each client holds (`federation.weigh_by`); the median, the trimmed mean and Krum's
    choice are not weighted. m is the mean minus the global adapter.
    """

    kind: Annotated[StrategyKind, Field(description=strategies.TEXT)]
    mu: PositiveFloat | None = None
    """FedProx: weight of the proximal term."""
    server_learning_rate: PositiveFloat | None = None
    """FedAvgM, FedAdam, FedYogi, FedAdagrad and SCAFFOLD: step size of the server."""
    momentum: Annotated[float, Field(ge=0, lt=1)] | None = None
    """FedAvgM: momentum of the server."""
    beta1: Annotated[float, Field(ge=0, lt=1)] | None = None
    """FedAdam and FedYogi: decay of the first moment."""
    beta2: Annotated[float, Field(ge=0, lt=1)] | None = None
    """FedAdam and FedYogi: decay of the second moment."""
    tau: PositiveFloat | None = None
    """FedAdam, FedYogi and FedAdagrad: added to the root of the second moment; how adaptive the server is."""
    trim: Annotated[float, Field(gt=0, lt=0.5)] | None = None
    """FedTrimmedAvg: share of the replies cut at each end of a coordinate; of n replies floor(trim × n)."""
    byzantine: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Krum and MultiKrum: f, how many of a round's replies may be hostile."""
    keep: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """MultiKrum: how many replies are averaged."""


class Budget(Block):
    """Hard limits. A round whose worst case would exceed one does not start."""

    communication_mib: PositiveFloat
    """MiB (2^20 bytes) of adapter arrays in both directions, summed over clients and rounds."""
    trainable_parameters: Annotated[int, Field(ge=1, le=2**50)]
    """Most parameters that a client trains and sends."""


class Evaluation(Block):
    """How an adapter is scored. The ranking score is the plain mean over tasks of each task's first scoring."""

    tasks: Annotated[list[Task], Field(min_length=1)]
    """The test sets."""
    checkpoint: Literal["last", "best-validation"] = "last"
    """Which round's adapter is scored: the last, or the one with the lowest loss on `data.validation`."""
    references: References = References()
    """What else is scored on the same items."""
    cost_to_target: CostToTarget | None = None
    """Report what reaching a validation loss cost; null: not asked for."""
    quality_within: QualityWithin | None = None
    """Score the adapter that a run has within smaller budgets too; null: not asked for."""
    also: dict[Name, Annotated[list[Name], Field(min_length=1)]] | None = None
    """Another domain's name → those of `tasks` that are its own: asked, pinned and scored as the others, and told
    against the untuned model, but no part of the score that ranks. null: every task ranks."""
    canaries: planting.Canaries | None = None
    """Rows with a secret, planted into training at `ftbench lock`: how exposed these are after it stands beside the
    score. null: none."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Level of every interval."""

    @property
    def scored(self) -> list[Task]:
        """The test sets that the author wrote: all but the one that asks for the canaries' secrets."""
        return [task for task in self.tasks if self.canaries is None or task.name != planting.NAME]

    @property
    def ranked(self) -> list[Task]:
        """The tasks whose mean ranks."""
        beside = {name for names in (self.also or {}).values() for name in names}
        return [task for task in self.scored if task.name not in beside]


class Seeds(Block):
    """Where all randomness comes from."""

    partition: Annotated[int, Field(ge=0, lt=2**32)]
    """Deals the rows to clients; the same for every run."""
    runs: Annotated[list[Annotated[int, Field(ge=0, lt=2**32)]], Field(min_length=1, max_length=100)]
    """Seeds a run may use (`seed` of the entry; the first is the default): client choice, init and data order."""


class ClusterKey(Block):
    """Which items of a task belong together, so that a chance that strikes one strikes the others."""

    column: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """One of the task's `columns`, whose value is the cluster. null, and no `blocks`: items with the same prompt are
    one, which finds questions that stand there twice."""
    blocks: Annotated[list[Count], Field(min_length=1, max_length=10_000)] | None = None
    """Sizes of clusters that stand one after the other in the task's order, such as MMLU's subjects; null: none."""
    shared: Name | None = None
    """Tasks that give the same name share clusters: one problem in two languages, say. null: the task's own."""


class SpotRule(Block):
    """What must be done again, by somebody who is not the submitter, for the level SPOT-RUN."""

    items: Annotated[int, Field(ge=1, le=100_000)] = 50
    """Test items asked again at least, with and without the adapter; every task has a share of them."""
    client_rounds: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Rounds of single clients trained again, drawn from all replies of all committed rounds."""
    aggregations: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Rounds whose replies are aggregated again."""


class Reporting(Block):
    """How results are told, which changes neither training nor score. Like `metadata` no part of the spec hash."""

    reading: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    """What readers of the table should know; printed above it."""
    clusters: dict[Name, ClusterKey] | None = None
    """Task → its cluster key; null: every item stands by itself. Tests of a table flip whole clusters."""
    spot: SpotRule | None = None
    """What a spot-run must do again; null: 50 items, one client's round, one aggregation."""


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
    objective: Objective = SftObjective(kind="sft")
    """What it minimises."""
    model: Model
    """Base model and its limits."""
    adapter: Adapter
    """What is trained."""
    strategy: Strategy
    """How the server combines."""
    transport: Transport = Transport()
    """How arrays are coded on their way."""
    faults: Faults | None = None
    """What goes wrong on purpose; null: nothing."""
    privacy: Privacy | None = None
    """What a client is promised; null: nothing."""
    budget: Budget
    """Hard limits."""
    evaluation: Evaluation
    """Tasks and scoring."""
    seeds: Seeds
    """Where randomness comes from."""
    reporting: Reporting | None = None
    """How results are told; null: as ever. Never hashed."""
    knobs: dict[str, Knob] = {}
    """Path of a field → the values an entry may give it. Everything else is frozen. The spec's value is the default."""

    @model_validator(mode="after")
    def _asks_for_canaries(self) -> Spec:
        """The spec with the task that asks for the canaries' secrets, whether or not it was there already."""
        block = self.evaluation.canaries
        if block is None or any(task.name == planting.NAME for task in self.evaluation.tasks):
            return self
        if planting.unfit(block, self.data.prompt, self.data.completion):
            return self  # what the checks say
        own = planting.task(block, self.data.prompt, self.data.completion, self.seeds.partition)
        tasks = [*self.evaluation.tasks, own]
        return self.model_copy(update={"evaluation": self.evaluation.model_copy(update={"tasks": tasks})})
