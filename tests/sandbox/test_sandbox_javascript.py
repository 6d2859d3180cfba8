"""JavaScript in the sandbox: verdicts are a plain run's, for all that is plain data, and no program gets round them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from effort import times
from javascript_cases import CASES, VALUES
from javascript_programs import PROBLEMS, multipl_e, mutants, plain_javascript

Run = Callable[..., dict[str, Any]]

ASSERT = "const assert = require('node:assert');\n"


THIRDS = pytest.mark.parametrize("third", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
"""Of what there is to try; the fast tests try one."""


def _all(work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(work, items))


@THIRDS
def test_right_programs_pass_and_wrong_ones_fail(run: Run, third: int) -> None:
    names = list(PROBLEMS)[third::3]

    def outcomes(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
        program, pairs = PROBLEMS[name]
        wrong = [*pairs[:-1], (pairs[-1][0], f"[{pairs[-1][1]}, 0]")]
        job = {"entry_point": name}
        return (
            run("javascript", program, multipl_e(name, pairs), **job),
            run("javascript", program, multipl_e(name, wrong), **job),
        )

    for name, (right, wrong) in zip(names, _all(outcomes, names), strict=True):
        assert right["passed"], (name, right)
        assert (wrong["status"], wrong["exit_code"]) == ("failed", 0), (name, wrong)
        assert wrong["reason"].startswith("AssertionError"), (name, wrong)


def test_plain_data_cross_both_ways(run: Run) -> None:
    values = [value.strip() for value in VALUES.strip().replace("\n", "|").split("|")]
    listed = "".join(f"() => {value},\n" for value in values)
    program = (
        f"const values = [\n{listed}];\nconst {{ isDeepStrictEqual }} = require('util');\n"
        "const give = (i) => values[i](), same = (x) => x, equal = (x, i) => isDeepStrictEqual(x, values[i]());\n"
    )
    tests = ASSERT + "".join(
        f"assert.deepStrictEqual(give({i}), {value}); assert.deepEqual(give({i}), {value});\n"
        f"assert.deepStrictEqual(same({value}), {value}); assert(equal({value}, {i}), '{i}');\n"
        for i, value in enumerate(values)
    )
    outcome = run("javascript", program, tests)
    assert outcome["passed"], outcome
    assert plain_javascript(program, tests)


@THIRDS
def test_cases(run: Run, third: int) -> None:
    names = list(CASES)[third::3]

    def outcome(name: str) -> dict[str, Any]:
        program, tests, _ = CASES[name]
        return run("javascript", program, ASSERT + tests, entry_point="f")

    for name, found in zip(names, _all(outcome, names), strict=True):
        assert found["passed"] == CASES[name][2], (name, found)


@pytest.mark.slow
def test_cases_are_as_in_a_plain_run() -> None:
    found = _all(lambda name: plain_javascript(CASES[name][0], ASSERT + CASES[name][1]), CASES)
    assert [name for name, passed in zip(CASES, found, strict=True) if passed != CASES[name][2]] == []


def test_what_the_program_patches_is_its_own_affair(run: Run) -> None:
    """Neither do its patches reach the tests, nor do they keep a right program from being served."""
    program = """
