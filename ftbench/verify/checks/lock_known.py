"""The lock is one that this verifier knows: compiled here from the spec given, or of a benchmark that it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ftbench import builtin
from ftbench.compile.plan import PLAN, Plan
from ftbench.errors import FtbenchError
from ftbench.result import names, safejson
from ftbench.result.documents import Lock
from ftbench.spec.canonical import sha256
from ftbench.verify.check import Check, Failure, NotRun
from ftbench.verify.context import Context

if TYPE_CHECKING:
    from ftbench.compile.compiler import Compiled


def run(context: Context) -> str | Failure:
    """Compare the lock byte for byte; take the plan from where the known lock came from, never from the bundle."""
    quoted = context.bundle.files[names.LOCK]
    claim = f"{context.lock.name} {context.lock.version}, spec hash {context.lock.spec_hash[:12]}"
    if context.own is not None:
        return _from_spec(context, context.own, quoted, claim)
    near: list[str] = []
    for folder in compiled_folders([*context.benchmarks, builtin.generated()]):
        known = (folder / names.LOCK).read_bytes()
        if known == quoted:
            context.known_plan = _plan(folder, known)
            context.known_app = partial(_files, folder, known, "app/")
            context.known_files = partial(_files, folder, known, "")
            return f"the lock is that of a benchmark known here, byte for byte ({claim})"
        near.extend(_near(known, context.lock))
    told = "; ".join(near) or "no benchmark here has this name and version: give its spec or its compiled folder"
    return Failure(f"the bundle quotes {claim}; {told}")


def compiled_folders(roots: Sequence[Path]) -> Iterator[Path]:
    """Folders with a lock: each root itself, and what lies as name/version below it."""
    for root in roots:
        for pattern in (names.LOCK, f"*/{names.LOCK}", f"*/*/{names.LOCK}"):
            yield from (path.parent for path in sorted(root.glob(pattern)))


def _from_spec(context: Context, own: Compiled, quoted: bytes, claim: str) -> str | Failure:
    if own.files[names.LOCK] != quoted:
        lock = own.lock
        alike = lock.spec_hash == context.lock.spec_hash
        return Failure(
            f"the bundle quotes {claim}; the spec given compiles to {lock.name} {lock.version}, "
            + (
                f"with that spec hash and another lock{_apart(lock, context.lock)}"
                if alike
                else f"spec hash {lock.spec_hash[:12]}"
            )
        )
    context.known_plan = own.plan
    context.known_app = context.known_files = lambda: own.files
    return f"the lock is what the spec given compiles to here, byte for byte ({claim})"


def _plan(folder: Path, known: bytes) -> Plan:
    """The plan of a known benchmark, held to its own lock."""
    try:
        lock = safejson.parse_model(known, Lock, names.LOCK)
        data = (folder / PLAN).read_bytes()
        plan = safejson.parse_model(data, Plan, "plan.json")
    except (FtbenchError, OSError) as error:
        raise NotRun(f"the benchmark in {folder} cannot be read: {error}") from error
    if sha256(data) != lock.files.get(PLAN) or plan.spec_hash != lock.spec_hash:
        raise NotRun(f"the benchmark in {folder} does not fit its own lock; `ftbench compile` it again")
    return plan


def _files(folder: Path, known: bytes, below: str) -> dict[str, bytes]:
    """What lies below that path in a known benchmark, held to its own lock."""
    lock = safejson.parse_model(known, Lock, names.LOCK)
    try:
        app = {name: (folder / name).read_bytes() for name in lock.files if name.startswith(below)}
    except OSError as error:
        raise NotRun(f"the benchmark in {folder} cannot be read: {error}") from error
    if any(sha256(data) != lock.files[name] for name, data in app.items()):
        raise NotRun(f"the benchmark in {folder} does not fit its own lock; `ftbench compile` it again")
    return app


def _near(known: bytes, quoted: Lock) -> Iterator[str]:
    """How a known lock that has a claim to the quoted name or hash differs from it. Where it lies on this machine is
    not told: verdicts travel."""
    try:
        lock = safejson.parse_model(known, Lock, names.LOCK)
    except FtbenchError:
        return
    named = f"{lock.name} {lock.version}, known here,"
    if lock.spec_hash == quoted.spec_hash:
        yield f"{named} has that spec hash and another lock{_apart(lock, quoted)}"
    elif (lock.name, lock.version) == (quoted.name, quoted.version):
        yield f"{named} has spec hash {lock.spec_hash[:12]}"


def _apart(lock: Lock, quoted: Lock) -> str:
    """Where two locks of one spec hash differ."""
    files = {**lock.files, **quoted.files}
    other = [name for name in sorted(files) if lock.files.get(name) != quoted.files.get(name)]
    told = f" ({', '.join(other[:3])})" if other else ""
    outside = "; `metadata` and `reporting` are outside the hash and in the lock" if PLAN in other else ""
    return f"{told}{outside}"


CHECK = Check("lock-known", "CONFORMS", "FTB630", "the lock is one that this verifier knows", run)
