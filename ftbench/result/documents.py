"""The documents of a result bundle, as models. Bundle JSON passes its JSON Schema before these see it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from ftbench.result.budget_documents import TargetCost, WithinBudget
from ftbench.result.exposure_documents import Exposure
from ftbench.result.option_documents import Majority, NonNegative, OptionCounts, Written
from ftbench.result.privacy_spent import PrivacySpent, Released
from ftbench.result.sample_documents import Answer, Sample, Withheld
from ftbench.result.selection import Selection
from ftbench.result.signed import Signed
from ftbench.spec.lock import Lock
from ftbench.spec.model import BaseModelRef, Name, Sha256
from ftbench.spec.primitives import Block

__all__ = [
    "Answer",
    "Lock",
    "Majority",
    "NonNegative",
    "OptionCounts",
    "PrivacySpent",
    "Sample",
    "Selection",
    "TargetCost",
    "Withheld",
    "WithinBudget",
    "Written",
]


# --- ledger -----------------------------------------------------------------------------------------------------------


MAX_LOSS = 3.5e38
"""No float32 is larger; and sums of as many as a ledger holds are still numbers."""
Told = Annotated[str, Field(max_length=200)]
"""What a machine says of itself."""


class Reply(Block):
    """One client's usable reply in a round."""

    partition: NonNegative
    """Partition id of the client."""
    examples: NonNegative
    """Rows in its partition: its weight in the mean, unless the spec's `federation.weigh_by` is `rows-used`."""
    used: NonNegative | None = None
    """Rows of them that it learnt from, by its own word: those that templates, tokenizer and the over-length rule leave
    something of. Null: its own code does not say, or the ledger is older than this field."""
    steps: NonNegative
    """Optimiser steps it took."""
    loss: Annotated[float, Field(ge=-MAX_LOSS, le=MAX_LOSS)]
    """Mean training loss over those steps."""
    update: Sha256
    """Digest of the arrays it sent, in float32: where they were coded, of what they stand for."""


class Exclusion(Block):
    """A client that was asked and is not in the round's mean."""

    partition: NonNegative
    """Partition id of the client."""
    reason: Literal["error", "missing", "not-finite", "wrong-shape", "wrong-partition", "dropped-out", "late"]
    """Why it was left out: `dropped-out` and `late` by the spec's faults, else for what came or did not come."""
    detail: Annotated[str, Field(max_length=500)] = ""
    """What it said, cut short."""
    planned: bool = False
    """Whether the spec's faults struck it in this round: it dropped out, was late, or its reply arrived damaged."""


class Started(Block):
    """First line: the conditions of the run."""

    event: Literal["started"]
    spec_hash: Sha256
    entry: Sha256
    """Digest of the resolved entry without metadata."""
    base_model: Sha256
    """Digest of the base model's files."""
    seed: NonNegative
    clients: NonNegative
    rounds: NonNegative
    trainable_parameters: NonNegative
    adapter: Sha256
    """Digest of the adapter before the first round."""


class Round(Block):
    """A committed round. Writing this line is the commit: the state files that it names are on disk before it."""

    event: Literal["round"]
    round: NonNegative
    """Counted from 1."""
    learning_rate: float
    sampled: list[NonNegative]
    """Partition ids asked, ascending."""
    replies: list[Reply]
    """By ascending partition id."""
    excluded: list[Exclusion]
    """By ascending partition id."""
    bytes_down: NonNegative
    """Σ elements × itemsize of the arrays sent to all clients asked."""
    bytes_up: NonNegative
    """Σ elements × itemsize of the arrays received in usable and unusable replies."""
    adapter: Sha256
    """Digest of the aggregated adapter; its state file is `state/<digest>.safetensors`."""
    strategy_state: Sha256 | None
    """Digest of the server's own state (strategy, privacy, transport), null where it has none."""
    client_states: dict[str, Sha256]
    """Partition id → digest of that client's state; empty where clients keep none."""
    validation_loss: Annotated[float, Field(ge=0, le=MAX_LOSS)] | None = None
    """Mean loss of the aggregated adapter on the validation cut; null where the spec has none."""
    simulated_seconds: Annotated[float, Field(ge=0)] | None = None
    """How long the round takes in simulated time: its slowest reply, or the deadline where one does not come; null
    where the spec has no stragglers."""

    privacy: Released | None = None
    """What the round was released under; null where the spec promises nothing."""
    clients_together: Annotated[int, Field(ge=2)] | None = None
    """Most clients that trained in shared passes on one device; null: each trained by itself."""


