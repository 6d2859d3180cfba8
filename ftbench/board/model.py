"""The leaderboard as a document: tables of one spec hash each, and what was refused beside them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ftbench.result.documents import Interval, Level
from ftbench.result.exposure_documents import Exposure
from ftbench.spec.model import BaseModelRef, Sha256
from ftbench.spec.primitives import Block


class Rank(Block):
    """A rank as an interval: every place that this row may hold among the rows it can be told apart from."""

    best: Annotated[int, Field(ge=1)]
    """1 + the number of rows that are certainly better."""
    worst: Annotated[int, Field(ge=1)]
    """Number of rows less those that are certainly worse."""


class Estimate(Block):
    """A figure with its interval at the table's confidence. The interval covers item sampling only."""

    value: float
    """Mean over seeds of the plain mean over tasks."""
    interval: Interval
    """Of one adapter over items. Of a method's score (three seeds or more) over items and seeds; of its other figures,
    and of two seeds, the mean of the runs' own intervals."""


class TaskFigure(Block):
    """One task by one scoring."""

    scoring: str
    """Name of the scoring."""
    items: int
    """Items asked."""
    score: Estimate
    """Accuracy."""
    gain: Estimate | None
    """Tuned minus untuned on the same items; null for a model that is no tuned one."""
    unparsable: float
    """Items whose text held no answer, mean over seeds. They are wrong, and counted here as well."""


class OtherScoring(Block):
    """A scoring that does not rank, on the tasks that have it."""

    score: Estimate
    """Plain mean over those tasks, its interval combined from theirs by MOVER."""
    tasks: dict[str, TaskFigure]
    """Task → what this scoring says of it."""


class Reached(Block):
    """What the spec's target of validation loss cost; reported, never ranked."""

    validation_loss: float
    """The target."""
    runs: int
    """Bundles."""
    reached: int
    """Bundles that reached it; the means below are over these."""
    round: float | None
    """Mean of the first round at the target; null where none reached it, as below."""
    bytes: float | None
    """Mean bytes of both directions until then."""
    seconds: float | None
    """Mean wall time of the rounds until then, as reported; null where one does not report it."""
    simulated_seconds: float | None
    """Mean simulated time until then; null where the spec simulates none."""


class Within(Block):
    """The score within a smaller budget, on the same items."""

    communication_mib: float
    """The budget."""
    score: Estimate
    """Of the last round's adapter that fits into it; the untuned model's where none does."""
    round: float
    """That round, mean over bundles."""
    bytes: float
    """Bytes of both directions until then, mean over bundles."""


class BundleRef(Block):
    """A bundle that stands behind a row."""

    path: str
    """Where it lies, below the folder given."""
    bundle: Sha256
    """sha256 of its manifest.json."""
    seed: int
    """Seed of its run."""
    level: Level
    """How far it was believed."""
    score: float
    """Its plain mean over tasks."""
    checkpoint_round: int
    """The round whose adapter is scored."""


class Row(Block):
    """One entry: the bundles that chose the same base model and the same knobs, whatever their seeds."""

    rank: Rank
    """Its place."""
    label: str = ""
    """What it is called in this table: the choices in which it differs from other rows, its own name before them."""
    claim: Literal["adapter", "adapters", "method"] = "adapter"
    """What its score and rank speak of: one seed's `adapter`, two seeds' `adapters`, a `method` from three seeds on."""
    entry: Sha256
    """Digest of base model and knobs, without seed and metadata."""
    names: list[str]
    """Names that the entries give themselves, sorted."""
    model: BaseModelRef
    """The base model."""
    knobs: dict[str, object]
    """Every knob with the value in force."""
    level: Level
    """The lowest level of its bundles; of those with one seed, adapter, answers and score the highest."""
    score: Estimate
    """What ranks."""
    standard_error: float | None = None
    """Of the score over items; null where samples are not known."""
    clustered_error: float | None = None
    """The same with items of one cluster taken together; null where no task names clusters."""
    gain: Estimate
    """Tuned minus untuned on the same items."""
    spread: float | None
    """Standard deviation of the score over seeds (n − 1); null with one seed."""
    tasks: dict[str, TaskFigure]
    """Task → what the scoring that ranks says of it."""
    also: dict[str, OtherScoring]
    """The other scorings, by name: reported, never ranked."""
    seeds: list[int]
    """Seeds that were run."""
    missing_seeds: list[int]
    """Seeds of the spec that were not run: such a row may have been picked from more runs."""
    bytes_down: int
    """Adapter bytes sent to clients in a run, mean over bundles."""
    bytes_up: int
    """Adapter bytes sent by clients in a run, mean over bundles."""
    trainable_parameters: int
    """Parameters that a client trains and sends."""
    train_seconds: float | None
    """Wall time of training as reported, mean over bundles; null if none reports it."""
    peak_memory_bytes: int | None
    """Largest resident set of a process as reported, over all bundles; null if none reports it."""
    peak_device_bytes: int | None
    """Most memory that a process had allocated on its accelerator, as reported, over all bundles; null if none did."""
    sandbox: Literal["bubblewrap", "none"] | None
    """What generated programs ran in, the weakest over all bundles; null where no task has programs."""
    exclusions: int
    """Clients left out of a round though the spec did not plan it, summed over bundles."""
    planned_exclusions: int
    """Clients left out of a round by the spec's faults, summed over bundles."""
    epsilon: float | None
    """Epsilon spent, the most over bundles; null where the spec promises no privacy."""
    robustness: Estimate | None
    """Tuned minus the fault-free reference on the same items; null where the spec has none."""
    exposure: Annotated[Exposure | None, Field(exclude_if=lambda value: value is None)] = None
    """How far the model gives canaries away, means over runs, `most` over all; left out where the spec plants none."""
    target: Reached | None
    """What the spec's target cost; null where it sets none."""
    within: list[Within]
    """Scores within the spec's smaller budgets, ascending."""
    bundles: list[BundleRef]
    """What stands behind the row, by seed."""
    constant: list[str] = []
    """Tasks on which the score is not above the best constant answer; `mean` where that holds of the mean: then what
    stands in `gain` is no gain."""
    notes: list[str]
    """What a reader must know before comparing it."""


