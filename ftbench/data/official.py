"""Whether pins are those that were published with a built-in spec, or make it a benchmark of one's own."""

from __future__ import annotations

from ftbench import builtin, codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import FtbenchError
from ftbench.spec.load import LoadedSpec, load_pins, load_spec
from ftbench.spec.pins import Pins


def published_pins(loaded: LoadedSpec) -> Pins | None:
    """The pins that came with the built-in spec of that name and version; None where there is no such spec. To be asked
    before anything is written: they may stand in the very file."""
    name = loaded.spec.metadata.name
    for path in builtin.specs().values():
        if path.stem != loaded.path.stem:  # a copy keeps its file's name
            continue
        try:
            other = load_spec(path).spec.metadata
            if (other.name, other.version) == (name, loaded.spec.metadata.version):
                return load_pins(path)
        except FtbenchError:
            continue
    return None


def own_benchmark(loaded: LoadedSpec, published: Pins | None, pins: Pins) -> list[Diagnostic]:
    """A warning (FTB316) where `pins` resolve a built-in spec to other rows than were published with it."""
    if published is None:
        return []
    other: list[str] = []
    open_: list[str] = []
    for key, pin in sorted(pins.sources.items()):
        old = published.sources.get(key)
        if pin.digest is None or (old is not None and old.digest == pin.digest):
            continue
        (open_ if old is None or old.digest is None else other).append(f"`{key}`")
    if not other and not open_:
        return []
    why = [f"{', '.join(other)} came out otherwise than was published"] if other else []
    why += [f"of {', '.join(open_)} no pins were published"] if open_ else []
    metadata = loaded.spec.metadata
    message = (
        f"with these pins `{metadata.name}` {metadata.version} is a benchmark of your own: {'; '.join(why)}. Its spec "
        "hash is yours, and results stand in a table with those of nobody who has other pins"
    )
    hint = "give the pins file with your results, or offer it as a change: .github/workflows/lock-official.yml does"
    return [Diagnostic(codes.OWN_BENCHMARK, message, hint=hint, severity="warning")]