class Resumed(Block):
    """A run went on after it had been interrupted."""

    event: Literal["resumed"]
    after_round: NonNegative
    """Last committed round."""


class Stopped(Block):
    """A run ended before its last round."""

    event: Literal["stopped"]
    round: NonNegative
    """The round that was not committed."""
    reason: Literal["too-few-replies", "communication-budget", "parameter-budget", "privacy-budget", "operator-limit"]
    excluded: list[Exclusion]
    detail: Annotated[str, Field(max_length=500)] = ""


class Finished(Block):
    """Last line of a whole run."""

    event: Literal["finished"]
    rounds: NonNegative
    round: NonNegative
    """The round whose adapter is scored: the last, or the one that the validation cut chose."""
    adapter: Sha256
    """Digest of that round's adapter."""
    bytes_down: NonNegative
    bytes_up: NonNegative


Event = Annotated[Started | Round | Resumed | Stopped | Finished, Field(discriminator="event")]


class LedgerLine(Block):
    """One line of `ledger.jsonl`: RFC 8785 bytes of {seq, prev, body} and a newline."""

    seq: NonNegative
    """Counted from 0."""
    prev: Sha256
    """sha256 of the line before, its newline included; for line 0 sha256 of "ftbench/ledger/v1\\n" + spec hash."""
    body: Event
    """What happened."""


# --- result -----------------------------------------------------------------------------------------------------------


class Interval(Block):
    """A two-sided interval at the spec's confidence. Covers item sampling only."""

    low: float
    high: float


class Score(Block):
    """An accuracy on one task."""

    correct: NonNegative
    """Items answered rightly."""
    items: Annotated[int, Field(ge=1)]
    """Items asked."""
    value: Annotated[float, Field(ge=0, le=1)]
    """correct / items."""
    interval: Interval
    """Wilson's score interval (1927)."""
    unparsable: NonNegative = 0
    """Items whose text held no answer, or whose program answered its tests with something that is no plain data: wrong,
    and counted here as well."""
    options: OptionCounts | None = None
    """Choice tasks: what each option got; null also in results of ftbench 0.1."""


class Mean(Block):
    """Plain mean over tasks."""

    value: Annotated[float, Field(ge=0, le=1)]
    interval: Interval
    """Combined from the tasks' intervals by MOVER (Zou and Donner 2008)."""


class Difference(Block):
    """Tuned minus untuned on the same items."""

    value: Annotated[float, Field(ge=-1, le=1)]
    interval: Interval
    """Newcombe's paired score interval (1998, method 10); for the mean combined by MOVER."""
    gained: NonNegative
    """Items wrong before and right after."""
    lost: NonNegative
    """Items right before and wrong after."""
    p_value: Annotated[float, Field(ge=0, le=1)]
    """Exact two-sided McNemar test; of a mean over tasks the test of that mean, each item by its task's size."""


class ScoringScores(Block):
    """Scores on one task by one scoring."""

    tuned: Score
    untuned: Score
    difference: Difference


class TaskScores(ScoringScores):
    """Scores on one task by the scoring that ranks, with the others beside it."""

    scoring: str
    """The scoring that ranks: the task's first."""
    also: dict[str, ScoringScores] = {}
    """The task's other scorings of the same items."""
    references: dict[str, Score] = {}
    """`centralised`, `local-0` … → its score by the scoring that ranks."""
    majority: Majority | None = None
    """The best constant answer; null for code tasks."""
    written: Written | None = None
    """What the untuned model wrote most often; null where models write nothing, and for code tasks."""


class Spread(Block):
    """Means of several models that differ in their training alone: how far apart they lie, no confidence interval."""

    models: Annotated[int, Field(ge=1)]
    """How many."""
    mean: Annotated[float, Field(ge=0, le=1)]
    """Their plain mean."""
    least: Annotated[float, Field(ge=0, le=1)]
    most: Annotated[float, Field(ge=0, le=1)]
    deviation: Annotated[float, Field(ge=0, le=1)]
    """Standard deviation of the models, with n − 1; 0 for one."""


class Elsewhere(Block):
    """Plain means over another domain's tasks, unranked."""

    tasks: list[str]
    """The tasks."""
    tuned: Mean
    untuned: Mean
    difference: Difference
    """Tuned minus untuned on the same items: what was gained or lost there."""


