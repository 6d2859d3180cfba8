"""Python: the judge hears what a plain run would show, and no program makes it hear anything else."""

# ruff: noqa: E501 - programs are easier to read in few lines
from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from effort import times
from mutants import mutants, plain_python
from references import PYTHON

Run = Callable[..., dict[str, Any]]

TESTS = "assert add(1, 2) == 3\nassert add(5, 5) == 10\n"
WRONG = "def add(a, b):\n    return 4\n"

LIBRARY = """
import collections, datetime, decimal, enum, fractions
P = collections.namedtuple('P', 'x y')
class Colour(enum.IntEnum):
    RED = 3
class Text(str):
    pass
class Rows(list):
    pass
shared = [1]
loop = []
loop.append(loop)
values = {
    'none': None, 'true': True, 'zero': -0.0, 'nan': float('nan'), 'inf': float('inf'), 'large': 7 ** 5000,
    'text': 'é\\ud800\\n', 'bytes': b'\\xff', 'array': bytearray(b'ab'), 'complex': 1 - 2j, 'range': range(0, 9, 2),
    'nested': {'a': [(1, {2}), frozenset([3])], (1, 2): None}, 'counter': collections.Counter('aab'),
    'ordered': collections.OrderedDict([('b', 1), ('a', 2)]), 'default': collections.defaultdict(int, {1: 2}),
    'deque': collections.deque([1, 2], 2), 'decimal': decimal.Decimal('1.50'), 'fraction': fractions.Fraction(1, 3),
    'date': datetime.datetime(2020, 1, 2, 3), 'named': P(1, 2), 'enum': Colour.RED, 'own text': Text('x'),
    'own list': Rows([1]), 'type': int, 'keys': {'a': 1}.keys(), 'twice': [shared, shared], 'loop': loop,
    'error': ValueError('x', 1), 'ellipsis': ...,
}
def get(name):
    return values[name]
"""
LIBRARY_TESTS = """
import collections, datetime, decimal, fractions, math
assert get('none') is None and get('true') is True and math.copysign(1, get('zero')) == -1 and math.isnan(get('nan'))
assert get('inf') == math.inf and get('large') == 7 ** 5000 and get('text') == 'é\\ud800\\n' and get('bytes') == b'\\xff'
assert get('array') == bytearray(b'ab') and get('complex') == 1 - 2j and get('range') == range(0, 9, 2)
assert get('nested') == {'a': [(1, {2}), frozenset([3])], (1, 2): None}
assert get('counter') == collections.Counter('aab') and type(get('counter')) is collections.Counter
assert list(get('ordered')) == ['b', 'a'] and get('default')[7] == 0 and list(get('deque')) == [1, 2]
assert get('decimal') == decimal.Decimal('1.5') and get('fraction') * 3 == 1
assert get('date') == datetime.datetime(2020, 1, 2, 3) and get('named') == (1, 2) and get('enum') == 3
assert get('own text') == 'x' and get('own list') == [1] and get('type') is int and get('keys') == {'a'}
twice, loop = get('twice'), get('loop')
assert twice[0] is twice[1] and loop[0] is loop and get('error').args == ('x', 1) and get('ellipsis') is ...
"""


def test_plain_data_arrive_as_they_are(run: Run) -> None:
    outcome = run("python", LIBRARY, LIBRARY_TESTS)
    assert outcome["passed"], outcome


