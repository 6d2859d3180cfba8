"""Wrong programs that try to be believed: by ending early, by finding the token, by keeping the tests from running.

The last tests hold what tests inside a program's own process can't prevent, so that docs/sandbox.md stays true.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from ftbench.tasks import ftbench_sandbox

Run = Callable[..., dict[str, Any]]

TOKEN = secrets.token_hex(32)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every program gets the token that this test knows."""
    monkeypatch.setattr(ftbench_sandbox.secrets, "token_hex", lambda count: TOKEN)


TESTS = {
    "python": "assert add(1, 2) == 3\n",
    "javascript": "const assert = require('node:assert');\nassert.deepEqual(add(1, 2), 3);\n",
    "cpp": "int main() { assert(add(1, 2) == 3); }\n",
}
WRONG_JS = "function add(a, b) { return 4; }\n"
WRONG_CPP = "long add(long, long) { return 4; }\n"

# Writes whatever looks like a token to every descriptor, then ends as if all were well.
PYTHON_FOUND = """
import os, re, sys
def add(a, b):
    return 4
def found(text):
    if isinstance(text, str):
        text = text.encode("utf-8", "replace")
    for token in set(re.findall(rb"[0-9a-f]{64}", text)):
        print("found", token)
        for n in range(256):
            try:
                os.write(n, token)
            except OSError:
                pass
"""

EARLY_EXITS = {
    "os._exit": ("python", "import os\nos._exit(0)\n"),
    "sys.exit": ("python", "import sys\nsys.exit(0)\n"),
    "exec of another program": ("python", "import os\nos.execv('/usr/bin/true', ['true'])\n"),
    "exit inside the tested function": ("python", "import os\ndef add(a, b):\n    os._exit(0)\n"),
    "exit when interpreter ends": ("python", "import atexit, os\natexit.register(os._exit, 0)\n"),
    "excepthook": ("python", "import os, sys\nsys.excepthook = lambda *_: os._exit(0)\n"),
    "the child goes on": ("python", "import os\nif os.fork():\n    os.wait()\n    os._exit(0)\n"),
    "process.exit": ("javascript", "process.exit(0);\n"),
    "process.reallyExit": ("javascript", "process.reallyExit(0);\n"),
    "uncaughtException": ("javascript", "process.on('uncaughtException', () => process.exit(0));\n" + WRONG_JS),
    "static initialiser": ("cpp", "#include <cstdlib>\nstatic int early = (std::_Exit(0), 0);\n" + WRONG_CPP),
    "exit at the assertion": (
        "cpp",
        "#include <csignal>\n#include <cstdlib>\nlong add(long, long) { std::exit(0); }\n",
    ),
}


@pytest.mark.parametrize("name", EARLY_EXITS)
def test_early_exit(run: Run, name: str) -> None:
    language, program = EARLY_EXITS[name]
    outcome = run(language, program, TESTS[language])
    assert (outcome["status"], outcome["exit_code"]) in (("no-token", 0), ("failed", 1)), outcome


PYTHON_READERS = {
    "arguments": "found(' '.join(sys.orig_argv + sys.argv))\n",
    "environment": "found(repr(dict(os.environ)))\n",
    "files": (
        "for top in ('/tmp', '/dev', '/proc', '.'):\n    for folder, _, names in os.walk(top):\n"
        "        for name in names:\n            path = os.path.join(folder, name)\n"
        "            if os.path.isfile(path):\n                found(open(path, 'rb').read())\n"
    ),
    "own process": (
        "for name in ('cmdline', 'environ', 'mem', 'maps', 'fd/0', 'task/1/mem', 'stack', 'auxv'):\n    try:\n"
        "        found(open('/proc/self/' + name, 'rb').read())\n    except OSError:\n        pass\n"
    ),
    "descriptors": (
        "for n in range(256):\n    try:\n        os.set_blocking(n, False)\n        found(os.read(n, 1 << 20))\n"
        "    except OSError:\n        pass\n"
        "try:\n    found(sys.stdin.buffer.read())\nexcept OSError:\n    pass\n"
    ),
    "frames": (
        "frame = sys._getframe()\nwhile frame:\n"
        "    found(repr((frame.f_locals, frame.f_globals, frame.f_code.co_consts)))\n    frame = frame.f_back\n"
    ),
    "frames, from the tests": (
        "def add(a, b):\n    frame = sys._getframe()\n    while frame:\n"
        "        found(repr((frame.f_locals, frame.f_globals, frame.f_code.co_consts)))\n        frame = frame.f_back\n"
        "    os._exit(0)\n"
    ),
    "all objects": "import gc\nfound(repr(gc.get_objects()))\n",
    "referents": "import gc\nfound(repr(gc.get_referents(sys.modules['__main__'].__dict__)))\n",
    "modules": "found(repr([vars(module) for module in list(sys.modules.values())]))\n",
    "traces": (
        "def trace(frame, event, argument):\n    found(repr((frame.f_locals, argument)))\n    return trace\n"
        "sys.settrace(trace)\n"
    ),
    "memory": "import ctypes\nfound(ctypes.string_at(id(sys), 4096))\n",
    "writes": (
        "real = os.write\nos.write = lambda n, data: found(data) or real(n, data)\n"
        "def add(a, b):\n    os.write(3, b'x')\n    return 4\n"
    ),
}


