"""What JavaScript programs and tests may do to each other: name → (program, tests, whether they pass, as in one file).

`assert` is there for the tests; the tested function is `f`.
"""

from __future__ import annotations

VALUES = """
undefined | null | true | NaN | -0 | Infinity | -Infinity | 1e300 | 5e-324 | 0.1+0.2 | 12345678901234567890n | -5n
'a\\ud800b' | '\\u2028\\n\\r\\0' | '' | 'x'.repeat(100000) | Symbol.iterator | Symbol.for('x')
[1,,3] | [,] | new Array(5) | [undefined] | [null,[undefined]] | [[[[[[]]]]]] | Array.from({length:50000},(_, i)=>i)
({a:1,b:[2,{c:3}]}) | ({__proto__:null,a:1}) | ({['__proto__']:1}) | JSON.parse('{"__proto__":{"a":1}}')
({b:1,a:2,1:3}) | ({[Symbol.for('k')]:1}) | ({constructor:1,toString:2,hasOwnProperty:3}) | ({length:3})
new Map([[1,{a:2}],['x',[1]]]) | new Set([1,'a',[2]]) | new Date(86400000) | /a+\\/b/gi
new Uint8Array([1,2,255]) | new Float64Array([-0,1.5]) | new BigInt64Array([-1n]) | Buffer.from('abc')
new Uint16Array([1,2,3]).buffer | new Number(3) | new String('xy') | Object(1n) | new Boolean(false)
new Error('x') | new TypeError('y') | Object.assign(new Error('q'),{code:'E'}) | new Error('a',{cause:{x:1}})
new AggregateError([1],'m') | [1,2,3].keys().next() | 'abc'.match(/b/) | 'abab'.match(/b/g) | Object.freeze([1,2])
"""

Cases = dict[str, tuple[str, str, bool]]

DATA: Cases = {
    "minus zero": ("function f() { return -0 }", "assert(Object.is(f(), -0))", True),
    "zero": ("function f() { return 0 }", "assert(Object.is(f(), -0))", False),
    "text for a number": ("function f() { return '3' }", "assert.deepEqual(f(), 3)", True),
    "text for a number, strictly": ("function f() { return '3' }", "assert.deepStrictEqual(f(), 3)", False),
    "one too many": ("function f() { return [1,2,3] }", "assert.deepEqual(f(), [1,2])", False),
    "undefined property": ("function f() { return {a: undefined} }", "assert.deepEqual(f(), {})", False),
    "nothing": ("function f() {}", "assert.deepEqual(f(), undefined)", True),
    "null for undefined": ("function f() { return null }", "assert.deepEqual(f(), undefined)", True),
    "map for an object": ("function f() { return new Map([['a',1]]) }", "assert.deepEqual(f(), {a:1})", False),
    "match has names too": ("function f() { return 'abc'.match(/b/) }", "assert.deepEqual(f(), ['b'])", False),
    "arguments": ("function f() { return arguments }", "assert.deepEqual(f(1), {0: 1})", False),
    "getter": ("function f() { return {get x() { return 1 }} }", "assert.deepEqual(f(), {x: 1})", True),
    "boxed": ("function f() { return new Number(3) }", "assert.deepEqual(f(), 3)", False),
    "other prototype": (
        "function f() { return Object.create(null) }",
        "assert.deepStrictEqual(f(), {})",
        False,
    ),
}

