"""The memory of a client: what was estimated for the entry's own choices, and what its runs measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ftbench.base_models import from_spec
from ftbench.base_models.catalogue import find_base_model
from ftbench.base_models.estimate import estimate
from ftbench.errors import FtbenchError
from ftbench.result.documents import ClientMemory, Result
from ftbench.site import figures
from ftbench.spec.entries import apply
from ftbench.spec.entry import ResolvedEntry
from ftbench.spec.model import Spec


@dataclass(frozen=True)
class Memory:
    """Bytes of one client; None: not known."""

    estimated: int | None
    """On a card, with the micro-batch that was used."""
    measured: ClientMemory
    """The most over the runs, and the fewest examples in one pass."""
    batch: int | None
    """Examples of an effective batch."""

    @property
    def told(self) -> list[tuple[str, str]]:
        """In words, for a list of costs; empty where nothing is known."""
        one, found = self.measured, []
        if self.estimated is not None:
            found.append(("memory of a client, estimated", f"{figures.size(self.estimated)} on a card"))
        if one.allocated_bytes:
            said = f"{figures.size(one.allocated_bytes)} allocated"
            said += f", {figures.size(one.reserved_bytes)} reserved" if one.reserved_bytes else ""
            found.append(("memory of a client, measured", said))
        elif one.growth_bytes:
            said = f"{figures.size(one.growth_bytes)} of main memory beyond the app without a model"
            found.append(("memory of a client, measured", said))
        if self.passes:
            found.append(("examples in one pass", self.passes))
        return found

    @property
    def passes(self) -> str:
        """`4 of 16`: examples in one pass of an effective batch."""
        of = f" of {self.batch}" if self.batch else ""
        return f"{self.measured.micro_batch}{of}" if self.measured.micro_batch else ""


def memory(results: Sequence[Result], entry: ResolvedEntry | None, spec: Spec | None) -> Memory:
    """Of an entry's runs. `spec`: its benchmark, where known."""
    measured = ClientMemory.over(one.cost.client for one in results if one.cost.client is not None)
    if spec is None or entry is None:
        return Memory(None, measured, None)
    try:
        in_force = apply(spec, entry)
        model = find_base_model(entry.model.name, entry.model.revision)
        found = estimate(model, from_spec.setting(in_force, micro_batch=measured.micro_batch))
    except (FtbenchError, ValueError):
        return Memory(None, measured, spec.training.batch_size)
    return Memory(found.memory_bytes, measured, in_force.training.batch_size)