@pytest.mark.parametrize("name", PYTHON_READERS)
@pytest.mark.usefixtures("known")
def test_token_reader(run: Run, name: str) -> None:
    outcome = run("python", PYTHON_FOUND + PYTHON_READERS[name], TESTS["python"])
    assert outcome["status"] in ("failed", "no-token"), outcome
    assert TOKEN not in outcome["stdout_tail"], outcome


JS_FOUND = """
const found = (text) => {
  const fs = require("fs"), pipes = [];
  for (let n = 3; n < 64; n++) try { if (fs.fstatSync(n).isFIFO()) pipes.push([n, fs.fstatSync(n).ino]); } catch {}
  for (const token of String(text).match(/[0-9a-f]{64}/g) || []) {
    console.log("found", token);
    // Of its own pipes node holds both ends; writing to those would crash it.
    for (const [n, node] of pipes) if (pipes.filter((p) => p[1] === node).length === 1) fs.writeSync(n, token);
    process.reallyExit(0);
  }
};
"""
JS_READERS = {
    "arguments and environment": "found(process.argv + process.execArgv + JSON.stringify(process.env));\n",
    "files": "const f = require('fs');\nfor (const n of f.readdirSync('/tmp')) found(f.readFileSync('/tmp/' + n));\n",
    "standard input": "found(require('fs').readFileSync(0));\n",
    "callers": (
        "Error.prepareStackTrace = (_, frames) => frames.map((f) => [f.getFunction(), f.getThis()]).join();\n"
        "function add() { found(new Error().stack); found(add.caller); process.exit(0); }\nadd();\n"
    ),
    "heap": "require('v8').writeHeapSnapshot('/tmp/heap'); found(require('fs').readFileSync('/tmp/heap'));\n",
    "debugger": "const { Session } = require('node:inspector');\nconst s = new Session(); s.connect();\n",
    "debugger, by another name": "let n = 0; require({ toString: () => n++ ? 'inspector' : 'fs' }).Session.a;\n",
    "debugger, through the process": "process.getBuiltinModule('inspector').url(); process.mainModule.require('v8');\n",
    "debugger, imported": "import('node:inspector').then((m) => found(m)).finally(() => process.exit(0));\n",
    "bindings": "process.binding('inspector');\n",
    "worker": "new (require('worker_threads').Worker)('', { eval: true });\n",
    "globals": "for (const n of Object.getOwnPropertyNames(globalThis)) found(globalThis[n]);\n",
    "buffers": "found(Buffer.from('x').parent || Buffer.from(Buffer.from('x').buffer).toString('latin1'));\n",
    "writes": "const f = require('fs'), real = f.writeSync; f.writeSync = (n, d) => { found(d); real(n, d); };\n",
}


@pytest.mark.parametrize("name", JS_READERS)
def test_token_reader_in_javascript(run: Run, name: str) -> None:
    outcome = run("javascript", WRONG_JS + JS_FOUND + JS_READERS[name], TESTS["javascript"].replace("const ", "var "))
    assert outcome["status"] in ("failed", "no-token"), outcome
    assert "found" not in outcome["stdout_tail"], outcome


JS_DODGES = {
    "no assertions": "require('assert').deepEqual = require('node:assert').strict.deepEqual = () => {};\n",
    "no scripts": "require('vm').Script.prototype.runInThisContext = () => {};\n",
    "no inner scripts": "Object.getPrototypeOf(require('vm').Script.prototype).runInContext = () => {};\n",
    "unfinished comment": "/*",
    "unfinished template": "`",
    "return": "return;\n",
}


@pytest.mark.parametrize("name", JS_DODGES)
def test_tests_can_not_be_dodged_in_javascript(run: Run, name: str) -> None:
    assert run("javascript", WRONG_JS + JS_DODGES[name], TESTS["javascript"])["status"] == "failed"