RIGHT = {
    "arguments changed in place": (
        "def add(rows, more, seen):\n    rows.sort()\n    rows.append(more)\n    seen.add(3)\n    more['b'] = rows\n"
        "    return rows\n",
        "a, b, c = [3, 1], {}, {1}\nd = add(a, b, c)\nassert d is a and a[:2] == [1, 3] and a[2] is b and b['b'] is a\n"
        "assert c == {1, 3}\n",
    ),
    "nested argument": ("def add(x):\n    x[0][0].clear()\n", "y = [[[1, 2]]]\nadd(y)\nassert y == [[[]]]\n"),
    "generator": ("def add(n):\n    yield from range(n)\n", "assert list(add(3)) == [0, 1, 2] and 2 in add(5)\n"),
    "infinite generator": ("import itertools\nadd = itertools.count\n", "g = add(1)\nassert next(g) + next(g) == 3\n"),
    "objects handed back": (
        "class Node:\n    def __init__(self, value):\n        self.value, self.left = value, None\n"
        "def add(node):\n    return node.value + (add(node.left) if node.left else 0)\n",
        "root = Node(1)\nroot.left = Node(2)\nroot.left.left = Node(3)\nassert add(root) == 6\n"
        "assert root.left.value == 2\n",
    ),
    "function of the tests": ("def add(f, xs):\n    return [f(x) for x in xs]\n", "assert add(abs, [-1]) == [1]\n"),
    "function that calls back": (
        "def add(f):\n    return f(1)\ndef twice(x):\n    return 2 * x\n",
        "assert add(lambda x: twice(x) + add(lambda y: y)) == 3\n",
    ),
    "expected exception": (
        "class Own(ValueError):\n    pass\ndef add(x):\n    if x:\n        raise Own('no')\n    return [][1]\n",
        "try:\n    add(1)\nexcept ValueError as error:\n    assert str(error) == 'no'\nelse:\n    assert False\n"
        "try:\n    add(0)\nexcept IndexError:\n    pass\nelse:\n    assert False\n",
    ),
    "module that the program imported": (
        "import math\ndef add(x):\n    return x\n",
        "assert add(math.pi) == math.pi\n",
    ),
    "doctest": (
        'import doctest\ndef add(a, b):\n    """\n    >>> add(1, 2)\n    3\n    """\n    return a + b\ndoctest.testmod()\n',
        TESTS,
    ),
    "a name of the library": ("def sum(a, b):\n    return a + b\n", "assert sum(1, 2) == 3\n"),
    "output, input, threads": (
        "import sys, threading\nprint('x' * 10**6)\ntry:\n    input()\nexcept EOFError:\n    pass\n"
        "def add(a, b):\n    t = threading.Thread(target=print)\n    t.start()\n    t.join()\n    sys.stdout = None\n"
        "    return a + b\n",
        TESTS,
    ),
    "a counter of its own": (
        "n = 0\ndef add():\n    global n\n    n += 1\n    return n\n",
        "add()\nassert add() == n == 2",
    ),
    "lambda, partial, class, callable object": (
        "import functools\nadd = functools.partial(lambda a, b: a + b, 1)\nclass S:\n    def __call__(self, x):\n"
        "        return [x]\n    @property\n    def p(self):\n        return 7\nf = S()\n",
        "assert add(2) == 3 and f(1) == [1] and S().p == 7\n",
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_programs_pass(run: Run, name: str) -> None:
    program, tests = RIGHT[name]
    outcome = run("python", program, tests, entry_point="sum" if name == "a name of the library" else "add")
    assert outcome["passed"], outcome


def test_helpers_of_the_prompt_are_the_judges_own(run: Run) -> None:
    """HumanEval/32's shape: the test asks a helper that the prompt defines; a program that replaces it gains nothing."""
    given = (
        'def poly(xs, x):\n    return sum(c * x**i for i, c in enumerate(xs))\n\n\ndef root(xs):\n    """ A root. """\n'
    )
    tests = "assert abs(poly([-6, 2], root([-6, 2]))) < 1e-9\n"
    right = run("python", given + "    return -xs[0] / xs[1]\n", tests, given=given, entry_point="root")
    assert right["passed"], right
    wrong = given + "    return 1\ndef poly(xs, x):\n    return 0\n"
    assert run("python", wrong, tests, given=given, entry_point="root")["status"] == "failed"


FORGE = (
    "import os\n"
    "def forged(root=b't2:s5:value' + b'i3;'):\n    body = b'A0;0;' + root\n    return b'%08x' % len(body) + body\n"
    "def shout(data):\n    for n in range(64):\n        try:\n            os.write(n, data)\n"
    "        except OSError:\n            pass\n"
)
"""Writes to every descriptor it has."""

HOSTILE: dict[str, tuple[str, tuple[str, ...]]] = {
    # Found by attack, with what each was told as before.
    "StopIteration raised": ("def add(a, b):\n    return next(iter([]))\n", ("failed",)),
    "StopIteration, by a generator expression": ("def add(a, b):\n    return next(x for x in [a] if x > b)\n", ("failed",)),
    "ctypes by another name": (
        WRONG + "import _imp, importlib.util as u\nspec = u.find_spec('_ctypes')\nspec.name = 'x._ctypes'\n"
        "_imp.create_dynamic(spec)\n",
        ("failed",),
    ),
    # Ends.
    "os._exit": ("import os\nos._exit(0)\n", ("ended",)),
    "sys.exit": ("import sys\nsys.exit(0)\n", ("failed",)),
    "sys.exit in the function": ("import sys\ndef add(a, b):\n    sys.exit(0)\n", ("failed",)),
    "os._exit in the function": ("import os\ndef add(a, b):\n    os._exit(0)\n", ("ended",)),
    "exec of another program": ("import os\nos.execv('/usr/bin/true', ['true'])\n", ("ended",)),
    "exec of another program in the function": (
        "import os\ndef add(a, b):\n    os.execv('/usr/bin/true', ['true'])\n",
        ("ended",),
    ),
    "killed": ("import os, signal\ndef add(a, b):\n    os.kill(os.getpid(), 9)\n", ("killed", "ended")),
    "everything at exit": ("import atexit, os\natexit.register(os._exit, 0)\n" + WRONG, ("failed",)),
    "a failing exit": ("import atexit, os\natexit.register(os._exit, 3)\ndef add(a, b):\n    return a + b\n", ("failed",)),
    "excepthook": ("import os, sys\nsys.excepthook = lambda *_: os._exit(0)\n1 / 0\n", ("failed",)),
    "the child goes on": ("import os\nif os.fork():\n    os.wait()\n    os._exit(0)\n" + WRONG, ("failed", "ended")),
    "the child answers wrong": (
        "import os\nif os.fork() == 0:\n    os._exit(0)\n" + WRONG + "os.fork()\n",
        ("failed", "ended"),
    ),
    # Values that lie.
    "equal to all": ("class A:\n    def __eq__(self, o):\n        return True\ndef add(a, b):\n    return A()\n", ("not-plain",)),
    "equal to all, a number": (
        "class A(int):\n    def __eq__(self, o):\n        return True\n    __hash__ = None\ndef add(a, b):\n    return A(4)\n",
        ("failed",),
    ),
    "equal to all, by its class": (
        "class M(type):\n    def __eq__(self, o):\n        return True\n    __hash__ = type.__hash__\n"
        "class A(metaclass=M):\n    pass\ndef add(a, b):\n    return A\n",
        ("not-plain",),
    ),
    "a list that compares": ("class A(list):\n    __eq__ = lambda s, o: True\ndef add(a, b):\n    return A()\n", ("failed",)),
    "says that it is int": ("class A:\n    __class__ = int\n    __eq__ = lambda s, o: True\ndef add(a, b):\n    return A()\n",
                            ("not-plain", "failed")),
    "named as a library class": (
        "class Decimal:\n    __eq__ = lambda s, o: True\nDecimal.__module__ = 'decimal'\ndef add(a, b):\n    return Decimal()\n",
        ("not-plain",),
    ),
    "a type that is none": ("class int:\n    __eq__ = lambda s, o: True\ndef add(a, b):\n    return int()\n", ("not-plain",)),
    "a module": ("import sys\nclass A(type(sys)):\n    __eq__ = lambda s, o: True\ndef add(a, b):\n    return A('x')\n",
                 ("not-plain",)),
    "a remote method": (
        "class A:\n    def __getattr__(self, name):\n        return lambda *a: True\ndef add(a, b):\n    return A()\n",
        ("not-plain",),
    ),
    # What the tests use, replaced.
    "builtins": (WRONG + "import builtins\nbuiltins.AssertionError = type('A', (), {})\nbuiltins.int = str\n", ("failed", "ended")),
    "assertion error": (WRONG + "AssertionError = StopIteration\n", ("failed",)),
    "integers": (WRONG + "import gc\nfor o in gc.get_objects():\n    if type(o) is dict:\n        o.pop('failed', None)\n",
                 ("failed", "ended")),
    "the tests' frames": (
        WRONG + "import sys\ndef add(a, b):\n    f = sys._getframe()\n    while f:\n        for v in f.f_locals.values():\n"
        "            if isinstance(v, str) and 'assert' in v:\n                return 3 if '3' in v else 10\n"
        "        f = f.f_back\n    return 4\n",
        ("failed",),
    ),
    "settrace": (WRONG + "import sys\nsys.settrace(lambda *a: (lambda *b: None))\n", ("failed",)),
    # The pipe.
    "answers forged before": (FORGE + WRONG + "shout(forged() * 50)\n", ("failed", "ended")),
    "answers forged in the function": (FORGE + "def add(a, b):\n    shout(forged() * 3)\n    return 4\n", ("failed", "ended")),
    "verdict forged": (FORGE + WRONG + "shout(b'passed\\n')\n", ("ended", "failed")),
    "verdict forged, then gone": (FORGE + "shout(b'passed\\n')\nos._exit(0)\n", ("ended",)),
    "rubbish": (FORGE + WRONG + "shout(os.urandom(4096))\n", ("ended", "failed")),
    "a length without end": (FORGE + WRONG + "shout(b'ffffffff')\n", ("ended",)),
    "an exception as no exception": (FORGE + "def add(a, b):\n    shout(forged(b't2:s5:raise' + b'i3;'))\n    return 4\n",
                                     ("failed", "ended")),
    "a class by name": (
        FORGE + "def add(a, b):\n    shout(forged(b't2:s5:value' + b'yt1:s5:print'))\n    return 4\n",
        ("ended", "failed"),
    ),
    "callback of nobody": (
        FORGE + "def add(a, b):\n    body = b'Q0;0;t4:s8:callbacki0;t0:N'\n    shout(b'%08x' % len(body) + body)\n    return 4\n",
        ("failed", "ended"),
    ),
    "reads the questions": (
        "import os\ndef add(a, b):\n    for n in range(3, 64):\n        try:\n            os.set_blocking(n, False)\n"
        "            if os.read(n, 1 << 16):\n                return 3\n        except OSError:\n            pass\n    return 4\n",
        ("failed", "ended"),
    ),
    "closes everything": ("import os\ndef add(a, b):\n    os.closerange(0, 256)\n", ("ended", "failed")),
    "closes its input": ("import os\nos.closerange(3, 4)\n" + WRONG, ("ended", "failed")),
    # The judge, worn out.
    "nested too deep": ("def add(a, b):\n    x = ()\n    for _ in range(10**5):\n        x = (x,)\n    return x\n",
                        ("not-plain", "ended", "killed", "failed")),
    "a list of lists without end": ("def add(a, b):\n    x = []\n    x.append(x)\n    return x\n", ("failed",)),
    "larger than a message": ("def add(a, b):\n    return b'x' * (65 << 20)\n", ("not-plain", "failed", "memory")),
    "a range that the judge walks": ("def add(a, b):\n    return range(10**12)\n", ("failed",)),
    "an error with odd arguments": (
        "class E(Exception):\n    __str__ = lambda s: 1 / 0\ndef add(a, b):\n    raise E\n", ("failed", "ended", "not-plain")
    ),
    "an exception group": ("def add(a, b):\n    raise BaseExceptionGroup('x', [SystemExit(0)])\n", ("failed",)),
    "a generator that never ends": ("def add(a, b):\n    while True:\n        yield 3\n", ("not-plain",)),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_programs_fail(run: Run, name: str) -> None:
    program, statuses = HOSTILE[name]
    outcome = run("python", program, TESTS, entry_point="add")
    assert outcome["status"] in statuses, outcome


def test_tests_that_swallow_everything_do_not_hide_it(run: Run) -> None:
    tests = "try:\n    assert add(1, 2) == 3\nexcept BaseException:\n    pass\n"
    program = "class A:\n    pass\ndef add(a, b):\n    return A()\n"
    assert run("python", program, tests)["status"] == "not-plain"
    assert run("python", "import os\ndef add(a, b):\n    os._exit(0)\n", tests)["status"] == "ended"


def test_what_a_program_writes_is_no_verdict(run: Run) -> None:
    """And honest chatter on any stream changes nothing."""
    assert run("python", "print('passed')\ndef add(a, b):\n    print('failed')\n    return a + b\n", TESTS)["passed"]


def test_packages_are_those_of_the_spec(run: Run) -> None:
    import numpy

    program = "import numpy as np\ndef add(a, b):\n    return np.add(a, b)\n"
    assert run("python", program, TESTS)["status"] == "failed"
    here = f"numpy=={numpy.__version__.partition('+')[0]}"
    assert run("python", program, TESTS, packages=[here], memory_mib=1024)["passed"]
    rows = "import numpy as np\ndef add(n):\n    return np.arange(n)\n"
    tests = "assert list(add(3)) == [0, 1, 2] and add(3).sum() == 3\n"
    assert run("python", rows, tests, packages=[here], memory_mib=1024)["passed"]
    assert run("python", rows, "assert add(3) == 3\n", packages=[here], memory_mib=1024)["status"] == "not-plain"


@pytest.mark.parametrize(
    ("packages", "says"),
    [
        (["numpy==0.0.1"], "is installed where the benchmark has 0.0.1"),
        (["no-such-package==1"], "pip install no-such-package==1"),
        (["numpy"], "NAME==VERSION"),
        ("numpy==2", "NAME==VERSION"),
    ],
)
def test_packages_that_are_not_here_are_refused(packages: Any, says: str) -> None:
    from ftbench.tasks import ftbench_sandbox

    job = {"language": "python", "program": "", "tests": "", "packages": packages}
    outcome = ftbench_sandbox.run(job)
    assert (outcome["status"], says in outcome["reason"]) == ("refused", True), outcome


def _agree(run: Run, count: int, seed: int) -> None:
    dice = random.Random(seed)
    jobs = [
        {**problem, "program": text}
        for problem in (dice.choice(PYTHON) for _ in range(count))
        for text in mutants(problem["program"], problem["given"], dice, 1)
    ]

    def both(job: dict[str, str]) -> tuple[bool, bool]:
        texts = {key: job[key] for key in ("given", "entry_point")}
        outcome = run("python", job["program"], job["tests"], **texts, cpu_seconds=1.0)
        return outcome["passed"], plain_python(job, 1.0)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(both, jobs))
    assert [job for job, (ours, plain) in zip(jobs, found, strict=True) if ours != plain] == []
    assert {True, False} <= {ours for ours, _ in found}


def test_references_pass(run: Run) -> None:
    for problem in PYTHON:
        texts = {key: problem[key] for key in ("given", "entry_point")}
        outcome = run("python", problem["program"], problem["tests"], **texts)
        assert outcome["passed"], (problem["name"], outcome)


def test_mutants_agree_with_a_plain_interpreter(run: Run) -> None:
    _agree(run, 40, 1)


@pytest.mark.slow
def test_many_mutants_agree_with_a_plain_interpreter(run: Run) -> None:
    _agree(run, times(500, 2000), 2)