IN_PLACE: Cases = {
    "array": ("function f(a) { a.push(4); a[0] = 9 }", "const x = [1,2]; f(x); assert.deepEqual(x, [9,2,4])", True),
    "array and result are one": (
        "function f(a) { a.length = 0; return a }",
        "const x = [1,2]; assert(f(x) === x); assert.deepEqual(x, [])",
        True,
    ),
    "object": (
        "function f(o) { delete o.a; o.b = {c: 1}; return o.b }",
        "const x = {a: 1}, y = f(x); assert(x.b === y); y.c = 2; assert.deepEqual(x, {b: {c: 2}})",
        True,
    ),
    "map": (
        "function f(m) { m.set('a', 1) }",
        "const m = new Map([['z', 0]]); f(m); assert.deepEqual([...m], [['z', 0], ['a', 1]])",
        True,
    ),
    "result that grows": (
        "const s = []; function f(x) { s.push(x); return s }",
        "const a = f(1); f(2); assert.deepEqual(a, [1,2]); assert(f(3) === a)",
        True,
    ),
    "same object again": (
        "let last; function f(x) { const same = last === x; last = x; return same }",
        "const a = []; f(a); assert(f(a)); assert(!f([]))",
        True,
    ),
    "cycle": ("function f(a) { a.self = a; return a }", "const a = {}; assert(f(a).self === a)", True),
    "deep": (
        "function f(n) { let l = null; while (n--) l = {next: l}; return l }",
        "let n = 0; for (let l = f(20000); l; l = l.next) n++; assert.strictEqual(n, 20000)",
        True,
    ),
    "frozen": (
        "function f(a) { 'use strict'; try { a.push(1); return 'no' } catch (e) { return e.constructor.name } }",
        "assert.strictEqual(f(Object.freeze([1])), 'TypeError')",
        True,
    ),
    "large": (
        "function f(a) { a[5] = 1 }",
        "const a = Array.from({length: 200000}, (_, i) => i); for (let i = 0; i < 9; i++) f(a); assert(a[5] === 1)",
        True,
    ),
}

ERRORS: Cases = {
    "built in": (
        "function f() { throw new RangeError('bad') }",
        "assert.throws(() => f(), RangeError); assert.throws(f, /bad/); assert.throws(f, {name: 'RangeError'})",
        True,
    ),
    "of another type": ("function f() { throw new RangeError('bad') }", "assert.throws(f, TypeError)", False),
    "own class": (
        "class E extends TypeError { constructor(m) { super(m); this.name = 'E'; this.k = [1] } }\n"
        "function f() { throw new E('m') }",
        "assert.throws(f, E); assert.throws(f, TypeError); assert.throws(f, {name: 'E', message: 'm', k: [1]})",
        True,
    ),
    "own class, not built in": (
        "class E extends Error {} function f() { throw new E }",
        "assert.throws(f, EvalError)",
        False,
    ),
    "of the library": ("function f() { null.x }", "assert.throws(f, TypeError)", True),
    "no error": ("function f() { throw 'x' }", "try { f() } catch (e) { assert.strictEqual(e, 'x') }", True),
    "too deep": ("function f() { return f() }", "assert.throws(f, RangeError)", True),
    "none": ("function f() {}", "assert.throws(f)", False),
    "assertion": (
        "const a = require('assert'); function f(x) { a(x > 0) }",
        "f(1); assert.throws(() => f(-1), assert.AssertionError)",
        True,
    ),
    "not caught": ("function f() { throw new Error('x') }", "f()", False),
}

CALLS_BACK: Cases = {
    "function of the tests": (
        "function f(a, g) { return a.map(g) }",
        "assert.deepEqual(f([1,2], (x, i, a) => x + i + a.length), [3,5])",
        True,
    ),
    "that throws": (
        "function f(g) { try { g() } catch (e) { return e.message } }",
        "assert.strictEqual(f(() => { throw new Error('back') }), 'back')",
        True,
    ),
    "that throws through": (
        "function f(g) { g() }",
        "assert.throws(() => f(() => { throw new RangeError('back') }), RangeError)",
        True,
    ),
    "that calls again": (
        "function f(n, g) { return n <= 0 ? 0 : 1 + g(n - 1) }",
        "const g = (n) => f(n, g); assert.strictEqual(f(20, g), 20)",
        True,
    ),
    "that changes": (
        "function f(g) { const a = [1]; g(a); return a }",
        "assert.deepEqual(f((a) => { a.push(2) }), [1,2])",
        True,
    ),
    "of the library": (
        "function f(a, g) { return a.map((x) => g(x)) }",
        "assert.deepEqual(f(['1'], Number), [1]); assert.deepEqual(f([4], Math.sqrt), [2])",
        True,
    ),
    "class of the library": (
        "function f(x, T) { return x instanceof T }",
        "assert(f([], Array)); assert(!f({}, Array))",
        True,
    ),
}

