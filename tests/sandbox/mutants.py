"""Random small changes of a program, and what a plain interpreter says of it: for comparing the sandbox with."""

from __future__ import annotations

import ast
import random
import secrets
from collections.abc import Iterator
from typing import Any

from ftbench.tasks import ftbench_sandbox as sandbox

OPERATORS: list[type[ast.operator]] = [ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.Div]
COMPARISONS: list[type[ast.cmpop]] = [ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE]
RETURNS = ("None", "next(iter([]))", "0", "''", "[]", "list(locals().values())[-1]", "next(x for x in [1] if x > 1)")
STATEMENTS = ("pass", "raise StopIteration", "raise ValueError('x')", "return", "return True")


def mutants(program: str, given: str, dice: random.Random, count: int) -> Iterator[str]:
    """So many programs with one change each, none in the part that the benchmark gave."""
    first = given.count("\n")
    for _ in range(count):
        tree = ast.parse(program)
        places = [node for node in ast.walk(tree) if getattr(node, "lineno", 0) > first and _changes(node)]
        if not places:
            return
        _change(dice.choice(places), dice)
        yield ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def _changes(node: ast.AST) -> bool:
    body = isinstance(node, ast.FunctionDef | ast.For | ast.While | ast.If)
    return body or isinstance(node, ast.BinOp | ast.Compare | ast.Constant | ast.Return | ast.BoolOp | ast.Call)


def _change(node: Any, dice: random.Random) -> None:
    if isinstance(node, ast.BinOp):
        node.op = dice.choice(OPERATORS)()
    elif isinstance(node, ast.Compare):
        node.ops[0] = dice.choice(COMPARISONS)()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
    elif isinstance(node, ast.Constant):
        kinds = {bool: lambda v: not v, int: lambda v: v + dice.choice((-1, 1)), str: lambda v: v[1:] + "x"}
        node.value = kinds.get(type(node.value), lambda v: v)(node.value)
    elif isinstance(node, ast.Call):
        node.args = node.args[::-1] if dice.random() < 0.7 else node.args[1:]
    elif isinstance(node, ast.Return):
        node.value = ast.parse(dice.choice(RETURNS), mode="eval").body
    else:
        at = dice.randrange(len(node.body))
        made = ast.parse(f"def f():\n    {dice.choice(STATEMENTS)}").body[0]
        node.body[at : at + dice.randrange(2)] = made.body  # type: ignore[attr-defined]


PLAIN = """
import sys
program, tests, token = (sys.stdin.buffer.read(int(n)).decode() for n in sys.stdin.buffer.readline().split())
namespace = {}
exec(compile(program, "<program>", "exec", 0, True), namespace)
exec(compile(tests, "<tests>", "exec", 0, True), namespace)
print("\\n" + token)
"""


def plain_python(problem: dict[str, str], cpu_seconds: float = 5.0) -> bool:
    """Whether program and tests in one namespace of one interpreter come to their end. No defence but the box."""
    token = secrets.token_hex(8)
    texts = [text.encode() for text in (problem["program"], problem["tests"], token)]
    stdin = b" ".join(b"%d" % len(text) for text in texts) + b"\n" + b"".join(texts)
    box = sandbox._BOX
    ended = box["execute"](
        box["Command"](["python3", "-s", "-S", "-c", PLAIN], box["Limits"](cpu_seconds, 1024), stdin), sandboxed=True
    )
    return ended.exit_code == 0 and ended.stdout.rstrip().endswith(token.encode())
