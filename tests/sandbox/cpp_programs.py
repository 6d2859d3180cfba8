"""C++ problems of our own in MultiPL-E's shape, right programs for them, wrong ones that try to pass, and mutants."""

# ruff: noqa: E501 - programs are easier to read in few lines
from __future__ import annotations

import random
import re
import secrets
from collections.abc import Iterator
from typing import Any

from ftbench.tasks import ftbench_sandbox as sandbox

COMMON = ("assert.h", "stdlib.h", "stdexcept")
"""Headers that every problem has; few, so that tests are quick. MultiPL-E has <bits/stdc++.h> everywhere."""


def problem(name: str, includes: str, head: str, body: str, *cases: str, before: str = "") -> dict[str, str]:
    """As MultiPL-E has it: head of a function, tests that close it. `cases` are what is asserted of `candidate`."""
    entry = re.findall(r"(\w+)\(", head)[0]
    given = "".join(f"#include<{n}>\n" for n in [*COMMON, *includes.split()]) + f"{before}// {name}\n{head} {{\n"
    lines = "".join(f"    assert({case});\n" for case in cases)
    tests = f"}}\nint main() {{\n    auto candidate = {entry};\n{lines}}}\n"
    return {"name": name, "given": given, "program": given + body + "\n", "tests": tests}


def union(name: str, *members: str) -> str:
    """A union as MultiPL-E's translator writes them."""
    fields = "".join(f"    {kind} f{n};\n" for n, kind in enumerate(members))[:-1]
    makers = "".join(f"    {name}({kind} _f{n}) : f{n}(_f{n}) {{}}\n" for n, kind in enumerate(members))
    equal = "".join(
        f"    bool operator==({kind} f) {{\n        return f{n} == f ;\n    }}" for n, kind in enumerate(members)
    )
    return f"union {name}{{\n{fields}{makers}    ~{name}() {{}}\n{equal}\n}};\n"


TEXT_OR_NUMBER = union("Union_std_string_long", "std::string", "long")
LIST_OR_NUMBER = union("Union_std_vector_std_string__long", "std::vector<std::string>", "long")
THREE = union("Union_long_float_std_string", "long", "float", "std::string")