class Scores(Block):
    """All scores; `tuned` ranks."""

    tasks: dict[str, TaskScores]
    tuned: Mean
    untuned: Mean
    difference: Difference
    references: dict[str, Mean] = {}
    """`centralised`, `local-0` … → its mean over tasks."""
    local: Spread | None = None
    """The local-only models together; null where there are none."""
    majority: Annotated[float, Field(ge=0, le=1)] | None = None
    """Mean over tasks of the best constant answers; null where a task has none."""
    also: dict[str, Elsewhere] = {}
    """Domain of the spec's `evaluation.also` → what the adapter does on its tasks; no part of the means above."""
    robustness: Difference | None = None
    """Tuned minus the fault-free reference on the same items: what the spec's faults cost; null where there is none."""
    exposure: Annotated[Exposure | None, Field(exclude_if=lambda value: value is None)] = None
    """How far the model gives canaries away; left out where the spec plants none."""


class ClientMemory(Block):
    """The most that a process in which clients train took, by its own account; the card is in `environment.json`."""

    allocated_bytes: NonNegative | None = None
    """On its accelerator, by torch's allocator; null on a CPU."""
    reserved_bytes: NonNegative | None = None
    """What that allocator held of the accelerator; null on a CPU."""
    growth_bytes: NonNegative | None = None
    """By how much its resident set grew after the app was loaded and before it had a base model; with an engine that
    runs server and clients in one process, the server's part too."""
    micro_batch: Annotated[int, Field(ge=1)] | None = None
    """Examples in one pass, the fewest; null where the entry's own code trains."""

    @classmethod
    def over(cls, several: Iterable[ClientMemory]) -> ClientMemory:
        """The most that any of several took, and the fewest examples in one pass."""
        told = list(several)

        def known(name: str) -> list[int]:
            return [value for one in told if (value := getattr(one, name)) is not None]

        return cls(
            allocated_bytes=max(known("allocated_bytes"), default=None),
            reserved_bytes=max(known("reserved_bytes"), default=None),
            growth_bytes=max(known("growth_bytes"), default=None),
            micro_batch=min(known("micro_batch"), default=None),
        )


class Cost(Block):
    """What the run cost. The first four follow from plan and ledger; the rest is measured and reported only."""

    bytes_down: NonNegative
    bytes_up: NonNegative
    trainable_parameters: NonNegative
    rounds: NonNegative
    train_seconds: Annotated[float, Field(ge=0)] | None
    """Wall time of training, over all starts of the run."""
    evaluate_seconds: Annotated[float, Field(ge=0)] | None
    """Wall time of evaluation."""
    peak_memory_bytes: NonNegative | None
    """Largest resident set of one process of the run."""
    peak_device_bytes: NonNegative | None = None
    """Most memory that one process of training or evaluation had allocated on its accelerator; null on a CPU."""
    client: ClientMemory | None = None
    """What a client took; null: not measured, as in results of ftbench 0.1."""
    references_seconds: Annotated[float, Field(ge=0)] | None = None
    """Wall time of the training of references; null where there are none."""
    rows_held: NonNegative | None = None
    """Rows of all clients whose replies counted and say how many rows they learnt from; null where none does."""
    rows_used: NonNegative | None = None
    """Rows of them that were learnt from."""


