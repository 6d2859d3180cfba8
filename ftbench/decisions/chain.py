"""Reading and growing decisions.jsonl: exact bytes, the hash chain, the order of events, the signatures.

A chain that somebody made anew from the middle is whole in itself. Against that stand the signatures of each line, and
whoever holds an earlier copy: it must be the beginning of the new one, which `grown` says and every `git` clone can.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ftbench import codes
from ftbench.atomic import write_file
from ftbench.decisions.documents import OPEN, Decision, DecisionLine
from ftbench.diagnostics import Diagnostic, Place, printable
from ftbench.errors import FtbenchError, InvalidInput, MissingResource
from ftbench.locks import Held, hold_folder, holders, release_folder
from ftbench.result import safejson
from ftbench.result.signed import Signed
from ftbench.signing import keygen
from ftbench.signing.keygen import Signers
from ftbench.signing.kinds import DECISION
from ftbench.spec.canonical import canonical, sha256

FILE = "decisions.jsonl"
START = sha256(b"ftbench/decisions/v1\n")
MAX_BYTES = 256 * 2**20
MAX_LINE = 2**20
PATIENCE = 60.0
"""Seconds that a writer waits for another, who may have to type a passphrase. Whoever may read the folder may hold it,
so nobody is waited for without end."""


def parse(data: bytes, where: str) -> list[DecisionLine]:
    """The lines in `data`, held to bytes, schema, chain and order. Raises InvalidInput (FTB780) with every problem."""
    problems: list[Diagnostic] = []

    def tell(number: int, message: str) -> None:
        problems.append(Diagnostic(codes.BAD_DECISIONS, message, Place(where, number, 1)))

    if len(data) > MAX_BYTES:
        raise InvalidInput(Diagnostic(codes.BAD_DECISIONS, f"has more than {MAX_BYTES} bytes", Place(where)))
    raw = data.split(b"\n")
    if raw.pop():
        tell(len(raw) + 1, "the last line has no newline: it is torn")
    lines: list[DecisionLine] = []
    before = START
    for number, text in enumerate(raw, 1):
        try:
            value = safejson.parse(text, f"{where} line {number}", max_bytes=MAX_LINE)
            line = safejson.to_strict(value, DecisionLine, f"{where} line {number}")
        except FtbenchError as error:
            tell(number, f"is no decision: {error.diagnostics[0].message}")
            break
        if canonical(value) != text:
            tell(number, "is not in canonical form (RFC 8785)")
        if line.seq != number - 1 or line.prev != before:
            tell(number, "does not follow from the line before it")
        if line.digest != _digest(line):
            tell(number, "does not have the digest that it names")
        if (line.key is None) != (line.signature is None):
            tell(number, "names a key without a signature, or the other way about")
        lines.append(line)
        before = sha256(text + b"\n")
    for number, message in order_problems(lines):
        tell(number, message)
    if problems:
        raise InvalidInput(problems[:20])
    return lines


def read(folder: Path) -> list[DecisionLine]:
    """The decisions of a folder `results/`; none where nothing was decided yet. Raises InvalidInput (FTB780)."""
    path = folder / FILE
    return parse(_bytes(path), str(path))


def _bytes(path: Path) -> bytes:
    """Of the chain, no more than tell `parse` that it is too long; none where there is none yet."""
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def order_problems(lines: Sequence[DecisionLine]) -> Iterator[tuple[int, str]]:
    """Where the events do not read: a bundle is received once and before all else; what is withdrawn stays so; what is
    carried was accepted; times do not run back."""
    last: dict[str, str] = {}
    time = ""
    for number, line in enumerate(lines, 1):
        body, was = line.body, last.get(line.body.document)
        if body.time < time:
            yield number, "is older than the line before it"
        time = max(time, body.time)
        if body.event in ("received", "registered"):
            if was is not None:
                yield number, f"is `{body.event}` a second time"
        elif was in (None, "registered"):
            yield number, f"is `{body.event}` and was never received"
        elif was == "withdrawn":
            yield number, f"is `{body.event}` after it was withdrawn"
        elif body.event == "carried" and was not in ("accepted", "carried"):
            yield number, "is `carried` and was not accepted"
        elif body.event in ("accepted", "refused") and was not in OPEN:
            yield number, f"is `{body.event}` where nothing was to decide: before it came `{was}`"
        last[body.document] = body.event


def append(folder: Path, body: Decision, key: Path | None = None) -> DecisionLine:
    """Write one more line, signed where there is a `key`. What is there is checked first, and nobody writes beside.

    Raises InvalidInput where what is there does not hold together, or the new line does not follow (FTB780),
    MissingResource where another process holds the folder for PATIENCE seconds (FTB871).
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = _hold(folder)
    try:
        path = folder / FILE
        data = _bytes(path)
        parse(data, str(path))
        lines = data.split(b"\n")[:-1]
        line = make(len(lines), sha256(lines[-1] + b"\n") if lines else START, body, key)
        grown_data = data + canonical(line.model_dump(mode="json")) + b"\n"
        parse(grown_data, str(path))
        write_file(path, grown_data)
    finally:
        release_folder(handle, folder)
    return line


def _hold(folder: Path) -> int:
    try:
        return hold_folder(folder, PATIENCE)
    except Held:
        by = printable(", ".join(holders(folder)))[:300] or "a process that this system does not tell of"
        message = f"nothing was written: for {PATIENCE:g} s another holds this folder: {by}"
        hint = "wait for it or end it, then give the command again"
        raise MissingResource(Diagnostic(codes.HELD_BY_ANOTHER, message, Place(str(folder)), hint)) from None


def make(seq: int, prev: str, body: Decision, key: Path | None = None) -> DecisionLine:
    """The line of a decision."""
    signature = keygen.sign(_signed(seq, prev, body), key, DECISION) if key is not None else None
    by = keygen.signed(_signed(seq, prev, body), signature, DECISION, FILE).key if signature is not None else None
    text = signature.decode() if signature is not None else None
    line = DecisionLine(seq=seq, prev=prev, body=body, key=by, signature=text, digest="0" * 64)
    return line.model_copy(update={"digest": _digest(line)})


def signed_by(line: DecisionLine, where: str, signers: Signers | None = None) -> Signed | None:
    """Who signed a line; None where nobody did. Raises InvalidInput where the signature does not hold, or is by nobody
    that `signers` knows."""
    if line.signature is None:
        return None
    data = _signed(line.seq, line.prev, line.body)
    found = keygen.signed(data, line.signature.encode(), DECISION, f"{where} line {line.seq + 1}", signers)
    if found.key != line.key:
        message = f"the line names key {line.key}, and {found.key} signed it"
        raise InvalidInput(Diagnostic(codes.SIGNATURE_BROKEN, message, Place(where, line.seq + 1, 1)))
    return found


def grown(old: bytes, new: bytes) -> bool:
    """Whether `new` is `old` with lines after it, or the same: nothing that was decided is gone or other."""
    return new.startswith(old) and (not old or old.endswith(b"\n"))


def _signed(seq: int, prev: str, body: Decision) -> bytes:
    return canonical({"seq": seq, "prev": prev, "body": body.model_dump(mode="json")})


def _digest(line: DecisionLine) -> str:
    return sha256(canonical(line.model_dump(mode="json", exclude={"digest"})))
