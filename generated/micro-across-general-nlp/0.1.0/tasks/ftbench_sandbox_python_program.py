"""The program's side: loads the program, then answers what the judge asks of it. It decides nothing.

python3 program.py READ WRITE [FOLDER OF PACKAGES] < program
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # each import costs every program milliseconds
    from collections.abc import Sequence
    from typing import Any

    from ftbench.tasks.ftbench_sandbox_python_wire import Wire
else:
    from wire import Wire


def main() -> None:
    """Serve until the judge has no more questions; then this interpreter ends as any other."""
    source, sink, *packages = sys.argv[1:]
    with open(0, "rb", closefd=False) as stream:
        text = stream.read()
    os.close(0)
    os.open("/dev/null", os.O_RDONLY)  # the lowest number that is free: 0
    for name in ("program.pyc", "wire.pyc"):  # a program finds an empty folder
        os.unlink(name)  # noqa: PTH108 - pathlib would cost every program milliseconds
    sys.path[:1] = ["", *packages]
    sys.argv[1:] = []
    namespace: dict[str, Any] = {}
    wire = Wire(int(source), int(sink), _Server(text, namespace), judge=False)
    while (found := wire.receive(())) is not None:
        wire.serve(wire, found[1], found[2])


class _Server:
    def __init__(self, text: bytes, namespace: dict[str, Any]) -> None:
        self.text, self.namespace = text, namespace
        self.does: dict[str, Any] = {
            "load": self.load, "name": self.name, "call": self.call,
            "getattr": getattr, "setattr": setattr, "len": len, "iter": iter, "next": next,
            "item": lambda value, key: value[key], "setitem": lambda value, key, new: value.__setitem__(key, new),
        }  # fmt: skip

    def __call__(self, wire: Wire, root: Any, received: Sequence[tuple[Any, bytes]]) -> None:
        kind, *operands = root
        try:
            answer: tuple[str, Any] = ("value", self.does[kind](*operands))
        except BaseException as problem:
            answer = ("raise", problem)
        wire.answer(answer, received)

    def load(self) -> None:
        """By `exec` in an empty namespace, as the public harnesses do."""
        exec(compile(self.text.decode("utf-8"), "<program>", "exec", 0, True), self.namespace)  # noqa: S102

    def name(self, name: str) -> Any:
        found = self.namespace.get(name, self)
        if found is self:
            raise NameError(f"name {name!r} is not defined")
        return found

    @staticmethod
    def call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return function(*args, **kwargs)


if __name__ == "__main__":
    main()