REFERENCES = (
    problem("add up", "bits/stdc++.h", "long total(std::vector<long> xs)",
            "  return std::accumulate(xs.begin(), xs.end(), 0L);",
            "candidate((std::vector<long>({(long)1, (long)2}))) == (3)", "candidate((std::vector<long>())) == (0)"),
    problem("largest", "vector algorithm", "long largest(std::vector<long> xs)",
            "  long best = xs[0];\n  for (long x : xs) if (x > best) best = x;\n  return best;",
            "candidate((std::vector<long>({(long)-4, (long)-2}))) == (-2)",
            "candidate((std::vector<long>({(long)9}))) == (9)"),
    problem("shout", "string", "std::string shout(std::string text)",
            "  for (auto& c : text) if (c >= 'a' && c <= 'z') c = c - 'a' + 'A';\n  return text + '!';",
            'candidate(("ab c")) == ("AB C!")', 'candidate(("")) == ("!")'),
    problem("words", "string vector", "std::vector<std::string> words(std::string text)",
            "  std::vector<std::string> out;\n  std::string word;\n  for (char c : text + ' ') {\n"
            "    if (c != ' ') { word += c; continue; }\n    if (word.size() > 0) out.push_back(word);\n"
            '    word = "";\n  }\n  return out;',
            'candidate(("a bc ")) == (std::vector<std::string>({(std::string)"a", (std::string)"bc"}))',
            'candidate((" ")) == (std::vector<std::string>())'),
    problem("triangular", "assert.h", "bool triangular(long n)",
            "  long sum = 0;\n  for (long k = 1; sum < n; k++) sum += k;\n  return sum == n;",
            "candidate((6)) == (true)", "candidate((7)) == (false)", "candidate((0)) == (true)"),
    problem("mean", "vector", "float mean(std::vector<float> xs)",
            "  float sum = 0.0f;\n  for (float x : xs) sum += x;\n  return xs.empty() ? 0.0f : sum / xs.size();",
            "candidate((std::vector<float>({(float)1.5f, (float)2.5f}))) == (2.0f)",
            "candidate((std::vector<float>({(float)0.1f}))) == (0.1f)", "candidate((std::vector<float>())) == (0.0f)"),
    problem("ends", "string vector tuple", "std::tuple<std::string, long> ends(std::vector<std::string> xs)",
            "  return {xs.front() + xs.back(), xs.size()};",
            'candidate((std::vector<std::string>({(std::string)"a", (std::string)"b"}))) '
            '== (std::make_tuple("ab", 2))'),
    problem("first even", "vector optional", "std::optional<long> first_even(std::vector<long> xs)",
            "  for (long x : xs) if (x % 2 == 0) return x;\n  return std::nullopt;",
            "candidate((std::vector<long>({(long)3, (long)4, (long)6}))) == 4",
            "candidate((std::vector<long>({(long)3}))) == std::nullopt"),
    problem("counts", "string map", "std::map<std::string,long> counts(std::string text)",
            "  std::map<std::string,long> out;\n  for (char c : text) out[std::string(1, c)] += 1;\n  return out;",
            'candidate(("aba")) == (std::map<std::string,long>({{"a", 2}, {"b", 1}}))',
            'candidate(("")) == (std::map<std::string,long>())'),
    problem("keys long", "string map", "bool keys_long(std::map<std::string,std::string> dict)",
            "  for (auto& entry : dict) if (entry.first.size() < 3) return false;\n  return !dict.empty();",
            'candidate((std::map<std::string,std::string>({{"abc", "x"}, {"wxyz", ""}}))) == (true)',
            'candidate((std::map<std::string,std::string>({{"ab", "x"}}))) == (false)'),
    problem("grid", "vector tuple",
            "std::vector<std::tuple<long, long>> places(std::vector<std::vector<long>> grid, long x)",
            "  std::vector<std::tuple<long, long>> out;\n  for (size_t r = 0; r < grid.size(); r++)\n"
            "    for (size_t c = 0; c < grid[r].size(); c++) if (grid[r][c] == x) out.push_back({r, c});\n  return out;",
            "candidate((std::vector<std::vector<long>>({(std::vector<long>)std::vector<long>({(long)1, (long)2}), "
            "(std::vector<long>)std::vector<long>({(long)2})})), (2)) == (std::vector<std::tuple<long, long>>("
            "{(std::tuple<long, long>)std::make_tuple(0, 1), (std::tuple<long, long>)std::make_tuple(1, 0)}))",
            "candidate((std::vector<std::vector<long>>()), (1)) == (std::vector<std::tuple<long, long>>())"),
    problem("whole numbers", "any map string vector", "long wholes(std::vector<std::any> values)",
            "  long n = 0;\n  for (auto& v : values) if (v.type() == typeid(int)) n += std::any_cast<int>(v);\n"
            "  return n;",
            'candidate((std::vector<std::any>({4, "x", 2.5f, std::map<long,long>(), std::vector<long>(), 5}))) == (9)',
            "candidate((std::vector<std::any>())) == (0)"),
    problem("range", "tuple string", "std::string overlap(std::tuple<long, long> a, std::tuple<long, long> b)",
            "  auto [l, r] = a;\n  auto [m, s] = b;\n  long low = l > m ? l : m, high = r < s ? r : s;\n"
            '  return low <= high ? "YES" : "NO";',
            'candidate((std::make_tuple(1, 3)), (std::make_tuple(3, 5))) == ("YES")',
            'candidate((std::make_tuple(1, 2)), (std::make_tuple(3, 5))) == ("NO")'),
    problem("extremes", "vector optional tuple",
            "std::tuple<std::optional<long>, std::optional<long>> extremes(std::vector<long> xs)",
            "  std::optional<long> a, b;\n  for (long x : xs) {\n    if (!a || x < *a) a = x;\n"
            "    if (!b || x > *b) b = x;\n  }\n  return std::make_tuple(a, b);",
            "candidate((std::vector<long>({(long)2, (long)5, (long)1}))) "
            "== std::make_tuple(std::optional<long>(1), std::optional<long>(5))",
            "candidate((std::vector<long>())) "
            "== std::make_tuple(std::optional<long>(std::nullopt), std::optional<long>(std::nullopt))"),
    problem("root", "string", "Union_std_string_long root(long n)",
            "  for (long k = 0; k * k <= n; k++) if (k * k == n) return k;\n"
            '  return std::string("none of ") + std::to_string(n);',
            'candidate((8)) == "none of 8"', "candidate((49)) == 7", "candidate((0)) == 0", 'candidate((-1)) == "none of -1"',
            before=TEXT_OR_NUMBER),
    problem("split", "string vector", "Union_std_vector_std_string__long split(std::string text)",
            "  size_t at = text.find(' ');\n  if (at == text.npos) return (long)text.size();\n"
            "  return std::vector<std::string>{text.substr(0, at), text.substr(at + 1)};",
            'candidate(("a b")) == std::vector<std::string>({(std::string)"a", (std::string)"b"})',
            'candidate(("abc")) == 3', before=LIST_OR_NUMBER),
    problem("next", "string", "Union_long_float_std_string next(Union_long_float_std_string value, long kind)",
            "  if (kind == 0) return value.f0 + 1;\n  if (kind == 1) return value.f1 * 2;\n  return value.f2 + '!';",
            "candidate(4L, 0) == 5L", "candidate(1.25f, 1) == 2.5f", 'candidate(std::string("ab"), 2) == "ab!"',
            before=THREE),
    problem("fibonacci", "map", "long fibonacci(long n)",
            "  static std::map<long,long> known;\n  if (n < 2) return n;\n"
            "  if (known.count(n)) return known[n];\n  return known[n] = fibonacci(n - 1) + fibonacci(n - 2);",
            "candidate((10)) == (55)", "candidate((80)) == (23416728348467685)"),
    problem("helpers after", "vector string", "std::vector<long> read(std::vector<long> write)",
            "  struct Node { long value; Node* next; };\n  std::vector<long> encode;\n"
            "  long send(long);\n  for (long x : write) encode.push_back(send(x));\n  return encode;\n}\n"
            "static long hidden(long x) { return 3 * x; }\nnamespace { long call(long x) { return hidden(x) + 1; } }\n"
            "long send(long x) { return call(x); }\nint number = 3, bytes = 4, codec = 5;\n"
            "struct reader { int at = number; };\ntemplate <class T> T take(T x) { return x; }\n"
            "void put() {",
            "candidate((std::vector<long>({(long)1, (long)2}))) == (std::vector<long>({(long)4, (long)7}))"),
    problem("set", "set vector", "std::vector<long> distinct(std::vector<long> xs)",
            "  std::set<long> seen(xs.begin(), xs.end());\n  return {seen.begin(), seen.end()};",
            "candidate((std::vector<long>({(long)3, (long)1, (long)3}))) == (std::vector<long>({(long)1, (long)3}))"),
    problem("digits", "string", "long digits(long n)",
            "  long sum = 0;\n  for (char c : std::to_string(n < 0 ? -n : n)) sum += c - '0';\n  return sum;",
            "candidate((-105)) == (6)", "candidate((0)) == (0)"),
    problem("matches", "vector string", "std::vector<bool> matches(std::vector<std::string> xs, std::string start)",
            "  std::vector<bool> out;\n  for (auto& x : xs) out.push_back(x.compare(0, start.size(), start) == 0);\n"
            "  return out;",
            'candidate((std::vector<std::string>({(std::string)"ab", (std::string)"b"})), ("a")) '
            "== (std::vector<bool>({true, false}))"),
)  # fmt: skip


