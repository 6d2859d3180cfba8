"""Reading a ledger strictly: exact bytes, the hash chain, and the order of its events."""

from __future__ import annotations

from pathlib import Path

from ftbench import codes
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput, MissingResource
from ftbench.result import safejson
from ftbench.result.documents import Finished, LedgerLine, Resumed, Round, Started, Stopped
from ftbench.spec.canonical import is_canonical, sha256

DOMAIN = b"ftbench/ledger/v1\n"
"""Prefix of what the first line's `prev` is the digest of."""
MAX_LINE = 16 * 2**20
"""Longest line that is read, in bytes: a round of about 60,000 clients."""

MAX_BYTES = 32 * 2**20
"""Longest ledger that is read, in bytes."""


def genesis(spec_hash: str) -> str:
    """`prev` of the first line."""
    return sha256(DOMAIN + spec_hash.encode())


def split(data: bytes) -> list[bytes]:
    """The whole lines with their newlines."""
    return [line + b"\n" for line in data.split(b"\n")[:-1]]


def read(path: Path, *, drop_torn: bool = False) -> list[LedgerLine]:
    """The lines of a ledger file, held to bytes, schema, chain and order of `seq`.

    `drop_torn` leaves out a last line without its newline, which a killed run leaves behind.
    Raises MissingResource where there is no such file, InvalidInput (FTB605 and the codes of safejson) otherwise.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MissingResource(
            Diagnostic(codes.BAD_LEDGER, f"the ledger cannot be read: {error}", Place(str(path)))
        ) from None
    if drop_torn and not data.endswith(b"\n"):
        data = data[: data.rfind(b"\n") + 1]
    return chained(data, str(path))


def chained(data: bytes, where: str) -> list[LedgerLine]:
    """The lines in `data`, as `parse` reads them, and held to their chain. Raises InvalidInput."""
    lines = parse(data, where)
    first = lines[0].body if lines else None
    spec_hash = first.spec_hash if isinstance(first, Started) else ""
    problems = chain_problems(data, spec_hash) if lines else []
    if problems:
        raise InvalidInput([Diagnostic(codes.BAD_LEDGER, problem, Place(where)) for problem in problems])
    return lines


def parse(data: bytes, where: str) -> list[LedgerLine]:
    """The lines in `data`, each exact RFC 8785 bytes that fit the schema. Raises InvalidInput.

    `prev` is not looked at: see `chain_problems`.
    """
    if len(data) > MAX_BYTES:
        raise InvalidInput(
            Diagnostic(codes.BAD_LEDGER, f"has {len(data)} bytes; at most {MAX_BYTES} are read", Place(where))
        )
    if data and not data.endswith(b"\n"):
        raise InvalidInput(Diagnostic(codes.BAD_LEDGER, "the last line has no newline: it is torn", Place(where)))
    lines: list[LedgerLine] = []
    for number, raw in enumerate(split(data), 1):
        place = Place(where, number, 1)
        value = safejson.parse(raw[:-1], f"{where} line {number}", max_bytes=MAX_LINE)
        if not is_canonical(value, raw[:-1]):
            raise InvalidInput(Diagnostic(codes.BAD_LEDGER, "the line is not in canonical form (RFC 8785)", place))
        lines.append(safejson.to_strict(value, LedgerLine, f"{where} line {number}"))
    return lines


def head(data: bytes) -> str:
    """sha256 of the last line with its newline: what a result names. It fixes the whole chain."""
    lines = split(data)
    return sha256(lines[-1]) if lines else sha256(b"")


def chain_problems(data: bytes, spec_hash: str) -> list[str]:
    """Where `prev` or `seq` of a line is not what the line before implies. `data` must parse."""
    problems: list[str] = []
    before = genesis(spec_hash)
    for number, raw in enumerate(split(data)):
        value = safejson.parse(raw[:-1], f"line {number + 1}", max_bytes=MAX_LINE)
        if value["seq"] != number:
            problems.append(f"line {number + 1} says seq {value['seq']}, not {number}")
        if value["prev"] != before:
            told = "the start of a ledger for this spec hash" if number == 0 else "the line before it"
            problems.append(f"line {number + 1} does not follow from {told}")
        before = sha256(raw)
    return problems


def order_problems(lines: list[LedgerLine]) -> list[str]:
    """Where the events do not read: started, (round | resumed | stopped)*, finished.

    After `stopped` only `resumed` may come; `resumed` names the last committed round, `stopped` the one after it.
    """
    if not lines:
        return ["the ledger is empty"]
    problems: list[str] = []
    committed, stopped = 0, False
    for number, line in enumerate(lines, 1):
        body = line.body
        if isinstance(body, Started) != (number == 1):
            problems.append(f"line {number}: `started` must be the first line and no other")
        if stopped and not isinstance(body, Resumed):
            problems.append(f"line {number}: `{body.event}` follows `stopped`; only `resumed` may")
        stopped = isinstance(body, Stopped)
        match body:
            case Round():
                committed = body.round
            case Resumed() if body.after_round != committed:
                problems.append(f"line {number}: resumed after round {body.after_round}, but {committed} was the last")
            case Stopped() if body.round != committed + 1:
                problems.append(f"line {number}: stopped in round {body.round}, but {committed + 1} was due")
            case Finished() if number != len(lines):
                problems.append(f"line {number}: lines follow `finished`")
            case _:
                pass
    if not isinstance(lines[-1].body, Finished):
        problems.append("the last line is not `finished`: the run did not reach its end")
    return problems
