"""What runs inside the sandbox around a generated program: one driver a language, read as data by `ftbench_sandbox`.

Each driver takes program, tests and token from standard input, puts /dev/null there, runs the program, then the tests,
and writes the token to the channel. No file, argument or variable of the environment ever holds the token.
`docs/sandbox.md` says what each driver does to keep it from the program, and what none can.
"""

from __future__ import annotations

import re
import secrets

# The program's frames rest on a `<module>` frame that holds nothing: what the expression's last line needs lies on the
# interpreter's value stack, inside C iterators. The audit hook, which can't be removed, closes the ways to find those.
PYTHON = r"""
import itertools, os
def start():
    with open(0, "rb", closefd=False) as stream:
        head, _, data = stream.read().partition(b"\n")
    channel, program, tests = map(int, head.split())
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    if channel != 3:
        os.dup2(channel, 3)
        os.close(channel)
    token, data = data[:64], data[64:]
    def hook(event, args):
        if event in ("gc.get_objects", "gc.get_referrers", "gc.get_referents", "sys._current_frames",
                     "sys._current_exceptions", "sys.settrace", "sys.setprofile",
                     "sys.monitoring.register_callback"):
            raise RuntimeError("the sandbox does not allow " + event)
        if event == "import" and args[0] in ("_ctypes", "_testcapi", "_testinternalcapi"):
            raise ImportError("the sandbox does not allow " + args[0])
    codes = [compile(data[:program].decode(), "<program>", "exec", 0, True),
             compile(data[program:program + tests].decode(), "<tests>", "exec", 0, True)]
    import sys
    sys.addaudithook(hook)
    steps = itertools.chain(map(exec, codes, itertools.repeat({})), [token])
    for name in ("start", "itertools"):
        del globals()[name]
    return filter(None, steps)
os.write(3, b"".join(start()))
"""

# Closures can't be looked into from JavaScript except through the modules that are refused here. What tests rely on
# (assert) and what runs them (Script) is frozen.
NODE = r"""
"use strict";
(() => {
  const fs = require("fs"), vm = require("vm"), load = require, names = Object.create(null);
  const data = fs.readFileSync(0);
  fs.closeSync(0);
  fs.openSync("/dev/null", "r");
  const end = data.indexOf(10);
  const [channel, program, tests] = data.toString("latin1", 0, end).split(" ").map(Number);
  const token = Buffer.from(data.subarray(end + 1, end + 65)), text = data.subarray(end + 65);
  const first = text.toString("utf8", 0, program), second = text.toString("utf8", program, program + tests);
  data.fill(0, 0, end + 65);
  for (const name of ["inspector", "inspector/promises", "v8", "module", "repl", "worker_threads", "cluster"])
    names[name] = names["node:" + name] = true;
  const guarded = (name) => {
    const wanted = `${name}`;
    if (names[wanted]) throw new Error("the sandbox does not allow " + wanted);
    return load(wanted);
  };
  const write = fs.writeSync, assert = load("assert"), kind = vm.Script.prototype;
  for (const part of [assert, assert.strict, kind, Object.getPrototypeOf(kind)]) Object.freeze(part);
  const parts = [new vm.Script(first, { filename: "program.js" }), new vm.Script(second, { filename: "tests.js" })];
  for (const name of ["binding", "_linkedBinding", "dlopen", "mainModule", "getBuiltinModule"])
    Object.defineProperty(process, name, { value: undefined });
  const module = { exports: {} };
  Object.assign(globalThis, { require: guarded, module, exports: module.exports });
  parts[0].runInThisContext();
  parts[1].runInThisContext();
  write(channel, token);
})();
"""