# --- hostile programs ------------------------------------------------------------------------------------------------

ADD = problem(
    "add", "string vector", "long add(long a, long b)", "", "candidate((1), (2)) == (3)", "candidate((4), (5)) == (9)"
)
LETTERS = problem("letters", "string vector", "std::vector<std::string> letters(std::string text)", "",
                  'candidate(("ab")) == (std::vector<std::string>({(std::string)"a", (std::string)"b"}))',
                  'candidate(("x")) == (std::vector<std::string>({(std::string)"x"}))')  # fmt: skip
EITHER = problem("either", "string", "Union_std_string_long either(long n)", "",
                 'candidate((1)) == "one"', "candidate((0)) == -1", before=TEXT_OR_NUMBER)  # fmt: skip

WRONG = "  return 4;\n}\n"
REST = "\nstatic void rest() {"
EARLY = "__attribute__((constructor)) static void early(int count, char** words, char**) {\n"
EVERY = "for (int n = 0; n < 256; n++) if (n != 1 && n != 2) "
# Speaks the sandbox's own language: answers what it likes, without the function.
ANSWER = """#include <unistd.h>
#include <cstdlib>
#include <cstring>
static void answer(char** words, const void* text, unsigned long count, bool heard) {
  char question[65536];
  if (heard && read(atoi(words[1]), question, sizeof question) <= 0) _exit(0);
  if (write(atoi(words[2]), &count, 8) != 8 || write(atoi(words[2]), text, count) != long(count)) _exit(0);
}
"""