HANDLES: Cases = {
    "closure": (
        "function f(x) { return (y) => x + y }",
        "const g = f(1); assert(g === g); assert.strictEqual(g(2), 3)",
        True,
    ),
    "composition": (
        "function f(...gs) { return (x) => gs.reduce((a, g) => g(a), x) }",
        "assert.strictEqual(f((x) => x + 1, (x) => x * 2)(3), 8)",
        True,
    ),
    "instance": (
        "class S { #a = []; push(x) { this.#a.push(x); return this } get size() { return this.#a.length } }\n"
        "function f() { return new S }",
        "const s = f(); s.push(1).push([2]); assert.strictEqual(s.size, 2); assert(s instanceof S);\n"
        "const t = new S(); t.more = 3; assert.strictEqual(t.size, 0); assert.strictEqual(t.more, 3)",
        True,
    ),
    "generator": (
        "function* f(n) { for (let i = 0; i < n; i++) yield i }",
        "assert.deepEqual([...f(3)], [0,1,2]); let n = 0; for (const x of f(4)) n += x; assert.strictEqual(n, 6)",
        True,
    ),
    "methods of a plain object": (
        "function f() { return {add: (a, b) => a + b} }",
        "assert.strictEqual(f().add(1, 2), 3)",
        True,
    ),
    "the function itself": (
        "function f(a, b) { return a - b }\nf.x = 5",
        "assert.strictEqual(f.length + f.x, 7); assert.strictEqual(f.name, 'f');\n"
        "assert.strictEqual(f.call(0, 3, 1), 2);\n"
        "assert.strictEqual(f.apply(null, [3, 1]), 2); assert.strictEqual(f.bind(null, 5)(1), 4)",
        True,
    ),
    "symbol": (
        "const own = Symbol('q'); function f(s) { return s === own } function g() { return own }",
        "assert(f(g())); assert(!f(Symbol('q')))",
        True,
    ),
    "promise": ("async function f() { return 1 }", "assert.deepEqual(f(), 1)", False),
    "function for an object": ("function f() { return (x) => x }", "assert.deepEqual(f(), {})", False),
}

