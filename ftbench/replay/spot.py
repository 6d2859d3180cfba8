"""A spot-run: what a bundle's digest and a nonce draw, done again from base model, adapter and archive.

Nothing of the bundle is imported or unpickled. What trains and scores is the verifier's own compiled benchmark; of the
bundle it takes the adapter's tensors, the ledger and the entry, which verification has held to the plan before.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from ftbench import codes
from ftbench.atomic import scratch_folder, write_folder
from ftbench.compile.compiler import LOCK_NAME
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import FtbenchError, InvalidInput
from ftbench.replay import items, rounds
from ftbench.result import archive as archives
from ftbench.result import names
from ftbench.result.documents import Level, Verdict
from ftbench.result.files import Bundle
from ftbench.run.environment import installed
from ftbench.signing.keygen import Signers
from ftbench.verify import verifier
from ftbench.verify.context import Context
from ftbench.verify.draw import NONCE_BYTES
from ftbench.verify.evidence import Evidence, Machine
from ftbench.verify.policy import By

Say = Callable[[str], None]
OPEN = "That any part of it comes out again: the entry brings code of its own, which a spot-run would carry out."
FACTOR, HEADER = 16, 2**20
"""States of a server hold several arrays a parameter, and int8 on the wire is float32 in a file."""


def new_nonce() -> str:
    """A nonce that nobody has seen: hexadecimal, from the operating system."""
    return secrets.token_bytes(NONCE_BYTES).hex()


def judge(
    bundle: Path,
    *,
    spec: Path | None,
    store: Store,
    benchmarks: Sequence[Path],
    required: Level,
    signers: Signers | None = None,
    by: By | None = None,
    archive: Path | None,
    nonce: str,
    threads: int,
    say: Say,
) -> tuple[Verdict, Evidence | None]:
    """Verify a bundle, and where it reaches RESCORED do part of it again; the evidence beside the verdict.

    With `by` it is held to another run after that.
    Raises as `verify` and `spot_run`.
    """
    context = verifier.look(bundle, spec=spec, store=store, benchmarks=benchmarks, signers=signers)
    verdict = verifier.climb(context, required, verifier.checks(context))
    if verdict.level != "RESCORED":
        return verdict, None
    context.spot = evidence = spot_run(context, archive=archive, nonce=nonce, threads=threads, say=say)
    if by is not None:
        context.other = verifier.another(by, spec=spec, store=store, benchmarks=benchmarks, signers=signers)
    made = {one.check: one for one in verdict.checks}
    return verifier.climb(context, required, verifier.checks(context), made), evidence


def above(
    *, store: Store, benchmarks: Sequence[Path], spec: Path | None, archives: Path | None, threads: int, say: Say
) -> Callable[[Bundle, Verdict], Verdict]:
    """For whoever works off many bundles: takes one that is RESCORED and its verdict, and gives the verdict with what
    was done again. `archives`: a folder with the runs' archives by the digests that bundles name them with."""

    def again(bundle: Bundle, verdict: Verdict) -> Verdict:
        # Checks are not made again, but the one that finds the verifier's own copy of the benchmark.
        made = {one.check: one for one in verdict.checks if one.check not in {"lock-known", "signature-holds"}}
        context = verifier.known(bundle, store=store, benchmarks=benchmarks, spec=spec)
        found = verifier.climb(context, verdict.required, verifier.checks(context), made)
        if found.level != "RESCORED":
            return found
        if context.entry.open is not None:
            return found.model_copy(update={"not_checked": [*found.not_checked, OPEN]})
        name = context.result.archive
        folder = archives / name if archives is not None and name is not None else None
        context.spot = spot_run(context, archive=folder, nonce=new_nonce(), threads=threads, say=say)
        whole = {one.check: one for one in found.checks}
        return verifier.climb(context, verdict.required, verifier.checks(context), whole)

    return again


def spot_run(context: Context, *, archive: Path | None, nonce: str, threads: int, say: Say) -> Evidence:
    """Do again what the bundle of `context` and `nonce` draw. The bundle has reached RESCORED in that context.

    `archive`: the folder that the run left beside its bundle.
    What cannot be done again is told in the evidence with its reason. Raises MissingResource (base model, items),
    InvalidInput (an entry in the open division), RunFailed.
    """
    if context.entry.open is not None:
        hint = "an open entry reaches RESCORED here; whoever trusts its code runs it whole"
        message = "the entry brings code of its own, which a spot-run would carry out"
        raise InvalidInput(Diagnostic(codes.REPLAY_FAILED, message, Place(str(context.bundle.path)), hint))
    kept = kept_by(context, archive)
    context.spot = _empty(context, nonce, threads, kept.listed.keep_every if kept.listed else 0)
    context.__dict__.pop("drawn", None)
    drawn = context.drawn
    with scratch_folder("ftbench-spot") as folder:
        compiled = lay_out(context, folder)
        number = sum(map(len, drawn.items.values()))
        say(f"asking {number} items again, untuned and tuned")
        asked, device = items.ask(context, compiled, folder, drawn.items, threads=threads)
        found = rounds.redo(context, compiled, folder, kept, drawn, threads=threads, say=say)
    return context.spot.model_copy(
        update={
            "items": asked,
            "clients": found.clients,
            "aggregations": found.aggregations,
            "validations": found.validations,
            "machine": context.spot.machine.model_copy(update={"device": device}),
        }
    )


def _empty(context: Context, nonce: str, threads: int, keep_every: int) -> Evidence:
    machine = Machine(device="cpu", threads=threads, packages=installed(context.plan.stack))
    bundle = context.manifest_digest
    return Evidence(
        bundle=bundle, nonce=nonce, machine=machine, keep_every=keep_every, items=[], clients=[], aggregations=[]
    )


def lay_out(context: Context, folder: Path) -> Path:
    """The bundle's adapter and ledger on disk, where app and harness look for them, and the verifier's own benchmark.

    Returns that one's folder."""
    compiled = folder / "compiled"
    write_folder(compiled, context.known_files() | {LOCK_NAME: context.bundle.files[names.LOCK]})
    for name in (names.ADAPTER, names.ADAPTER_CONFIG, names.LEDGER):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(context.bundle.files[name])
    return compiled


def kept_by(context: Context, folder: Path | None) -> rounds.Kept:
    """The archive that the bundle names, or why there is none to work with."""
    if context.result.archive is None:
        return rounds.Kept(None, None, "the run kept nothing of its rounds (`ftbench run --keep all`)")
    if folder is None:
        return rounds.Kept(None, None, "the run's archive is not here: give `--archive DIR`")
    try:
        listed = archives.read(folder, context.result.archive)
        archives.held(folder, listed, most_bytes(context))
    except FtbenchError as error:
        return rounds.Kept(None, None, f"the run's archive: {error.diagnostics[0].message}")
    return rounds.Kept(folder, listed, "")


def most_bytes(context: Context) -> int:
    """Of a file of the archive: an adapter, a reply or a state is no larger than some times what a round sends, which
    verification has counted before."""
    return FACTOR * max((body.bytes_down + body.bytes_up for body in context.rounds), default=0) + HEADER
