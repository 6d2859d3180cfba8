"""JavaScript programs: what runs on either side. Read by `ftbench_sandbox`."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

# The program is node's main module, as in a plain run; this is loaded before it (-r) and waits for the line that
# `sides` puts behind it. It takes its own traces away, lest child processes and workers load it too.
PROGRAM = r"""
(() => {
  const evaluate = "__ftbench_serve";
  if (process.argv[2] !== "ftbench") return;
  const [, input, output] = process.argv.splice(2, 3).map(Number);
  for (let at; (at = process.execArgv.indexOf("-r")) >= 0;) process.execArgv.splice(at, 2);
  const get = Reflect.get, set = Reflect.set, globals = globalThis;
  let over = false;

  // Functions of the tests. All else that is theirs can be held and handed back only.
  const pretend = {
    object: (kind, name) => {
      if (kind !== "function") return { __proto__: null };
      const call = function (...values) {
        const parts = [call, this === globals ? undefined : this];
        for (let i = 0; i < values.length; i++) parts[i + 2] = values[i];
        return request(parts, values);
      };
      defineProperty(call, "name", { __proto__: null, value: name, configurable: true });
      return call;
    },
    error: (kind, message) => {
      const made = new (mapGet(errorKinds, kind) ?? ErrorOf)(kind === "AggregateError" ? [] : message);
      if (kind === "AggregateError") define(made, "message", message);
      if (kind === "AssertionError") define(made, "code", "ERR_ASSERTION");
      return made;
    },
    shared: (path) => {
      let found = globals;
      for (let at = 0; at <= path.length;) {
        let end = indexOf(path, ".", at);
        if (end < 0) end = path.length;
        found = found[slice(path, at, end)];
        at = end + 1;
      }
      return found;
    },
    property: (target, key, value) => value,
  };
  const define = (of, key, value) =>
    defineProperty(of, key, { __proto__: null, value, writable: true, enumerable: false, configurable: true });
  const { encode, send, receive, forget } = wire("p", input, output, pretend, () => "");

  const reply = (op, value, roots) => {
    let text;
    try {
      text = encode(op, [value], roots);
    } catch (problem) {
      try {
        text = encode("throw", [problem], []);
      } catch {
        text = encode("throw", [new TypeErrorOf("a value that can't be read")], []);
      }
    }
    send(text);
  };
  let find = null;
  const perform = (found, given) => {
    const a = found[1], b = found[2];
    switch (found[0]) {
      case "name": return find(a);
      case "assign": return void find(`(value) => { ${a} = value; }`)(b);
      case "call": return apply(a, b, given);
      case "new": return reflectNew(a, given);
      case "get": return get(a, b, a);
      case "set": return void set(a, b, found[3], a);
      case "instance": return b instanceof a;
    }
    throw new ErrorOf("no such request");
  };
  const answer = (found) => {
    const given = [], roots = [];
    for (let i = 1; i < found.length; i++) {
      roots[i - 1] = found[i];
      if (i > 2) given[i - 3] = found[i];
    }
    let value;
    try {
      value = perform(found, given);
    } catch (problem) {
      if (found[0] === "name" && problem instanceof ReferenceErrorOf) return send('["none"]');
      return reply("throw", problem, roots);
    }
    reply("return", value, roots);
  };
  const ReferenceErrorOf = ReferenceError;
  // Something that only the tests can do: called in the middle of a call of theirs.
  const request = (parts, roots) => {
    if (over) throw new ErrorOf("the tests are over");
    send(encode("call", parts, roots));
    for (let found; (found = receive()) !== null;) {
      if (found[0] === "return") return found[1];
      if (found[0] === "throw") throw found[1];
      answer(found);
    }
    over = true;
    throw new ErrorOf("the tests are over");
  };
  process.on("uncaughtExceptionMonitor", (problem) => {
    if (over) return;
    over = true;
    try {
      reply("throw", problem, []);
    } catch {} // the judge is gone, or the pipe
  });
  define(globals, evaluate, (lookup) => {
    delete globals[evaluate];
    find = lookup;
    send('["return",null]');
    for (let found; (found = receive()) !== null;)
      if (found[0] === "forget") forget();
      else answer(found);
    over = true;
  });
})();
"""

# The judge's own library compares; of the program it only ever gets plain data, and stand-ins whose every use asks.
JUDGE = r"""
(() => {
  const vm = require("node:vm"), assert = require("node:assert"), load = require;
  const [input, output, verdict] = process.argv.slice(2).map(Number);
  const { program, tests, entry } = JSON.parse(fs.readFileSync(0, "utf8"));
  let over = false, reached = false;
  const say = (status, reason) => {
    const why = [...reason.slice(0, 2000).replace(/\s+/g, " ").trim()].slice(0, 300).join("");
    const line = Buffer.from(why ? `${status} ${why}` : status);
    for (let at = 0; at < line.length;) at += patiently(() => fs.writeSync(verdict, line, at));
    over = true;
  };
  // At once, whatever the tests would catch.
  const finish = (status, reason) => {
    if (!over) say(status, reason);
    process.reallyExit(0);
  };
  const notPlain = (what) => finish("not-plain", what);
  const shown = (problem) => {
    try {
      if (util.types.isNativeError(problem)) return `${problem.name}: ${problem.message}`;
      return `thrown: ${util.inspect(problem, { customInspect: false })}`;
    } catch {
      return "an error that can't be shown";
    }
  };
  process.on("uncaughtException", (problem) => finish("failed", shown(problem)));
  process.on("exit", (code) => {
    if (!over) say(code === 0 && reached ? "passed" : "failed", code === 0 && reached ? "" : "the tests ended early");
  });

  const names = new WeakMap();
  const kinds = { function: () => function () {}, array: () => [], object: () => ({}) };
  const pretend = {
    object: (kind, name) => {
      const what = `${kind} ${name}`.trim();
      const found = new Proxy(kinds[kind](), {
        apply: (_, self, values) => request("call", [found, self === scope ? undefined : self, ...values]),
        construct: (_, values) => request("new", [found, null, ...values]),
        get: (_, key) => {
          if (key === Symbol.toPrimitive) notPlain(what);
          if (key === Symbol.hasInstance) return (value) => request("instance", [found, value]);
          return request("get", [found, key]);
        },
        set: (_, key, value) => (request("set", [found, key, value]), true),
        has: () => notPlain(what),
        ownKeys: () => notPlain(what),
        getPrototypeOf: () => notPlain(what),
        setPrototypeOf: () => notPlain(what),
        getOwnPropertyDescriptor: () => notPlain(what),
        defineProperty: () => notPlain(what),
        deleteProperty: () => notPlain(what),
        isExtensible: () => notPlain(what),
        preventExtensions: () => notPlain(what),
      });
      names.set(found, what);
      return found;
    },
    error: (kind, message) => {
      if (kind === "AssertionError") return new assert.AssertionError({ message: `${message}` });
      const made = new (errorKinds.get(kind) ?? rubbish())(kind === "AggregateError" ? [] : `${message}`);
      if (kind === "AggregateError") Object.defineProperty(made, "message", { value: `${message}`, writable: true });
      return made;
    },
    shared: rubbish,
    // A plain object that brings its own conversion would be asked at each comparison.
    property: (target, key, value) => {
      if (names.has(value) && (key === "valueOf" || key === "toString" || key === Symbol.toPrimitive)) {
        const refuse = () => notPlain(`object with its own ${String(key)}`);
        Object.defineProperty(target, Symbol.toPrimitive, { value: refuse, configurable: true });
        names.set(refuse, `object with its own ${String(key)}`);
        if (key === Symbol.toPrimitive) return refuse;
      }
      return value;
    },
  };
  // What the tests may hand over beside plain data: functions of theirs, and of the language by name.
  let library = null;
  const shared = (value) => {
    if (typeof value !== "function") notPlain(`the tests hand over an object: ${nameOf(value)}`);
    if (!/\[native code\]\s*}$/.test(Function.prototype.toString.call(value))) return "";
    library ??= new Map(Object.getOwnPropertyNames(globalThis).flatMap((name) => {
      const { value } = Object.getOwnPropertyDescriptor(globalThis, name);
      if (value === globalThis || value === null || !["function", "object"].includes(typeof value)) return [];
      const inner = Object.entries(Object.getOwnPropertyDescriptors(value));
      return [...inner.map(([key, about]) => [about.value, `${name}.${key}`]), [value, name]];
    }));
    return library.get(value) ?? notPlain(`the tests hand over a function of the library: ${value.name}`);
  };
  const { encode, send, receive, forget, full } = wire("j", input, output, pretend, shared);

  const safely = (act) => {
    try {
      return act();
    } catch (problem) {
      const gone = problem.code === "EPIPE";
      return finish(gone ? "ended" : "failed", gone ? "" : `values can't be handed over: ${problem.message}`);
    }
  };
  const take = () => safely(receive) ?? finish("ended", "");
  let depth = 0;
  const request = (op, values) => {
    if (depth === 0 && full()) {
      safely(() => send('["forget"]'));
      forget();
    }
    safely(() => send(encode(op, values, [])));
    depth++;
    for (;;) {
      const found = take();
      if (found[0] === "return" || found[0] === "none" || found[0] === "throw") {
        depth--;
        if (found[0] === "throw") throw found[1];
        return found[0] === "none" ? missing : found[1];
      }
      // The program calls a function that the tests have handed over.
      const [what, call, self, ...values] = found;
      if (what !== "call" || typeof call !== "function" || names.has(call))
        finish("failed", "the answer can't be read: no such request");
      let way = "return", value;
      try {
        value = Reflect.apply(call, self, values);
      } catch (problem) {
        [way, value] = ["throw", problem];
      }
      safely(() => send(encode(way, [value], values)));
    }
  };

  // Free names of the tests: theirs come first, being declared inside; then this library's, then the program's.
  const missing = { __proto__: null }, held = new Map();
  const scope = new Proxy({ __proto__: null }, {
    has: (_, name) => {
      if (typeof name !== "string" || (name !== entry && name in globalThis)) return false;
      const value = request("name", [name]);
      held.set(name, value);
      return value !== missing || name in globalThis;
    },
    get: (_, name) => {
      if (typeof name !== "string") return undefined;
      const value = held.get(name);
      if (value === missing) throw new ReferenceError(`${name} is not defined`);
      return value;
    },
    set: (_, name, value) => (request("assign", [name, value]), true),
  });

  // `assert` as the tests see it: what only a handle stands for is no value to compare.
  const scan = (value, seen) => {
    if (names.has(value)) notPlain(names.get(value));
    if (value === null || typeof value !== "object" || seen.has(value)) return;
    const waiting = [value];
    for (let at; (at = waiting.pop()) !== undefined;) {
      if (at === null || (typeof at !== "object" && typeof at !== "function") || seen.has(at)) continue;
      if (names.has(at)) notPlain(names.get(at));
      if (typeof at === "function") continue;
      seen.add(at);
      if (at instanceof Map) for (const pair of at) waiting.push(...pair.filter((part) => part !== undefined));
      else if (at instanceof Set) for (const part of at) part !== undefined && waiting.push(part);
      else if (ArrayBuffer.isView(at)) continue;
      for (const key of Reflect.ownKeys(at)) {
        const about = Object.getOwnPropertyDescriptor(at, key);
        if (about.value !== undefined) waiting.push(about.value);
      }
    }
  };
  const free = new Set(["throws", "doesNotThrow", "rejects", "doesNotReject", "AssertionError", "CallTracker"]);
  const checked = (call) => new Proxy(call, {
    apply: (_, self, values) => {
      const seen = new Set();
      for (const value of values) scan(value, seen);
      return Reflect.apply(call, self, values);
    },
  });
  const guarded = (of) => {
    const own = checked(of);
    for (const name of Object.keys(of))
      if (typeof of[name] === "function" && !free.has(name) && name !== "strict") of[name] = checked(of[name]);
    return own;
  };
  const strict = guarded(assert.strict), loose = guarded(assert);
  assert.strict = strict.strict = strict;
  const own = { "assert": loose, "node:assert": loose, "assert/strict": strict, "node:assert/strict": strict };
  const given = (name) => (Object.hasOwn(own, name) ? own[name] : load(name));
  Object.assign(given, load);

  const parts = ["exports", "require", "module", "__filename", "__dirname"];
  const checkedText = (text) => {
    try {
      vm.compileFunction(text, parts, { filename: "program.js" });
    } catch (problem) {
      finish("failed", shown(problem));
    }
  };
  checkedText(tests);
  // The two as the one text of a plain run: where that does not parse, as when both declare a name, nothing passes.
  checkedText(`${program}\n${tests}`);
  const first = take();
  if (first[0] === "throw") finish("failed", shown(first[1]));
  if (first[0] !== "return") finish("failed", "the answer can't be read");
  const text = `with (arguments[0]) return function (${parts.join(", ")}) {\n${tests}\n}`;
  const run = vm.compileFunction(text, [], { filename: "tests.js", lineOffset: -1 })(scope);
  const inner = { exports: {} };
  Reflect.apply(run, inner.exports, [inner.exports, given, inner, "/tmp/program.js", "/tmp"]);
  reached = true;
})();
"""

# A function of the tests at the start of a line, as far as the next line that starts with a brace.
_FUNCTION = re.compile(r"^(?:async[ \t]+)?function[ \t]*\*?[ \t]*([A-Za-z_$][\w$]*)[ \t]*\(.*?(?:^}|\Z)", re.M | re.S)
# In the one text of a plain run, the tests' functions are there for the program too, and instead of its own of that
# name. Those that assert can't be called before the tests have begun: their `assert` is not yet declared.
_EARLY = "function {name}() {{ throw new ReferenceError(\"Cannot access 'assert' before initialization\"); }}\n"
_SERVE = '__ftbench_serve((name) => { "use strict"; return eval(name); });\n'


def _program(program: str, tests: str) -> str:
    names = {found[1] for found in _FUNCTION.finditer(tests) if "assert" in found[0]}
    words = set(re.findall(r"[\w$]+", program))
    return f"{program}\n{''.join(_EARLY.format(name=name) for name in sorted(names & words))}{_SERVE}"


def sides(job: dict[str, Any], execute: object) -> dict[str, Any]:
    """The program's and the judge's command, files and input."""
    wire: str = runpy.run_path(str(Path(__file__).with_name("ftbench_sandbox_javascript_wire.py")))["WIRE"]
    program, tests = job["program"].removeprefix("\ufeff"), job["tests"]
    node = ["node", "--max-old-space-size=@memory"]
    judged = {"program": program, "tests": tests, "entry": job.get("entry_point", "")}
    return {
        "program": {
            "words": [*node, "-r", "./driver.js", "program.js", "ftbench", "@in", "@out"],
            "files": {
                "driver.js": (wire + PROGRAM).encode(),
                "program.js": _program(program, tests).encode("utf-8", "replace"),
            },
            "stdin": b"",
        },
        "judge": {
            "words": [*node, "judge.js", "@in", "@out", "@verdict"],
            "files": {"judge.js": (wire + JUDGE).encode()},
            "stdin": json.dumps(judged).encode(),
        },
    }
