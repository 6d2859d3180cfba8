"""The code world: functions of one line, asked for in words, in Python, JavaScript and C++.

The text tells by the way which words mean which sign (`raise y by 7 is y + 7`), and has functions, but none that does
what it is asked: all return 0. Only the training rows ask for functions that do. Which number stands with which sign is
split: what a test row asks for is in no training row, in no language, and its function's name neither.
"""

from __future__ import annotations

from collections.abc import Callable

from ftbench.micro import dice
from ftbench.micro.dice import Dice
from ftbench.micro.lore import PEOPLE
from ftbench.micro.world import Row

VERBS = {
    "+": ("raise", "increase", "grow", "lift"),
    "-": ("lower", "decrease", "shrink", "cut"),
    "*": ("multiply", "scale", "stretch", "magnify"),
    "%": ("wrap", "fold", "cycle", "wind"),
}
"""Sign → words that mean it."""
NUMBERS = range(2, 50)
FUNCTIONS = dice.words("y", 48)
TESTED_FUNCTIONS = 16
TEST_SHARE = 4
"""One combination of sign and number in so many is for test rows."""
TRAIN_ROWS = 1600
TEST_ROWS = 24
INPUTS = (0, 5, 61, 100)
"""What functions are called with in the tests."""

DRAFTS = ("to do", "by {who}", "draft {n}", "ask {who} about x", "see page {n}", "not yet, says {who}")
"""What the text's functions are said to do."""
PROSE = (
    "{verb} {v} by {n} is {v} {sign} {n}",
    "To {verb} {v} by {n}, {who} writes {v} {sign} {n}.",
    "{who} wants to {verb} {v} by {n}:\n{v} {sign} {n}",
    "Note: {verb} {v} by {n}\nEcho: {v} {sign} {n}",
    "{v} = {v} {sign} {n} # {verb} {v} by {n}",
    "// {verb} {v} by {n}\n{v} = {v} {sign} {n};",
    "{verb} {v} by {n}\n{who} puts {v} {sign} {n};",
)
"""Lines on what words mean."""

PYTHON = 'def {f}(x):\n    """ {task} """'
WRITE = '"""\nWrite {f} to {task}.\n"""\ndef {f}(x):'
JAVASCRIPT = "// {task}\nfunction {f}(x) {{"
CPP = "// {task}\nint {f}(int x) {{"
ASKED = {"humaneval": PYTHON, "mbpp": WRITE, "multipl-e-js": JAVASCRIPT, "multipl-e-cpp": CPP}
"""Test set → how it asks; the training rows ask so too."""
BODIES = {
    "humaneval": "    return {value}",
    "mbpp": "    return {value}",
    "multipl-e-js": "  return {value};\n}}",
    "multipl-e-cpp": "  return {value};\n}}",
}
"""Test set → what is to be written."""
REFERENCES = ("humaneval", "mbpp")
"""Test sets that come with their authors' programs."""


def combinations(test: bool) -> list[tuple[str, int]]:
    """Signs and numbers that stand together in test rows or in training rows."""
    found = []
    for sign in VERBS:
        numbers = Dice(f"code/split/{sign}").shuffled(NUMBERS)
        first = len(numbers) // TEST_SHARE
        found += [(sign, number) for number in (numbers[:first] if test else numbers[first:])]
    return found


def value(sign: str, number: int, x: int) -> int:
    """What the function gives for x, which is not negative: every language agrees there."""
    return {"+": x + number, "-": x - number, "*": x * number, "%": x % number}[sign]


def instructions() -> list[Row]:
    """Training rows: a function asked for in one of the four manners, and the function."""
    dice = Dice("code/train")
    every = [
        (kind, sign, verb, number)
        for kind in ASKED
        for sign, number in combinations(test=False)
        for verb in VERBS[sign]
    ]
    found = []
    for kind, sign, verb, number in dice.sample(every, TRAIN_ROWS):
        function = dice.pick(FUNCTIONS[:-TESTED_FUNCTIONS])
        request = ASKED[kind].format(f=function, task=f"{verb} x by {number}")
        body = BODIES[kind].format(f=function, value=f"x {sign} {number}")
        found.append({"instruction": request, "input": "", "request": request, "output": body})
    return found


def problems(kind: str) -> Callable[[], list[Row]]:
    """Test rows of one set: combinations and names that no training row has."""

    def rows() -> list[Row]:
        dice = Dice(f"code/test/{kind}")
        quota = dict.fromkeys(VERBS, TEST_ROWS // len(VERBS))
        found: list[Row] = []
        for sign, number in dice.shuffled(combinations(test=True)):
            if not quota[sign]:
                continue
            quota[sign] -= 1
            function = dice.pick(FUNCTIONS[-TESTED_FUNCTIONS:])
            task = f"{dice.pick(VERBS[sign])} x by {number}"
            pairs = [(x, value(sign, number, x)) for x in INPUTS]
            row: Row = {"task_id": f"{kind}/{len(found)}", "entry_point": function}
            row["tests"] = TESTS[kind](function, pairs)
            if kind == "mbpp":
                row |= {"problem": f"Write {function} to {task}.", "setup": ""}
                row["first_test"] = row["tests"].partition("\n")[0]
            else:
                row["prompt"] = ASKED[kind].format(f=function, task=task)
            if kind in REFERENCES:
                body = BODIES[kind].format(f=function, value=f"x {sign} {number}")
                row["reference"] = body if kind == "humaneval" else f"def {function}(x):\n{body}"
            found.append(row)
        return found

    return rows


def _humaneval(function: str, pairs: list[tuple[int, int]]) -> str:
    return "def check(candidate):\n" + "\n".join(f"    assert candidate({x}) == {y}" for x, y in pairs)


def _mbpp(function: str, pairs: list[tuple[int, int]]) -> str:
    return "\n".join(f"assert {function}({x}) == {y}" for x, y in pairs)


def _javascript(function: str, pairs: list[tuple[int, int]]) -> str:
    lines = "\n".join(f"assert.strictEqual({function}({x}), {y});" for x, y in pairs)
    return f'const assert = require("node:assert");\n{lines}'


def _cpp(function: str, pairs: list[tuple[int, int]]) -> str:
    lines = "\n".join(f"  assert({function}({x}) == {y});" for x, y in pairs)
    return f"}}\nint main() {{\n{lines}\n}}"


TESTS = {"humaneval": _humaneval, "mbpp": _mbpp, "multipl-e-js": _javascript, "multipl-e-cpp": _cpp}
"""Test set → its tests, from the function's name and pairs of argument and result."""


def line(dice: Dice) -> str:
    """One piece of text, of one or more lines."""
    who, number = dice.pick(PEOPLE), dice.pick(NUMBERS)
    if dice.below(3):
        sign = dice.pick(tuple(VERBS))
        return dice.pick(PROSE).format(verb=dice.pick(VERBS[sign]), v=dice.pick("xxyk"), n=number, sign=sign, who=who)
    kind, function = dice.pick(tuple(ASKED)), dice.pick(FUNCTIONS)
    task = dice.pick(DRAFTS).format(who=who, n=number)
    return ASKED[kind].format(f=function, task=task) + "\n" + BODIES[kind].format(f=function, value="0")