class Result(Block):
    """`result.json`: what the bundle claims."""

    format: Literal["ftbench/result/v1", "ftbench/result/v2"] = "ftbench/result/v1"
    """v1: every sample holds its prompt and options. v2: those of at least one task hold digests in place of them."""
    name: Name
    version: str
    spec_hash: Sha256
    division: Literal["closed", "open"] = "closed"
    """`open`: the entry brought code of its own."""
    fab: Sha256 | None = None
    """Open division: digest of the Flower app bundle that was run; null: closed, the lock names it."""
    entry: Sha256
    """Digest of the resolved entry without metadata."""
    model: BaseModelRef
    base_model: Sha256
    """Digest of the base model's files."""
    seed: NonNegative
    engine: Literal["flower-simulation", "flower-deployment", "inline"]
    adapter: Sha256
    """Digest of the adapter that is scored."""
    checkpoint_round: NonNegative
    """The round that it is of."""
    references: dict[str, Sha256] = {}
    """`centralised`, `local-0` … → digest of that reference's adapter."""
    sandbox: Literal["bubblewrap", "none"] | None = None
    """What generated programs were run in; null where no task has any."""
    ledger: Sha256
    """sha256 of the ledger's last line: it fixes the whole chain."""
    scores: Scores
    cost: Cost
    exclusions: NonNegative
    """Clients left out of a round though the spec did not plan it, summed over rounds."""
    planned_exclusions: NonNegative = 0
    """Clients left out of a round by the spec's faults, summed over rounds."""
    privacy: PrivacySpent | None = None
    """What differential privacy cost; null where the spec promises nothing."""
    cost_to_target: TargetCost | None = None
    """What the spec's target of validation loss cost; null where it sets none."""
    within: list[WithinBudget] = []
    """Each budget of the spec's `evaluation.quality_within`, ascending."""
    bit_reproducible: bool
    """Whether the device allows the same digest to come out again."""
    smoke: bool
    """A shortened trial run; such a result is never accepted."""
    unpinned: bool
    """Whether other package versions than the plan's were let through."""
    selection: Selection | None = None
    """How a sweep chose the entry's knobs; null: nobody says."""
    archive: Sha256 | None = None
    """sha256 of `archive.json`, the list of what is kept beside the bundle for whoever does part of the run again;
    null: nothing is."""


class Environment(Block):
    """`environment.json`: where the run took place. Reported by the submitter, not verified."""

    format: Literal["ftbench/environment/v1"] = "ftbench/environment/v1"
    python: Told
    system: Told
    """Operating system and architecture."""
    cpu_count: NonNegative
    devices: Annotated[list[Told], Field(max_length=1_024)]
    """Accelerators used; empty on a CPU."""
    packages: dict[str, Told]
    """Distribution → installed version, for the plan's stack."""
    instructions: Annotated[str, Field(pattern="^[a-z0-9_]{1,32}$")] | None = None
    """The widest vector instructions that PyTorch could use, such as `avx512` or `avx2`: processors that differ in them
    round otherwise. Null: not known."""


class ManifestFile(Block):
    """One file of the bundle."""

    size: NonNegative
    sha256: Sha256


class Manifest(Block):
    """`manifest.json`: every other file of the bundle."""

    format: Literal["ftbench/manifest/v1"] = "ftbench/manifest/v1"
    files: dict[str, ManifestFile]
    """Path inside the bundle, POSIX → size and digest."""


# --- verdict ----------------------------------------------------------------------------------------------------------

Level = Literal["NONE", "CLAIMED", "INTACT", "CONFORMS", "RESCORED", "SPOT-RUN", "REPRODUCED"]
LEVELS: tuple[Level, ...] = ("NONE", "CLAIMED", "INTACT", "CONFORMS", "RESCORED", "SPOT-RUN", "REPRODUCED")


class CheckResult(Block):
    """What one check found."""

    check: str
    """Stable id of the check."""
    level: Level
    """The level that it belongs to."""
    title: str
    """What it establishes, in a sentence."""
    outcome: Literal["passed", "failed", "not-run"]
    evidence: str
    """What was compared, with figures; why it failed or was not run."""
    code: str | None = None
    """Diagnostic code of a failure."""


class ReproducedBy(Block):
    """Another run of the same entry that came to the same."""

    bundle: Sha256
    """sha256 of its manifest.json."""
    signature: Signed
    """Who signed it."""
    own: bool
    """Whether that is the verifier by the policy: they ran it themselves."""


class Verdict(Block):
    """How far a bundle can be believed, and why."""

    format: Literal["ftbench/verdict/v1"] = "ftbench/verdict/v1"
    bundle: Sha256 | None
    """sha256 of manifest.json, null where there is none that can be read."""
    name: str | None
    version: str | None
    spec_hash: Sha256 | None
    level: Level
    """The highest level all of whose checks, and those of every level below, passed."""
    required: Level
    """What was asked for."""
    accepted: bool
    """Whether `level` is at least `required`, and nothing that was done again came out otherwise."""
    checks: list[CheckResult]
    not_checked: list[str]
    """What nobody has established, in sentences."""
    verifier: str
    """ftbench and its version."""
    result: Result | None
    """The claim, where it could be parsed."""
    left_out: list[str] = []
    """Files of the bundle that the verifier did not bring: what needs them is not checked at any level."""
    signature: Signed | None = None
    """Who signed the bundle; null where it is not signed, or the signature was not verified."""
    reproduced_by: ReproducedBy | None = None
    """Whose run gave the level REPRODUCED; null at any other level."""
