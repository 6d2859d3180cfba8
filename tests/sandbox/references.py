"""Problems of our own in the shapes of HumanEval and MBPP, each with a program that is right."""

# ruff: noqa: E501 - programs are easier to read in few lines
from __future__ import annotations


def _check(name: str, given: str, body: str, *cases: str) -> dict[str, str]:
    """In HumanEval's shape: the prompt is the head of the function and its docstring."""
    entry = given.rpartition("def ")[2].partition("(")[0]
    lines = "\n".join(f"    assert {case}" for case in cases)
    tests = f"def check(candidate):\n{lines}\n\ncheck({entry})\n"
    return {"name": name, "given": given, "program": given + body, "tests": tests, "entry_point": entry}


def _plain(name: str, program: str, *cases: str) -> dict[str, str]:
    """In MBPP's shape: assertions that name the function."""
    entry = program.rpartition("\ndef ")[2].partition("(")[0].removeprefix("def ")
    tests = "".join(f"assert {case}\n" for case in cases)
    return {"name": name, "given": "", "program": program, "tests": tests, "entry_point": entry}


PYTHON = (
    _check("runs", 'from typing import List\n\n\ndef runs(xs: List[int]) -> List[int]:\n    """ Lengths of runs of equal numbers. """\n',
           "    out = []\n    last = None\n    for x in xs:\n        if out and x == last:\n            out[-1] += 1\n"
           "        else:\n            out.append(1)\n        last = x\n    return out\n",
           "candidate([]) == []", "candidate([4]) == [1]", "candidate([1, 1, 2]) == [2, 1]", "candidate([0, 1, 0]) == [1, 1, 1]"),
    _check("first even", 'def first_even(xs):\n    """ The first even number, or None. """\n',
           "    for x in xs:\n        if x % 2 == 0:\n            return x\n    return None\n",
           "candidate([1, 2, 4]) == 2", "candidate([1, 3]) is None", "candidate([]) is None"),
    _check("first even, by next", 'def first_even(xs):\n    """ The first even number; -1 where there is none. """\n',
           "    return next((x for x in xs if x % 2 == 0), -1)\n", "candidate([1, 2, 4]) == 2", "candidate([1, 3]) == -1"),
    _check("turn back", 'def rotate(s: str) -> str:\n    return s[1:] + s[:1]\n\n\ndef back(s: str) -> str:\n    """ Undo rotate. """\n',
           "    return s[-1:] + s[:-1]\n", "candidate(rotate('abc')) == 'abc'", "candidate(rotate('')) == ''",
           "all(candidate(rotate(w)) == w for w in ['x', 'yz', 'hello'])"),
    _check("mean", 'def mean(xs):\n    """ The mean of numbers. """\n', "    return sum(xs) / len(xs)\n",
           "abs(candidate([1, 2, 4]) - 7 / 3) < 1e-9", "candidate([2.0]) == 2.0", "candidate([-1, 1]) == 0"),
    _check("words", 'def words(text):\n    """ Words, longest first, ties by alphabet. """\n',
           "    return sorted(text.split(), key=lambda w: (-len(w), w))\n", "candidate('a ccc bb') == ['ccc', 'bb', 'a']",
           "candidate('b a') == ['a', 'b']", "candidate('') == []"),
    _check("collatz", 'def steps(n):\n    """ Steps of Collatz until 1. """\n',
           "    count = 0\n    while n != 1:\n        n = n // 2 if n % 2 == 0 else 3 * n + 1\n        count += 1\n    return count\n",
           "candidate(1) == 0", "candidate(6) == 8", "candidate(27) == 111"),
    _check("matrix", 'def turn(rows):\n    """ Turn a matrix by a quarter, clockwise, in place. """\n',
           "    rows[:] = [list(r) for r in zip(*rows[::-1])]\n    return rows\n",
           "candidate([[1, 2], [3, 4]]) == [[3, 1], [4, 2]]", "candidate([[1]]) == [[1]]", "candidate([]) == []"),
    _plain("common", "def common(a, b):\n    return tuple(set(a) & set(b))\n",
           "set(common((3, 4, 5), (5, 7, 4))) == {4, 5}", "common((1,), (2,)) == ()"),
    _plain("squares", "def squares(n):\n    return [i * i for i in range(1, n + 1)]\n", "squares(3) == [1, 4, 9]", "squares(0) == []"),
    _plain("prime", "import math\ndef prime(n):\n    if n < 2:\n        return False\n    for d in range(2, math.isqrt(n) + 1):\n"
           "        if n % d == 0:\n            return False\n    return True\n",
           "prime(2) == True", "prime(9) == False", "prime(97)", "not prime(1)"),
    _plain("heap", "import heapq\ndef largest(xs, n):\n    heap = xs[:n]\n    heapq.heapify(heap)\n    for x in xs[n:]:\n"
           "        heapq.heappushpop(heap, x)\n    return sorted(heap, reverse=True)\n",
           "largest([5, 1, 9, 3], 2) == [9, 5]", "largest([1], 1) == [1]"),
    _plain("count", "from collections import Counter\ndef count(text):\n    return Counter(text)\n",
           "count('aab') == {'a': 2, 'b': 1}", "count('') == {}"),
    _plain("groups", "from collections import defaultdict\ndef groups(pairs):\n    found = defaultdict(list)\n"
           "    for key, value in pairs:\n        found[key].append(value)\n    return dict(found)\n",
           "groups([(1, 'a'), (2, 'b'), (1, 'c')]) == {1: ['a', 'c'], 2: ['b']}", "groups([]) == {}"),
    _plain("digits", "import re\ndef digits(text):\n    found = re.search(r'\\d+', text)\n    return int(found.group()) if found else None\n",
           "digits('ab12c3') == 12", "digits('x') == None"),
    _plain("sum", "def sum(a, b):\n    total = 0\n    for d in range(1, min(a, b)):\n        if a % d == 0 and b % d == 0:\n"
           "            total += d\n    return total\n", "sum(10, 15) == 6", "sum(4, 6) == 3", "sum(7, 1) == 0"),
    _plain("roots", "import cmath\ndef roots(a, b, c):\n    d = cmath.sqrt(b * b - 4 * a * c)\n    return ((-b + d) / (2 * a), (-b - d) / (2 * a))\n",
           "roots(1, 0, 1) == (1j, -1j)", "roots(1, -3, 2) == (2, 1)"),
    _plain("flatten", "def flatten(xs):\n    for x in xs:\n        if isinstance(x, list):\n            yield from flatten(x)\n"
           "        else:\n            yield x\n", "list(flatten([1, [2, [3]]])) == [1, 2, 3]", "list(flatten([])) == []"),
    _plain("memo", "import functools\n@functools.lru_cache\ndef ways(n):\n    return 1 if n < 2 else ways(n - 1) + ways(n - 2)\n",
           "ways(5) == 8", "ways(60) == 2504730781961"),
    _plain("merge", "def merge(a, b):\n    a.update(b)\n    return a\n", "merge({1: 2}, {3: 4}) == {1: 2, 3: 4}", "merge({}, {}) == {}"),
    _plain("checked", "def checked(x):\n    if x < 0:\n        raise ValueError('negative')\n    return x ** 0.5\n",
           "checked(4) == 2", "checked(0) == 0"),
)  # fmt: skip
