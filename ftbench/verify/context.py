"""What the checks look at: the bundle's documents on one side, what the verifier knows by itself on the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ftbench.compile.plan import Plan
from ftbench.data.store import Store
from ftbench.errors import InvalidInput, MissingResource
from ftbench.result import adapter, ledger, names
from ftbench.result.documents import (
    Environment,
    Finished,
    LedgerLine,
    Lock,
    Manifest,
    ReproducedBy,
    Result,
    Round,
    Sample,
    Started,
    Verdict,
)
from ftbench.result.files import Bundle
from ftbench.result.signed import Signed
from ftbench.signing.keygen import Signers
from ftbench.spec.canonical import sha256
from ftbench.spec.entries import apply
from ftbench.spec.entry import ResolvedEntry
from ftbench.spec.model import Spec, SpotRule, Strategy
from ftbench.spec.outline import Outline
from ftbench.spec.pins import PartitionPin
from ftbench.verify import base, documents
from ftbench.verify.draw import Draw, draw, validations
from ftbench.verify.evidence import Evidence
from ftbench.verify.filled import filled
from ftbench.verify.outcome import LeftOut, NotRun
from ftbench.verify.policy import Policy

if TYPE_CHECKING:
    from ftbench.compile.compiler import Compiled

T = TypeVar("T")


@dataclass
class Context:
    """Given to every check in turn. The plan is the verifier's own; it is set by the check `lock-known`."""

    bundle: Bundle
    store: Store
    own: Compiled | None = None
    """What the verifier compiled from the spec it was given; without one, the benchmarks are searched."""
    benchmarks: Sequence[Path] = ()
    """Folders of compiled benchmarks whose locks are known."""
    known_plan: Plan | None = None
    """Set by `lock-known`."""
    known_app: Callable[[], dict[str, bytes]] = dict
    """Reads what lies under `app/` in the benchmark that the verifier knows; set by `lock-known`."""
    known_files: Callable[[], dict[str, bytes]] = dict
    """Reads all files of that benchmark; set by `lock-known`."""
    spot: Evidence | None = None
    """What somebody did again; None: nobody did."""
    other: Other | None = None
    """Somebody else's run that this one is held to; None: none is."""
    signers: Signers | None = None
    """Whose signatures are known; None: a bundle may be without one, and its key alone is told."""
    signature: Signed | None = None
    """Set by `signature-holds`."""
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Task → its items as the verifier's own store has them, once they were asked for (`items.task_rows`)."""
    notes: list[str] = field(default_factory=list)
    """What a check found that it could not establish, in sentences for `not_checked`."""

    @cached_property
    def documents(self) -> documents.Documents:
        """The bundle's documents, read once."""
        return documents.read(self.bundle)

    def _have(self, document: T | None, name: str) -> T:
        if document is None:
            raise NotRun(f"{name} could not be read")
        return document

    @property
    def result(self) -> Result:
        """The claim."""
        return self._have(self.documents.result, names.RESULT)

    @property
    def entry(self) -> ResolvedEntry:
        """The entry that was run."""
        return self._have(self.documents.entry, names.ENTRY)

    @property
    def lock(self) -> Lock:
        """The lock that the bundle quotes."""
        return self._have(self.documents.lock, names.LOCK)

    @property
    def manifest(self) -> Manifest:
        """The manifest."""
        return self._have(self.documents.manifest, names.MANIFEST)

    @property
    def environment(self) -> Environment:
        """What the submitter says of their machine."""
        return self._have(self.documents.environment, names.ENVIRONMENT)

    @property
    def lines(self) -> list[LedgerLine]:
        """The ledger."""
        return self._have(self.documents.ledger, names.LEDGER)

    @property
    def outline(self) -> Outline:
        """What the bundle says of its base model's files."""
        return self._have(self.documents.outline, names.MODEL)

    @cached_property
    def base(self) -> base.Base:
        """The base model by the bundle's outline. Raises InvalidInput where that does not hold together."""
        return base.read(self.outline)

    @property
    def ledger_head(self) -> str:
        """Digest of the ledger's last line."""
        return ledger.head(self.bundle.files[names.LEDGER])

    @property
    def started(self) -> Started:
        """The ledger's first event."""
        first = self.lines[0].body if self.lines else None
        if not isinstance(first, Started):
            raise NotRun("the ledger does not begin with `started`")
        return first

    @property
    def finished(self) -> Finished:
        """The ledger's last event."""
        last = self.lines[-1].body if self.lines else None
        if not isinstance(last, Finished):
            raise NotRun("the ledger does not end with `finished`")
        return last

    @property
    def rounds(self) -> list[Round]:
        """Committed rounds in the order of the ledger."""
        return [line.body for line in self.lines if isinstance(line.body, Round)]

    @property
    def samples(self) -> dict[str, list[Sample]]:
        """Task → samples."""
        return self.documents.samples

    @cached_property
    def texts(self) -> dict[str, list[Sample]]:
        """The same with every prompt and option as text: what the bundle withholds comes from the store."""
        try:
            return filled(self.samples, self.plan, self.store)
        except MissingResource as error:
            told = error.diagnostics[0]
            raise NotRun(f"the bundle withholds its items' text, and they are not here: {told.message}") from error

    @property
    def plan(self) -> Plan:
        """The verifier's own plan, never the bundle's."""
        if self.known_plan is None:
            raise NotRun("there is no plan to compare with: the lock is not known")
        return self.known_plan

    @property
    def partition(self) -> PartitionPin:
        """Which rows each client holds."""
        return self._have(self.plan.pins.partition, "the plan's partition")

    @property
    def evidence(self) -> Evidence:
        """What was done again."""
        if self.spot is None:
            raise NotRun("nobody did part of the run again")
        return self.spot

    @property
    def other_run(self) -> Other:
        """The bundle that this one is held to."""
        if self.other is None:
            raise NotRun("no other run was named")
        return self.other

    @property
    def manifest_digest(self) -> str:
        """What names the bundle."""
        return sha256(self.bundle.files[names.MANIFEST])

    @cached_property
    def drawn(self) -> Draw:
        """What the evidence's nonce draws for this bundle."""
        reporting = self.plan.reporting
        rule = (reporting.spot if reporting else None) or SpotRule()
        items = {task.name: len(self.samples.get(task.name, [])) for task in self.spec.evaluation.tasks}
        nonce, every = bytes.fromhex(self.evidence.nonce), self.evidence.keep_every
        drawn = draw(self.manifest_digest, nonce, rule, items, self.rounds, every)
        if self.spec.data.validation is None or not self.rounds:
            return drawn
        again = validations(drawn, rule, self.result.checkpoint_round, self.rounds[-1].round)
        return replace(drawn, validations=again)

    @cached_property
    def spec(self) -> Spec:
        """The plan's spec with its default knobs."""
        return self.plan.typed_spec()

    @cached_property
    def in_force(self) -> Spec:
        """The spec with the entry's knobs applied."""
        spec, entry = self.spec, self.entry
        try:
            found = apply(spec, entry)
        except InvalidInput as error:
            raise NotRun("the entry does not keep to the spec: see `entry-allowed`") from error

        # The spec's strategy is not what ran then; what is left to check holds of plain averaging too.
        return found.model_copy(update={"strategy": Strategy(kind="fedavg")}) if self.brings("strategy") else found

    def block(self, name: Literal["adapter", "strategy"]) -> dict[str, Any]:
        """A block in force as digests hold it: what it asks for, without nulls. So a field that came to ftbench since
        is in no digest of what was made before."""
        found: dict[str, Any] = getattr(self.in_force, name).model_dump(mode="json", exclude_none=True)
        return found

    def brings(self, kind: Literal["strategy", "client"]) -> bool:
        """Whether the entry is in the open division with a module of that kind."""
        return self.entry.open is not None and getattr(self.entry.open, kind) is not None

    @cached_property
    def tensors(self) -> dict[str, adapter.Tensor]:
        """The adapter's weights. Raises InvalidInput where the file is malformed."""
        if names.ADAPTER in self.bundle.left_out:
            raise LeftOut(names.ADAPTER)
        return adapter.read_tensors(self._have(self.bundle.files.get(names.ADAPTER), names.ADAPTER), names.ADAPTER)


@dataclass(frozen=True, slots=True)
class Other:
    """Another bundle, judged by the same verifier, and whose runs count."""

    name: str
    """What it is called in sentences: its path."""
    context: Context
    verdict: Verdict
    policy: Policy

    def named(self) -> ReproducedBy | None:
        """What a verdict says of it; None where nobody knows who signed it."""
        signature = self.context.signature
        if signature is None or signature.identity is None:
            return None
        own = signature.identity in self.policy.own
        return ReproducedBy(bundle=self.context.manifest_digest, signature=signature, own=own)