CPP_SCAN = """
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>
static void found(const std::string& text) {
  for (size_t at = 0, run = 0; at < text.size(); ++at) {
    run = std::strchr("0123456789abcdef", text[at]) && text[at] ? run + 1 : 0;
    if (run >= 64) { std::puts("found"); for (int n = 3; n < 64; ++n) (void)!write(n, text.data() + at - 63, 64); }
  }
}
static std::string all(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
"""
CPP_READERS = {
    "input, file, environment": CPP_SCAN
    + "extern char** environ;\n__attribute__((constructor(101))) static void early() {\n"
    "  char text[4096]; for (int n = 0; n < 64; ++n) { if (n == 1 || n == 2) continue;\n"
    "    ssize_t got = read(n, text, sizeof text); if (got > 0) found(std::string(text, got)); }\n"
    '  for (char** e = environ; *e; ++e) found(*e);\n  found(all("/tmp/program")); found(all("/proc/self/mem"));\n'
    "  _exit(0);\n}\n",
    "static memory": CPP_SCAN + "extern char __data_start, _end;\n"
    "static int early = (found(std::string(&__data_start, &_end)), _exit(0), 0);\n",
    "own read": '#include <unistd.h>\n#include <cstdio>\nextern "C" ssize_t read(int, void*, size_t n) { '
    'std::puts("found"); return 0; }\n',
    "own assertion": 'extern "C" void __assert_fail(const char*, const char*, unsigned, const char*) noexcept {}\n',
    "own wrapper": 'extern "C" int __wrap_main(int, char**, char**) { return 0; }\n',
    "macro over main": "int main() { return 0; }\n#define main unused\n",
    "macro over assert": "#define NDEBUG\n#undef assert\n#define assert(x)\n",
    "macro over a keyword": "#define int struct X { X() {} }; int\n",
    "unfinished condition": "int main() {}\n#if 0\n",
    "spliced line": "#define assert(x) \\\n  (void)0\nint x; \\",
}


@pytest.mark.parametrize(
    "name", [name if name == "macro over main" else pytest.param(name, marks=pytest.mark.slow) for name in CPP_READERS]
)
def test_cheats_in_cpp(run: Run, name: str) -> None:
    outcome = run("cpp", WRONG_CPP + CPP_READERS[name], TESTS["cpp"])
    assert outcome["status"] in ("compile-error", "failed", "no-token"), outcome
    assert "found" not in outcome["stdout_tail"], outcome


def test_static_memory_of_cpp_does_not_show_the_token(run: Run) -> None:
    outcome = run("cpp", WRONG_CPP + CPP_READERS["static memory"], TESTS["cpp"])
    assert (outcome["status"], outcome["stdout_tail"]) == ("no-token", ""), outcome


@pytest.mark.usefixtures("known")
def test_the_token_itself_would_be_believed(run: Run) -> None:
    """So that the readers of the tests above fail for the right reason: none of them gets hold of it."""
    assert run("python", PYTHON_FOUND + f"found('{TOKEN}')\nos._exit(0)\n", TESTS["python"])["passed"]
    assert run("javascript", JS_FOUND + f"found('{TOKEN}');\n", TESTS["javascript"])["passed"]


@pytest.mark.parametrize("text", ["", "0" * 64, "\\n"])
def test_a_guessed_token_is_not_believed(run: Run, text: str) -> None:
    assert run("python", f"import os\nos.write(3, b'{text}')\nos._exit(0)\n")["status"] == "no-token"
    assert run("python", "import os\nos.write(3, b'x')\n")["status"] == "no-token"


def test_a_failing_exit_is_not_believed(run: Run) -> None:
    """With the token and all: the exit status must be 0 too."""
    assert run("python", "import atexit, os\natexit.register(os._exit, 3)\n")["status"] == "failed"


@pytest.mark.parametrize(
    ("language", "program"),
    [
        ("python", "class Any:\n    def __eq__(self, other):\n        return True\ndef add(a, b):\n    return Any()\n"),
        ("javascript", "function add() { return { valueOf: () => 3 }; }\n"),
    ],
)
def test_what_is_not_prevented(run: Run, language: str, program: str) -> None:
    """A result that says of itself that it equals what is expected. The recorded program shows it to any reader."""
    tests = {"python": TESTS["python"], "javascript": "require('assert').equal(add(1, 2), 3);\n"}
    assert run(language, program, tests[language])["passed"]