STRUCTURE: Cases = {
    "all kinds of names": (
        "const f = (x) => x; let g = 1; var h = 2; class K {} k = 3",
        "assert.strictEqual(f(1) + g + h + k, 7); assert(typeof K === 'function' && typeof other === 'undefined')",
        True,
    ),
    "variable": (
        "let n = 0; function f() { n++ }",
        "f(); f(); assert.strictEqual(n, 2); n = 10; f(); assert.strictEqual(n, 11)",
        True,
    ),
    "another name": ("function g() {}", "f()", False),
    "this": ("function f() { return this === globalThis }", "assert(f())", True),
    "this, strictly": ("'use strict'; function f() { return this === undefined }", "assert(f())", True),
    "main module": (
        "if (require.main === module) globalThis.ran = true;\nmodule.exports = { f };\n"
        "function f() { return ran && arguments.length + process.argv.length }",
        "assert.strictEqual(f(), 2)",
        True,
    ),
    "first line": ("#!/usr/bin/env node\nfunction f() { return 1 }", "assert.strictEqual(f(), 1)", True),
    "last line": ("function f() { return 1 }\n//", "assert.strictEqual(f(), 1)", True),
    "input": ("function f() { return require('fs').readFileSync(0, 'utf8') }", "assert.strictEqual(f(), '')", True),
    "output": (
        "function f() { console.log('out'); console.error('err'); return 1 }",
        "assert.strictEqual(f(), 1)",
        True,
    ),
    "late output": ("function f() {}\nsetTimeout(() => console.log('late'), 5)", "f()", True),
    "own names for what node has": (
        "const process = (x) => x + 1, globalThis = {}, console = { log() {} };\n"
        "function f(x) { console.log(x); return process(x) }",
        "assert.strictEqual(f(1), 2)",
        True,
    ),
    "own classes for what the library has": (
        "class Map {} class Error {} class Date {}\nfunction f(x) { return x }",
        "assert.deepEqual(f([new Date(0)]), [new Date(0)])",
        True,
    ),
    "more methods": (
        "Array.prototype.sum = function () { return this.reduce((a, b) => a + b, 0) };\n"
        "function f(a) { return a.sum() }",
        "assert.strictEqual(f([1,2,3]), 6)",
        True,
    ),
    "own test, not called": (
        "function f() { return 1 }\nfunction test() {}",
        "function test() {\n  assert.strictEqual(f(), 1)\n}\ntest()",
        True,
    ),
    "own test, called": (  # in one file that is the tests' own, before they have their `assert`
        "function f() { return 1 }\nfunction test() {}\ntest();",
        "function test() {\n  assert.strictEqual(f(), 1)\n}\ntest()",
        False,
    ),
    "a method test": (
        "function f(s) { return /a/.test(s) }",
        "function test() {\n  assert(f('a'))\n}\ntest()",
        True,
    ),
    "own let test": (
        "function f() { return 1 }\nlet test = 1",
        "function test() {\n  assert.strictEqual(f(), 1)\n}\ntest()",
        False,
    ),
    "own assert": ("const assert = require('assert');\nfunction f() { return 1 }", "assert.strictEqual(f(), 1)", False),
    "own var assert": ("var assert = 1;\nfunction f() { return 1 }", "assert.strictEqual(f(), 1)", False),
    "const require": ("const require = 1;\nfunction f() { return 1 }", "assert.strictEqual(f(), 1)", False),
    "unfinished comment": ("function f() { return 1 }\n/*", "assert.strictEqual(f(), 1)", False),
    "unfinished template": ("function f() { return 1 }\n`", "assert.strictEqual(f(), 1)", False),
    "unfinished block": ("function f() { return 1 }\nif (0) {", "assert.strictEqual(f(), 1)", False),
    "unfinished condition": ("function f() { return 1 }\nif (true)", "assert.strictEqual(f(), 1)", False),
    "unfinished function": ("function f() { return 1", "assert.strictEqual(f(), 1)", False),
    "one brace too many": ("function f() { return 1 }}", "assert.strictEqual(f(), 1)", False),
    "return": ("function f() { return 1 }\nreturn;", "assert.strictEqual(f(), 1)", False),
    "return that is not reached": ("function f() { return 1 }\nif (!f) return;", "assert.strictEqual(f(), 1)", True),
    "export": ("export function f() { return 1 }", "assert.strictEqual(f(), 1)", False),
    "await": ("const x = await 1;\nfunction f() { return 1 }", "assert.strictEqual(f(), 1)", False),
    "error at the top": ("function f() { return 1 }\nthrow new Error('top')", "assert.strictEqual(f(), 1)", False),
    "error later": ("function f() {}\nsetTimeout(() => { throw 1 }, 1)", "f()", False),
    "rejection": ("function f() {}\nPromise.reject(new Error('x'))", "f()", False),
    "exit code": ("function f() {}\nprocess.exitCode = 3", "f()", False),
    "exit handler": ("function f() {}\nprocess.on('exit', () => process.exit(2))", "f()", False),
    "late tests": ("function f() { return 1 }", "(async () => { await 0; assert.strictEqual(f(), 1) })()", True),
    "late tests that fail": (
        "function f() { return 1 }",
        "(async () => { await 0; assert.strictEqual(f(), 2) })()",
        False,
    ),
    "tests that exit": ("function f() { return 1 }", "process.exit(1)", False),
    "child process": (
        "function f() { return require('child_process').execFileSync(process.execPath, ['-p', '1 + 1']).toString() }",
        "assert.strictEqual(f(), '2\\n')",
        True,
    ),
}

CASES = {
    f"{group}: {name}": case
    for group, cases in {
        "data": DATA, "in place": IN_PLACE, "errors": ERRORS, "calls back": CALLS_BACK, "handles": HANDLES,
        "structure": STRUCTURE,
    }.items()
    for name, case in cases.items()
}  # fmt: skip
