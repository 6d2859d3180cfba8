"""What arithmetic says of a table, for people."""

from __future__ import annotations

from collections.abc import Iterator

from ftbench.diagnostics import printable
from ftbench.verify.claims.documents import Claims


def text(claims: Claims) -> Iterator[tuple[str, str]]:
    """Each line with its style."""
    yield f"{printable(claims.table)}: {claims.impossible} of {len(claims.rows)} rows cannot be as they stand", ""
    yield f"  test sets of {claims.name} {claims.version}, read in {claims.scale}s".replace("percents", "percent"), ""
    for column in claims.columns:
        share = f"an invented number passes with {column.by_chance:.0%}"
        yield f"  {printable(column.column)}: {column.items} items, {column.digits} decimals; {share}", "dim"
    for row in claims.rows:
        if not row.findings:
            continue
        yield f"{printable(row.name) or '(no name)'}, line {row.line}", "strong"
        for one in row.findings:
            mark, style = ("cannot be", "error") if one.impossible else ("odd", "warning")
            yield f"  {mark}: {one.code} {one.rule}, {printable(one.column)}: {printable(one.evidence)}", style
    yield "not checked", ""
    yield from ((f"  {printable(sentence)}", "") for sentence in claims.not_checked)