const fs = require("fs"), { types } = require("util"), assert_ = require("assert");
Array.prototype.map = () => []; Array.prototype.push = null; Array.prototype[Symbol.iterator] = null;
JSON.stringify = JSON.parse = () => "x"; Map.prototype.get = Map.prototype.set = () => 1;
Object.prototype.toJSON = () => 3; String.prototype.split = String.prototype.slice = null;
Object.defineProperty = Object.keys = Reflect.apply = Function.prototype.call = Function.prototype.apply = null;
RegExp.prototype.exec = Buffer.from = Number.isSafeInteger = Symbol.keyFor = null;
globalThis.Map = globalThis.Error = globalThis.Set = globalThis.Reflect = 1;
fs.readSync = fs.writeSync = () => 0; types.isMap = () => true; assert_.deepStrictEqual = assert_.ok = () => {};
function f(a) { a[0] = [{ x: 1 }]; return a; }
"""
    right = ASSERT + "assert.deepStrictEqual(f([1]), [[{ x: 1 }]]); assert([2].map((x) => x)[0] === 2);"
    outcome = run("javascript", program, right)
    assert outcome["passed"], outcome
    assert run("javascript", program, ASSERT + "assert.deepStrictEqual(f([1]), [[{ x: 2 }]]);")["status"] == "failed"


@pytest.mark.parametrize("name", ["isNaN", "structuredClone", "eval2", "sum", "Map"])
def test_the_entry_point_is_the_programs(run: Run, name: str) -> None:
    program, tests = f"function {name}(x) {{ return x + 1 }}\n", ASSERT + f"assert.strictEqual({name}(1), 2);\n"
    assert run("javascript", program, tests, entry_point=name)["passed"]
    assert run("javascript", "", tests, entry_point=name)["status"] == "failed"


def test_other_names_of_the_library_are_the_tests_own(run: Run) -> None:
    program = "Object.keys = () => []; function parseInt() { return 7 } var Math = { max: () => 7 }; function f() {}"
    tests = ASSERT + "f(); assert.deepEqual([parseInt('1'), Math.max(1, 2), Object.keys({ a: 1 })], [1, 2, ['a']]);"
    outcome = run("javascript", program, tests, entry_point="f")
    assert outcome["passed"], outcome


# Each is wrong or says that it is not: status, a part of the reason, program.
WRONG = "function add(a, b) { return 4 }\n"
TESTS = multipl_e("add", [("1, 2", "3"), ("5, 5", "10")])
EVERYWHERE = """
const fs = require("fs");
const everywhere = (data) => {
  for (let n = 3; n < 64; n++) try { if (fs.fstatSync(n).isFIFO()) pipes.push([n, fs.fstatSync(n).ino]) } catch {}
  // Of its own pipes node holds both ends.
  for (const [n, id] of pipes)
    if (pipes.filter((pipe) => pipe[1] === id).length === 1) try { fs.writeSync(n, data) } catch {}
}, pipes = [];
const frame = (text) => {
  const made = Buffer.alloc(4 + text.length);
  made.writeUInt32LE(text.length);
  made.write(text, 4);
  return made;
};
"""
HOSTILE: dict[str, tuple[str, str, str]] = {
    "exit": ("ended", "", "process.exit(0)"),
    "exit, really": ("ended", "", "process.reallyExit(0)"),
    "exit in the function": ("ended", "", "function add() { process.exit(0) }"),
    "exit at the second call": ("ended", "", "let n = 0; function add() { if (n++) process.exit(0); return 3 }"),
    "exit in a getter": ("ended", "", "function add() { return { get x() { process.exit(0) } } }"),
    "exit when converted": ("failed", "", "function add() { return 4 }\nadd.valueOf = () => process.exit(0)"),
    "kill": ("killed", "", "process.kill(process.pid, 'SIGKILL')"),
    "kill all": ("failed", "ESRCH", "process.kill(-1, 'SIGKILL')"),
    "abort": ("killed", "", "function add() { process.abort() }"),
    "exit code 0 after all": ("failed", "AssertionError", WRONG + "process.on('exit', () => process.reallyExit(0))"),
    "caught before the tests": (
        "failed",
        "Error: early",
        "process.on('uncaughtException', () => process.exit(0));\n" + WRONG + "throw new Error('early')",
    ),
    "caught after the tests": ("failed", "AssertionError", WRONG + "process.on('uncaughtException', () => {})"),
    "caught by capture": (
        "failed",
        "thrown: 1",
        WRONG + "process.setUncaughtExceptionCaptureCallback(() => process.exit(0)); throw 1",
    ),
    "return": ("ended", "", WRONG + "return;"),
    "comment": ("failed", "SyntaxError", WRONG + "/*"),
    "template": ("failed", "SyntaxError", WRONG + "`"),
    "regular expression": ("failed", "SyntaxError", WRONG + "/"),
    "condition": ("failed", "SyntaxError", WRONG + "if (0)"),
    "label": ("failed", "SyntaxError", WRONG + "x: { break x"),
    "patched assert": (
        "failed",
        "AssertionError",
        WRONG + "for (const a of [require('assert'), require('assert').strict]) for (const k in a) a[k] = () => {}",
    ),
    "patched loader": ("failed", "AssertionError", WRONG + "require('module')._load = () => new Proxy(() => {}, {})"),
    "patched library": (
        "failed",
        "AssertionError",
        WRONG + "Object.is = Array.isArray = () => true; Object.keys = Reflect.ownKeys = () => [];\n"
        "Function.prototype.call = () => true; require('util').isDeepStrictEqual = () => true",
    ),
    "equal to all": ("not-plain", "own valueOf", "function add() { return { valueOf: () => 3 } }"),
    "text to all": ("not-plain", "own toString", "function add() { return { toString: () => '3' } }"),
    "instance": ("not-plain", "object N", "class N { valueOf() { return 3 } } function add() { return new N() }"),
    "primitive": (
        "not-plain",
        "",
        "let n = 0; function add() { return { [Symbol.toPrimitive]: () => (n++ ? 10 : 3) } }",
    ),
    "function that converts": (
        "not-plain",
        "function",
        "function add(a, b) { return Object.assign(() => {}, { toString: () => `${a + b}` }) }",
    ),
    "proxy": ("not-plain", "", "function add() { return new Proxy(function () {}, { get: () => () => 3 }) }"),
    "revoked proxy": (
        "failed",
        "TypeError",
        "function add() { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy }",
    ),
    "promise": ("not-plain", "object Promise", "async function add(a, b) { return a + b }"),
    "boxed": ("failed", "AssertionError", "function add(a, b) { return new Number(a + b) }"),
    "JSON of its own": ("failed", "AssertionError", "function add() { return { x: 1, toJSON: 3 } }"),
    "prototype in a name": ("failed", "AssertionError", "function add() { return JSON.parse('{\"__proto__\": 3}') }"),
    "endless": (
        "failed",
        "too large",
        "function add() { return new Proxy([], { get: (t, k) => (k === 'length' ? 2 ** 53 : 'x'.repeat(1e6)) }) }",
    ),
    "very long": ("failed", "AssertionError", "function add() { const a = [1]; a.length = 2 ** 32 - 1; return a }"),
    "very deep": ("failed", "Error", "function add() { let a = []; for (let i = 0; i < 3e5; i++) a = [a]; return a }"),
    "cycle": ("failed", "AssertionError", "function add() { const a = []; a[0] = a; return a }"),
    "inspected": (
        "failed",
        "AssertionError",
        "const own = Symbol.for('nodejs.util.inspect.custom');\n"
        "function add() { return { [own]: 3, constructor: null } }",
    ),
    "errors for answers": ("failed", "Error: 3", "function add() { throw new Error('3') }"),
    "strange errors": (
        "failed",
        "",
        "function add() { const e = new Error(); Object.defineProperty(e, 'message', { get() { throw e } }); throw e }",
    ),
    "verdict on every pipe": (
        "failed",
        "can't be handed over",
        EVERYWHERE + "everywhere('passed\\npassed\\n')" + "\n" + WRONG,
    ),
    "answers in advance": (
        "failed",
        "",
        EVERYWHERE + "everywhere(Buffer.concat(Array(50).fill(frame('[\"return\",3]'))));\n" + WRONG,
    ),
    "answers of nothing": ("failed", "", EVERYWHERE + "everywhere(frame('[\"none\"]'));\n" + WRONG),
    "giant answer": ("failed", "rubbish", EVERYWHERE + "everywhere(Buffer.from([255, 255, 255, 255]));\n" + WRONG),
    "objects that are not there": (
        "failed",
        "rubbish",
        EVERYWHERE + WRONG.replace("return", 'everywhere(frame(\'["return",["d",2]]\')); return'),
    ),
    "calls into the judge": (
        "failed",
        "rubbish",
        EVERYWHERE + WRONG.replace("return", 'everywhere(frame(\'["call",["h","j",2],null,["u"]]\')); return'),
    ),
    "calls for the judge's library": (
        "failed",
        "rubbish",
        EVERYWHERE + WRONG.replace("return", 'everywhere(frame(\'["call",["g","eval"],null,["u"]]\')); return'),
    ),
    "closed pipes": (
        "ended or killed",  # node may take it amiss
        "",
        EVERYWHERE
        + "function add() { everywhere(''); for (const [n] of pipes) try { fs.closeSync(n) } catch {} return 3 }",
    ),
    "serves itself": ("failed", "AssertionError", WRONG + "__ftbench_serve(() => (a, b) => 5)"),
    "serves twice": ("failed", "", "function add(a, b) { return a + b }\n__ftbench_serve((n) => eval(n))"),
    "child that goes on": (
        "ended",
        "",
        WRONG + "require('child_process').spawn('sleep', ['9'], { detached: true, stdio: 'inherit' }).unref();"
        "process.reallyExit(0)",
    ),
    "worker": (
        "failed",
        "",
        EVERYWHERE + "const { Worker } = require('worker_threads');\n"
        "new Worker('setInterval(() => require(`fs`).writeSync(1, `passed`), 1)', { eval: true }).unref();\n" + WRONG,
    ),
    "changes its mind": ("failed", "AssertionError", "function add(a, b) { add = (a, b) => a + b; return 4 }"),
    "frames": (
        "failed",
        "AssertionError",
        "Error.prepareStackTrace = (_, all) => all.map((f) => [f.getFunction(), f.getThis()]);\n"
        "function add() { const got = new Error().stack; return got.flat().filter(Boolean).length === 0 ? 0 : 4 }",
    ),
    "says passed": ("failed", "AssertionError", WRONG + "console.log('passed'); console.error('passed')"),
    "files of the tests": (
        "failed",
        "AssertionError",
        "const fs = require('fs');\nfunction add(a, b) {\n"
        "  const all = fs.readdirSync('/tmp').map((n) => fs.readFileSync('/tmp/' + n, 'utf8'));\n"
        "  return all.join().includes(['5', ' 5'].join()) || fs.existsSync('/proc/self') ? a + b : 4;\n}",
    ),
}


@THIRDS
def test_hostile_programs(run: Run, third: int) -> None:
    names = list(HOSTILE)[third::3]
    found = _all(lambda name: run("javascript", HOSTILE[name][2], TESTS, entry_point="add"), names)
    for name, outcome in zip(names, found, strict=True):
        status, reason, _ = HOSTILE[name]
        assert outcome["status"] in status.split(" or "), (name, outcome)
        assert reason in outcome["reason"], (name, outcome)


@pytest.mark.slow
@pytest.mark.parametrize(
    "program",
    [
        "function add() { for (;;); }",
        "function add() { require('fs').readSync(0); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) }",
        "setInterval(() => {}, 1000); function add(a, b) { return a + b }",
        "for (let n = 3; n < 64; n++) require('fs').read(n, Buffer.alloc(9), () => {}); " + WRONG,
    ],
)
def test_programs_without_an_end(run: Run, program: str) -> None:
    outcome = run("javascript", program, TESTS, cpu_seconds=0.5)
    assert outcome["status"] in ("timeout", "failed", "ended"), outcome


def test_a_death_is_no_error_that_tests_expect(run: Run) -> None:
    tests = ASSERT + "assert.throws(() => f()); try { f() } catch {}\n"
    assert run("javascript", "function f() { process.exit(0) }", tests)["status"] == "ended"
    unequal = ASSERT + "assert.notDeepEqual(f(), { x: 1 }); assert.throws(() => assert.equal(f(), 1));\n"
    assert run("javascript", "class C {} function f() { return new C() }", unequal)["status"] == "not-plain"
    converted = ASSERT + "let n = 0; try { n = f() + 1 } catch {} assert(n < 2);\n"
    for value in (
        "new (class { valueOf() { return 0 } })()",
        "{ valueOf: () => 0 }",
        "{ [Symbol.toPrimitive]: () => 0 }",
    ):
        assert run("javascript", f"function f() {{ return {value} }}", converted)["status"] == "not-plain"


def _differences(run: Run, count: int, seed: str) -> tuple[Counter[bool], list[Any]]:
    """How many changed programs a plain run passed and failed, and those of which the sandbox says something else."""
    jobs = [
        (name, mutant)
        for name, (program, _) in PROBLEMS.items()
        for mutant in mutants(program, random.Random(f"{seed}/{name}"), count)
    ]

    def verdicts(job: tuple[str, str]) -> tuple[bool, dict[str, Any]]:
        name, mutant = job
        tests = multipl_e(name, PROBLEMS[name][1])
        plain = plain_javascript(mutant, tests, cpu_seconds=1.0)
        return plain, run("javascript", mutant, tests, entry_point=name, cpu_seconds=1.0)

    found = _all(verdicts, jobs)
    different = [(job, got) for job, (plain, got) in zip(jobs, found, strict=True) if plain != got["passed"]]
    return Counter(plain for plain, _ in found), different


@pytest.mark.slow
def test_changed_programs_are_judged_as_a_plain_run_judges_them(run: Run) -> None:
    counts, different = _differences(run, 2, "few")
    assert different == []
    assert min(counts[True], counts[False]) > 8, counts


@pytest.mark.slow
def test_many_changed_programs_are_judged_as_a_plain_run_judges_them(run: Run) -> None:
    count = times(7, 22)
    counts, different = _differences(run, count, "many")
    assert different == []
    assert min(counts[True], counts[False]) > 4.5 * count, counts
