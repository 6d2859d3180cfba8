"""The store that comes with ftbench holds what its own specs need, and nothing else: a fresh clone runs them all."""

from __future__ import annotations

from ftbench import builtin
from ftbench.spec.load import load_pins, load_spec


def due() -> set[str]:
    """Files of rows and partitions that the pins of specs with built-in data name."""
    found = set()
    names = [name for name in builtin.specs() if name.startswith("micro/") or name == "quickstart"]
    for path in (builtin.specs()[name] for name in names):
        spec, pins = load_spec(path).spec, load_pins(path)
        sources = [spec.data.source, *(task.source for task in spec.evaluation.tasks)]
        assert {source.kind for source in sources} == {"builtin"}, path
        found |= {f"data/{pin.digest}.jsonl" for pin in pins.sources.values()}
        assert pins.partition, path
        cuts = (pins.partition.digest, pins.partition.validation)
        found |= {f"partitions/{digest}.json" for digest in cuts if digest}
    return found


def test_it_is_whole_and_no_more() -> None:
    """Where something is missing: `FTBENCH_STORE=generated/quickstart/store ftbench lock SPEC`."""
    store = builtin.store()
    here = {path.relative_to(store).as_posix() for part in ("data", "partitions") for path in (store / part).iterdir()}
    assert here == due()