def _add(text: str) -> tuple[dict[str, str], str]:
    return ADD, WRONG + text + REST


def _quits(text: str) -> tuple[dict[str, str], str]:
    headers = "".join(f"#include <{name}>\n" for name in ("csignal", "cstdlib", "exception", "unistd.h", "sys/wait.h"))
    return ADD, "  void quit();\n  quit();\n  return 4;\n}\n" + headers + f"void quit() {{ {text} }}" + REST


def _letters(text: str) -> tuple[dict[str, str], str]:
    return LETTERS, '  return {"a"};\n}\n' + text + REST


HOSTILE: dict[str, tuple[tuple[dict[str, str], str], str]] = {
    # How it is to end: a status, and after it a part of the reason or of the compiler's words.
    "macro over assert": (_add("#undef assert\n#define NDEBUG\n#define assert(x) ((void)0)\n"), "failed assertion"),
    "macro over main": (_add("#define main unused\n#define candidate(...) 3 + 0 *\n"), "failed assertion"),
    "macro over types": (_add("#define long struct X { X(long long) {} }; long\n"), "failed assertion"),
    "own __assert_fail": (
        _add('extern "C" void __assert_fail(const char*, const char*, unsigned, const char*) noexcept {}\n'),
        "failed assertion",
    ),
    "asm label on __assert_fail": (
        _add('extern "C" void mine() __asm__("__assert_fail");\nvoid mine() {}\n'), "failed assertion"
    ),
    "ifunc on __assert_fail": (
        _add('extern "C" { static void none() {} static void (*pick())() { return none; }\n'
             'void mine() __asm__("__assert_fail") __attribute__((ifunc("pick"))); }\n'), "failed assertion",
    ),
    "symbol version of __assert_fail": (
        _add('extern "C" void mine() {}\nasm(".symver mine, __assert_fail@GLIBC_2.2.5");\n'), "failed assertion"
    ),
    "pragma over __assert_fail": (
        _add("#pragma redefine_extname __assert_fail none\n#pragma weak __assert_fail\n"), "failed assertion"
    ),
    "own main": (_add("int main() { return 0; }\n"), "compile-error multiple definition"),
    "main by assembler": (_add('asm(".globl main\\n.set main, _ZL4restv");\n'), "compile-error multiple definition"),
    "weak alias main": (
        _add('extern "C" int quit() { return 0; }\nextern "C" int also() __asm__("main") __attribute__((weak, alias("quit")));\n'),
        "failed assertion",
    ),
    "our own names": (
        _add("namespace ftbench_side { int from, to, told; void verdict(const char*) {} bool send(int, const void*, long) "
             "{ return true; } void broken(const char*) {} void serve(long (*)(long, long)) {} }\n"
             "namespace ftbench_declared { long add(long, long) { return 3; } }\n"), "failed assertion",
    ),
    "constructor ends it": (_add(f"#include <cstdlib>\n{EARLY}  std::_Exit(0);\n}}\n"), "ended"),
    ".preinit_array ends it": (
        _add("#include <cstdlib>\nstatic void quit() { std::_Exit(0); }\n"
             '__attribute__((section(".preinit_array"), used)) static void (*first)() = quit;\n'), "ended",
    ),
    "static initialiser ends it": (_add("#include <cstdlib>\nstatic int x = (std::exit(0), 0);\n"), "ended"),
    "exit": ((ADD, "  exit(0);\n}" + REST), "ended"),
    "quick_exit": ((ADD, "  quick_exit(0);\n}" + REST), "ended"),
    "execve": (_quits("execl(\"/bin/true\", \"true\", nullptr);"), "ended"),
    "signal handler": (_quits("signal(SIGABRT, [](int) { _Exit(0); }); abort();"), "ended"),
    "terminate handler": (
        _quits("std::set_terminate([] { _Exit(0); }); throw 5;"), "failed an exception of type int"
    ),
    "longjmp": (
        _add("#include <csetjmp>\n#include <cstdlib>\nstatic jmp_buf back;\nstatic void last() { longjmp(back, 1); }\n"
             f"{EARLY}  if (setjmp(back)) _Exit(0);\n  atexit(last);\n}}\n"), "failed assertion",
    ),
    "the child goes on": (_quits("if (fork()) { wait(nullptr); _exit(0); }"), "failed assertion"),
    "operator== for the result's type": (
        _letters("using V = std::vector<std::string>;\nbool operator==(const V&, const V&) { return true; }\n"
                 "bool operator==(V, V) { return true; }\n"), "failed assertion",
    ),
    "specialised operator== of the library": (
        _letters("namespace std { template <> bool operator==(const vector<string>&, const vector<string>&) "
                 "{ return true; } }\n"), "failed assertion",
    ),
    "specialised member of the library": (
        _letters("template <> std::vector<std::string>::size_type std::vector<std::string>::size() const noexcept "
                 "{ return 2; }\n"), "failed",
    ),
    "own memcmp": (_letters('extern "C" int memcmp(const void*, const void*, size_t) { return 0; }\n'), "failed assertion"),
    "own strlen": (_letters('extern "C" size_t strlen(const char*) { return 0; }\n'), "failed assertion"),
    "own operator new": (
        _letters("static char pool[1 << 20];\nvoid* operator new(size_t) { return pool; }\nvoid operator delete(void*) noexcept {}\n"
                 "void operator delete(void*, size_t) noexcept {}\n"), "failed",
    ),
    "own read and write": (
        _add('extern "C" long read(int, void*, size_t) { return 0; }\nextern "C" long write(int, const void*, size_t n) '
             "{ return n; }\n"), "failed assertion",
    ),
    "a verdict to every descriptor, before": (
        _add(f'#include <unistd.h>\n{EARLY}  {EVERY}(void)!write(n, "passed\\n", 7);\n}}\n'), "failed an answer of more than"
    ),
    "a verdict to every descriptor, after": (
        _add("#include <unistd.h>\n__attribute__((destructor)) static void late() {\n"
             f'  {EVERY}(void)!write(n, "passed\\n", 7);\n}}\n'), "failed assertion",
    ),
    "descriptors closed": (_add(f"#include <unistd.h>\n{EARLY}  {EVERY}close(n);\n}}\n"), "ended"),
    "an empty answer": (_add(f'{ANSWER}{EARLY}  answer(words, "", 0, true);\n}}\n'), "failed a message is cut short"),
    "an answer of no kind": (_add(f'{ANSWER}{EARLY}  answer(words, "\\7", 1, true);\n}}\n'), "failed an answer of no known kind"),
    "an answer too long": (
        _add(f"{ANSWER}{EARLY}  char text[17] = {{}}; text[1] = 3; answer(words, text, 17, true);\n}}\n"), "failed an answer with more"
    ),
    "an exception of no kind": (
        _add(f'{ANSWER}{EARLY}  answer(words, "\\1\\x63\\0\\0\\0\\0\\0\\0\\0\\0", 10, true);\n}}\n'),
        "failed an exception of no known type",
    ),
    "a count beyond the answer": (
        _letters(f'{ANSWER}{EARLY}  answer(words, "\\0\\2\\0\\0\\0\\0\\0\\0\\x10", 9, true);\n}}\n'), "failed a message is shorter than"
    ),
    "both members of a union": (
        (EITHER, '  return -1L;\n}\n' + ANSWER + EARLY
         + "  char text[36] = {}; memset(text + 1, 255, 8); text[17] = 11; text[25] = 3; memcpy(text + 33, \"one\", 3);\n"
           "  answer(words, text, 36, true); answer(words, text, 36, true); _exit(0);\n}" + REST), "failed the member of the union",
    ),
    "the file itself": (_add('#include "/dev/stdin"\n'), "compile-error /dev/stdin"),
    "the judge's text": (_add('#include "judge.cpp"\n'), "compile-error judge.cpp"),
    "the judge in the program": (_add('asm(".incbin \\"judge\\"");\n'), "compile-error judge"),
    "the compiled unit on standard output": (_add('asm(".print \\"passed\\"");\n'), "failed assertion"),
    "an entry of .init_array": (
        _add("#include <cstdlib>\nstatic void quit() { std::_Exit(0); }\n"
             'asm(".section .init_array,\\"aw\\"\\n.quad _ZL4quitv\\n.text");\nvoid (*kept)() = quit;\n'), "ended",
    ),
    "unfinished condition": (_add("#if 0\n"), "compile-error unterminated"),
    "unfinished text": (_add('const char* x = R"x(\n'), "compile-error unterminated"),
    "unfinished comment": (_add("/*\n"), "compile-error unterminated"),
    "exit code of its own": (
        (ADD, "  return a + b;\n}\n#include <cstdlib>\nstruct Last { ~Last() { std::_Exit(3); } } last;" + REST),
        "failed after its tests it ended with exit code 3",
    ),
}  # fmt: skip