class Reference(Block):
    """A row beside the ranking: it is no entry."""

    kind: Literal["majority", "untuned", "local", "centralised", "fault-free"]
    """`untuned`: the base model before any tuning. `local`: one model a client, trained on its own rows alone.
    `centralised`: one model trained on all clients' rows pooled. `fault-free`: the same federation without faults.
    `majority`: the best constant answer to each task."""
    model: BaseModelRef | None
    """The base model; null for `majority`."""
    entry: Sha256 | None
    """Digest of the entry whose knobs it was trained with; null for `untuned` and `majority`."""
    names: list[str]
    """Names of that entry, sorted."""
    score: Estimate
    """Mean over the models and bundles that stand behind it."""
    spread: float | None
    """`local`: standard deviation over the clients' models (n − 1), mean over bundles; null for others."""
    least: float | None
    """`local`: score of the worst client's model; null for others."""
    most: float | None
    """`local`: score of the best client's model; null for others."""
    tasks: dict[str, TaskFigure]
    """Task → what the scoring that ranks says of it."""
    also: dict[str, OtherScoring]
    """The other scorings, by name; empty for references that are trained."""
    models: int
    """Models in a bundle: the number of clients for `local`, else 1."""
    bundles: int
    """Number of bundles that report it."""
    above: int | None = None
    """Entries that are certainly better than it, at the table's error; null where none was compared."""
    below: int | None = None
    """Entries that are certainly worse."""
    compared: int = 0
    """Entries that it was compared with."""


class Compared(Block):
    """One pair of a table."""

    a: str
    """Label of an entry."""
    b: str
    """Label of another, or what a reference is called."""
    difference: float
    """Score of `a` minus that of `b`."""
    standard_error: float | None
    """Of the difference over items; null where the two have no items in common."""
    clustered_error: float | None
    """Over clusters; null where no task names them."""
    p_value: float | None
    """Adjusted for all pairs of the table; null where only intervals could be compared."""
    apart: bool
    """Whether they can be told apart at the table's error."""


class Table(Block):
    """The ranking of one spec hash in one division."""

    name: str
    """Name of the benchmark."""
    version: str
    """Version of the benchmark."""
    title: str
    """Its title, empty where this verifier does not know the benchmark."""
    reading: str = ""
    """What its author wants readers to know."""
    status: Literal["draft", "published", "unknown"]
    """A draft may change: its table is a preview."""
    spec_hash: Sha256
    """What all rows have in common. Rows of different hashes are never compared."""
    division: Literal["closed", "open"] = "closed"
    """`open`: entries with strategy or training code of their own, never ranked among those of the frozen app."""
    confidence: float
    """Level of the intervals and of the pairwise tests that make ranks."""
    compared_by: Literal["paired", "intervals", "mixed"]
    """How rows were told apart: by a paired test on the same items or, without samples, by overlap of intervals."""
    rows: list[Row]
    """Best first."""
    references: list[Reference]
    """Not ranked."""
    comparisons: list[Compared] = []
    """Every pair of entries, and every entry with every reference: what the table's error is shared by."""
    smallest_difference: float | None = None
    """The smallest difference that this table would see with a chance of 80 %, by its median standard error."""
    clusters: list[str] = []
    """A sentence for each task that names its clusters: how many, or why they are not known here."""


class Refused(Block):
    """A bundle that is not ranked, and why."""

    path: str
    """Where it lies, below the folder given."""
    bundle: Sha256 | None
    """sha256 of its manifest.json, null where it could not be read."""
    spec_hash: Sha256 | None
    """The benchmark that it names."""
    level: Level
    """How far it was believed."""
    code: str
    """Diagnostic code."""
    reason: str
    """What is wrong with it."""


class Board(Block):
    """Everything that `ftbench leaderboard` knows."""

    format: Literal["ftbench/output/leaderboard/v1"] = "ftbench/output/leaderboard/v1"
    """Format of this document."""
    required: Level
    """Lowest level that is ranked."""
    tables: list[Table]
    """One for each spec hash and division, by name, version and hash, the closed division first."""
    refused: list[Refused]
    """By path."""
    how_to_read: list[str] = []
    """How to read a table, in five lines."""
    notes: list[str]
    """What the figures cover and what nobody has established."""
