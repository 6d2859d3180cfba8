"""The judge's side: runs the tests, in a process that never runs the program, and alone can say how they ended.

    python3 judge.py READ WRITE VERDICT [FOLDER OF PACKAGES] < lengths, then entry point, given text and tests

Names in the tests are looked up in this order: what the tests define; what the given text defines (helpers that a
prompt brings along), except the entry point; the entry point, which is the program's whatever else has its name; the
judge's own builtins; any other name is asked of the program.
"""

from __future__ import annotations

import builtins
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # each import costs every program milliseconds
    from collections.abc import Sequence
    from types import CodeType
    from typing import Any

    from ftbench.tasks.ftbench_sandbox_python_wire import Ended, Handle, NotPlain, Wire
else:
    from wire import Ended, Handle, NotPlain, Wire


class Names(dict["str", "Any"]):
    """Builtins that ask the program for names that nobody else has."""

    wire: Wire

    def __missing__(self, name: str) -> Any:
        if name in sys.stdlib_module_names and _is_module(self.wire.ask("name", name)):
            return __import__(name)  # what the program has imported the judge takes from its own library
        return self.wire.ask("name", name)


def _is_module(value: Any) -> bool:
    return type(value) is Handle and value._kind == "module"


def main() -> None:
    """Write the verdict: a status and a reason in a line."""
    source, sink, verdict, *packages = sys.argv[1:]
    with open(0, "rb", closefd=False) as stream:
        head, _, data = stream.read().partition(b"\n")
    sys.path[:1] = packages
    parts, at = [], 0
    for length in map(int, head.split()):
        parts.append(data[at : at + length].decode("utf-8", "replace"))
        at += length
    wire = Wire(int(source), int(sink), _serve, judge=True)
    status, reason = "failed", ""
    try:
        _judge(wire, *parts)
        status = "passed"
    except Ended:
        status = "ended"
    except NotPlain as problem:
        status, reason = "not-plain", str(problem)
    except BaseException as problem:
        reason = f"{type(problem).__name__}: {problem}"
    # Whatever a test caught, these have happened.
    if wire.gone:
        status, reason = "ended", ""
    elif wire.odd:
        status, reason = "not-plain", wire.odd
    line = " ".join(f"{status} {reason}".split())[:300]
    os.write(int(verdict), line.encode("utf-8", "replace") + b"\n")


def _judge(wire: Wire, entry_point: str, given: str, tests: str) -> None:
    names = Names(vars(builtins))
    names.wire = wire
    namespace: dict[str, Any] = {"__builtins__": names}
    code = compile(tests, "<tests>", "exec", 0, True)
    helpers = _helpers(given)
    wire.ask("load")
    if helpers is not None:
        exec(helpers, namespace)  # noqa: S102 - the benchmark's own text
    if entry_point:
        namespace.pop(entry_point, None)
        namespace |= _found(wire, entry_point)
    exec(code, namespace)  # noqa: S102


def _found(wire: Wire, name: str) -> dict[str, Any]:
    """The program's value of a name; nothing where it has none, so that a test that uses it fails."""
    try:
        return {name: wire.ask("name", name)}
    except NameError:
        return {}


def _helpers(given: str) -> CodeType | None:
    """The given text as code. It may end in the head of a function, which is made whole: nobody calls it here."""
    for end in ("", " pass\n", "\n    pass\n"):
        try:
            return compile(given + end, "<given>", "exec", 0, True)
        except (SyntaxError, ValueError):
            continue
    return None


def _serve(wire: Wire, root: Any, received: Sequence[tuple[Any, bytes]]) -> None:
    """Call a function of the tests that they handed to the program: the only thing it can ask for."""
    kind, number, args, kwargs = root
    try:
        if kind != "callback":
            raise ValueError(kind)
        answer: tuple[str, Any] = ("value", wire.kept[number](*args, **kwargs))
    except Exception as problem:
        answer = ("raise", problem)
    wire.answer(answer, received)


if __name__ == "__main__":
    main()