def hostile(name: str) -> tuple[dict[str, str], str]:
    """The job of one, and how it is to end."""
    (item, body), ends = HOSTILE[name]
    return {**item, "program": item["given"] + body + "\n"}, ends


# --- mutants ---------------------------------------------------------------------------------------------------------

SWAPS = ("+ - *", "< <= > >= == !=", "&& ||", "+= -=", "true false", "% /", "push_back", "++ --")
CHANGED = re.compile(
    r"\b\d+L?\b|&&|\|\||[+-]=|\+\+|--|[<>=!]=|(?<= )[-+*/%<>](?= )|\btrue\b|\bfalse\b|return [^;]+;|'.'"
)


def mutants(text: str, given: str, dice: random.Random, count: int) -> Iterator[str]:
    """So many programs with one change each behind what is given."""
    places = [match for match in CHANGED.finditer(text) if match.start() >= len(given)]
    for _ in range(count if places else 0):
        match = dice.choice(places)
        yield text[: match.start()] + _changed(match[0], dice) + text[match.end() :]


def _changed(word: str, dice: random.Random) -> str:
    if word[0].isdigit():
        return str(int(word.rstrip("L")) + dice.choice((-1, 1))) + ("L" if word.endswith("L") else "")
    if word.startswith("return"):
        return dice.choice(
            ("return {};", 'throw std::out_of_range("x");', "std::abort();", "std::exit(0);", word[:-1] + " + 1;")
        )
    if word[0] == "'":
        return dice.choice(("'a'", "' '", "'!'", "'Z'"))
    signs = next(signs.split() for signs in SWAPS if word in signs.split())
    return dice.choice([sign for sign in signs if sign != word] or [word])


PLAIN = "g++ -std=c++17 -w -pthread @flags -o program program.cpp >&2 || exit 199; ./program"


def plain_cpp(item: dict[str, str], flags: str = "") -> str:
    """What a plain run says of program and tests as one text: passed, failed or compile-error. Its tests must come to
    their end. No defence but the box."""
    token = secrets.token_hex(8)
    tests = item["tests"].rstrip().removesuffix("}") + f'    __builtin_puts("\\n{token}");\n}}\n'
    box: dict[str, Any] = sandbox._BOX
    source = {"program.cpp": (item["program"] + tests).encode()}
    words = ["sh", "-c", PLAIN.replace("@flags", flags)]
    ended = box["execute"](box["Command"](words, box["Limits"](20.0, 4096, 1 << 50), b"", source), sandboxed=True)
    if ended.exit_code == 199:
        return "compile-error"
    return "passed" if ended.exit_code == 0 and ended.stdout.rstrip().endswith(token.encode()) else "failed"