# Raw system calls: a program may define its own `read`. The token lies masked in memory and `main` is reached only
# through the linker's wrapper; a definition of the wrapper or of __assert_fail in the program is a link error.
CPP = r"""
static long call(long n, long a, long b, long c) {
#if defined(__x86_64__)
  long r;
  asm volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return r;
#else
  register long x8 asm("x8") = n;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
#endif
}
#if defined(__x86_64__)
enum { READ = 0, WRITE = 1, CLOSE = 3, QUIT = 231 };
#else
enum { READ = 63, WRITE = 64, CLOSE = 57, QUIT = 94 };
#endif
static char held[256];
static void take(int, char**, char**) {
  for (long at = 0, n; (n = call(READ, 0, (long)(held + at), (long)sizeof held - at)) > 0;) at += n;
  call(CLOSE, 0, (long)held, 0);
}
__attribute__((section(".preinit_array"), used)) static void (*const entry)(int, char**, char**) = take;
extern "C" int __real_main(int, char**, char**);
extern "C" int __wrap_main(int count, char** words, char** environment) {
  int status = __real_main(count, words, environment);
  if (status == 0) {
    int channel = 0;
    for (int i = 0; i < 8; ++i) channel = channel * 10 + (held[i] - '0');
    for (int i = 0; i < 64; ++i) held[8 + i] ^= held[72 + i];
    call(WRITE, channel, (long)(held + 8), 64);
  }
  return status;
}
extern "C" [[noreturn]] void __assert_fail(const char* what, const char*, unsigned, const char*) noexcept {
  long length = 0;
  while (what[length]) ++length;
  call(WRITE, 2, (long)"assertion failed: ", 18);
  call(WRITE, 2, (long)what, length);
  call(WRITE, 2, (long)"\n", 1);
  for (;;) call(QUIT, 134, (long)held, 0);
}
"""

WORDS = {
    # Not -I or -E: those would ignore PYTHONHASHSEED, without which sets have another order in every run.
    "python": ["python3", "-s", "-S", "-c", PYTHON],
    "javascript": ["node", "--max-old-space-size=@memory", "driver.js"],
    "cpp": ["./program"],
}
FILES = {"python": {}, "javascript": {"driver.js": NODE.encode()}, "cpp": {"driver.cpp": CPP.encode()}}

# The compiled program leaves the sandbox on standard output; nothing of the machine's own disk is written.
COMPILE = [
    "sh",
    "-c",
    "g++ -std=c++17 -o program program.cpp driver.cpp -Wl,--wrap=main -pthread >&2 || exit 1; exec cat program",
]

# Words that can't be macros, and lower-case macros of the standard headers.
_KEPT = {"and", "and_eq", "bitand", "bitor", "compl", "defined", "not", "not_eq", "or", "or_eq", "xor", "xor_eq"}
_KEPT |= {"errno", "stdin", "stdout", "stderr", "offsetof", "setjmp", "va_start", "va_arg", "va_end", "va_copy"}


def cpp_source(program: str, tests: str) -> bytes:
    """Program and tests as one unit. The names that the tests use are freed of the program's macros: a program that
    defines `main` away, or `assert`, would otherwise pass. Names in capitals are left: headers define them."""
    words = {word for word in re.findall(r"\w+", tests, re.ASCII) if word[0].isalpha() and not word.isupper()}
    undefine = "".join(f"#undef {word}\n" for word in sorted((words | {"main", "assert", "NDEBUG"}) - _KEPT))
    head = '#include <cassert>\n#line 1 "program.cpp"'  # at the start, because the tests may begin inside a function
    text = f'{head}\n{program}\n\n{undefine}#include <cassert>\n#line 1 "tests.cpp"\n{tests}\n'
    return text.encode("utf-8", "replace")


def feed(language: str, token: bytes, program: str, tests: str, channel: int) -> bytes:
    """What the driver gets on standard input. `token` has 64 bytes, `channel` is the descriptor it is asked for on."""
    if language == "cpp":
        mask = secrets.token_bytes(64)
        return b"%08d" % channel + bytes(a ^ b for a, b in zip(token, mask, strict=True)) + mask
    first, second = program.encode("utf-8", "replace"), tests.encode("utf-8", "replace")
    return b"%d %d %d\n" % (channel, len(first), len(second)) + token + first + second
