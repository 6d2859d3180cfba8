"""How far a bundle can be believed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ftbench.api.specs import AnySpec, load_spec
from ftbench.result.documents import Level, Verdict

__all__ = ["Level", "Verdict", "known_benchmarks", "verify"]


def verify(
    bundle: str | Path,
    *,
    spec: AnySpec | None = None,
    require: Level = "RESCORED",
    store: str | Path | None = None,
    benchmarks: Sequence[str | Path] = (),
) -> Verdict:
    """Judge a bundle, a folder or an archive; whatever is wrong with it stands in the verdict.

    With `spec` its lock must be what that compiles to; without, one of `benchmarks` (folders of compiled ones; without
    them `generated` here and those that come with ftbench). `verdict.accepted` says whether it reaches `require`.
    Raises InvalidInput where there is no bundle, or the spec is wrong.
    """
    from ftbench.data.store import Store
    from ftbench.verify.verifier import verify as judge

    return judge(
        Path(bundle),
        spec=None if spec is None else load_spec(spec).path,
        store=Store.default(None if store is None else str(store)),
        benchmarks=known_benchmarks([Path(one) for one in benchmarks]),
        required=require,
    )


def known_benchmarks(given: Sequence[Path]) -> list[Path]:
    """Folders of compiled benchmarks: those given, else `generated` here, then ftbench's own."""
    from ftbench import builtin

    here = Path("generated")
    folders = list(given) or ([here] if here.is_dir() else [])
    return list(dict.fromkeys([*(folder.resolve() for folder in folders), builtin.generated().resolve()]))
