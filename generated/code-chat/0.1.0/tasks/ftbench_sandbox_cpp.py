"""C++ in the sandbox: the program in one process, its tests in another, joined by calls of the one function asked for.

    program   the program's text and the `}` of the tests that closes its function, compiled as in a plain run, linked
              with the *serve* unit: the function's declaration, and a main that calls it for whoever asks
    judge     what the benchmark gives, a stand-in for the function that asks the other side, and the tests

The serve unit and the judge hold nothing of the program: all programs of an item share them. They are kept in memory.
"""

from __future__ import annotations

import functools
import re
import runpy
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

Execute = Callable[..., Any]

KEPT_BYTES = 96 << 20
"""Memory for the units of items, in all; the least recently used ones go first."""
KEPT_FAILURES = 1 << 16
"""What an item that does not compile counts as in that memory."""

PLAIN = "g++ -std=c++17 -pthread -include cassert"
"""What a program is compiled with, alone or here. The tests assert, so that a plain run includes that too."""
OURS = "g++ -std=c++17 -w -fmax-errors=4"
# A compiled unit leaves its sandbox on standard output, so what the assembler prints there must not.
PROGRAM_COMMAND = f"{PLAIN} -o program program.cpp serve.o >&2 || exit 1; exec cat program"
SERVE_COMMAND = f"{OURS} -c -o serve.o serve.cpp >&2 || exit 1; exec cat serve.o"
JUDGE_COMMAND = f"{OURS} -s -o judge judge.cpp >&2 || exit 1; exec cat judge"
ALONE_COMMAND = f"{PLAIN} -c -o program.o program.cpp >&2"

# Parsing all of <bits/stdc++.h> takes 0.7 s, parsing these a tenth of it. Only where the tests use no other name: an
# overload that is not there would change their meaning.
HEADERS = {
    "any": "any", "array": "array", "deque": "deque", "list": "list", "make_optional": "optional",
    "make_pair": "utility", "make_tuple": "tuple", "map": "map", "monostate": "variant", "multimap": "map",
    "multiset": "set", "nullopt": "optional", "optional": "optional", "pair": "utility", "set": "set",
    "string": "string", "string_view": "string_view", "tuple": "tuple", "unordered_map": "unordered_map",
    "unordered_multimap": "unordered_map", "unordered_multiset": "unordered_set", "unordered_set": "unordered_set",
    "variant": "variant", "vector": "vector", "bitset": "bitset", "complex": "complex",
}  # fmt: skip
"""Name in `std` → its header; those of which values can cross, and what makes them."""
BASE = "bool char int long short float double unsigned signed size_t int8_t int16_t int32_t int64_t uint8_t uint16_t"
BASE += " uint32_t uint64_t"
KNOWN = {*HEADERS, *BASE.split(), "std", "main", "assert", "auto", "const", "true", "false", "return", "for", "if"}
KNOWN |= {"candidate", "while", "else", "nullptr", "operator", "union", "void"}
EVERYTHING = re.compile(r"#\s*include\s*<bits/stdc\+\+\.h>")

HELD = "bool, char, signed char, unsigned char, short, unsigned short, int, unsigned, long, unsigned long, long long, "
HELD += "unsigned long long, float, double, long double, const char*, std::string"
"""What a `std::any` may hold; also every type of the library that the tests name."""

SPACE = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.)*", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")


class Unfit(Exception):
    """The benchmark's own text is none that can be split between two processes. The message says why."""


class Ended:
    """Stands for a command's end where none was run."""

    exit_code, stopped, cpu, stdout = 1, "", 0.0, b""

    def __init__(self, why: str) -> None:
        self.stderr = why.encode()


def sides(job: dict[str, Any], execute: Execute) -> dict[str, Any]:
    """The commands of both sides of a job, or {"failed": how compiling ended}. See ftbench_sandbox.py."""
    program, tests = job["program"], job["tests"]
    tail = re.match(r"\s*\}", tests)
    closing, tests = (tail[0], tests[tail.end() :]) if tail else ("", tests)
    source = {"program.cpp": _program(program, closing, tests)}
    try:
        serve, judge = _item(job.get("given") or "", program, job.get("entry_point") or "", tests, execute)
    except Unfit as problem:
        serve = judge = Ended(f"the sandbox can't judge this item: {problem}")
    for part in (serve, judge):
        if not isinstance(part, bytes):  # the program's own errors come first, as in a plain run
            alone = execute(["sh", "-c", ALONE_COMMAND], source)
            return {"failed": part if alone.exit_code == 0 else alone}
    linked = execute(["sh", "-c", PROGRAM_COMMAND], source | {"serve.o": serve})
    if linked.exit_code != 0:
        return {"failed": linked}
    return {
        "program": {"words": ["./program", "@in", "@out"], "files": {"program": linked.stdout}, "stdin": b""},
        "judge": {"words": ["./judge", "@in", "@out", "@verdict"], "files": {"judge": judge}, "stdin": b""},
    }


def _program(program: str, closing: str, tests: str) -> bytes:
    """The program's unit. The tests' line that takes the function stands there too, never run: where the program
    makes that name mean more than one thing, a plain run does not compile."""
    taken = re.search(r"^\s*auto candidate = \w+;$", tests, re.MULTILINE)
    check = f"\nnamespace {{ [[maybe_unused]] void ftbench_taken() {{\n{taken[0]}\n}} }}\n" if taken else "\n"
    return f"{program}\n{closing}{check}".encode("utf-8", "replace")


# --- what an item gives ----------------------------------------------------------------------------------------------


def _item(given: str, program: str, entry: str, tests: str, execute: Execute) -> tuple[Any, Any]:
    """The object of the serve unit and the judge, or how compiling them ended; built once for all programs."""
    if not given.strip():
        given = _given(program, entry, tests)
    key = _units(given, tests)
    with _lock:
        made = _kept.get(key)
        mine = made is None
        if made is None:
            made = _kept[key] = Future()
        _kept.move_to_end(key)
    if mine:
        try:
            made.set_result(_build(key, execute))
        except BaseException as problem:
            made.set_exception(problem)
            _forget(key)
            raise
        if any(not isinstance(part, bytes) and part.exit_code != 1 for part in made.result()):
            _forget(key)  # it was stopped, not refused: another time it may work
        _trim()
    built: tuple[Any, Any] = made.result()
    return built


_lock = threading.Lock()
_kept: OrderedDict[tuple[str, str], Future[tuple[Any, Any]]] = OrderedDict()


def _forget(key: tuple[str, str]) -> None:
    with _lock:
        _kept.pop(key, None)


def _trim() -> None:
    with _lock:
        sizes = {
            key: sum(len(part) if isinstance(part, bytes) else KEPT_FAILURES for part in made.result())
            for key, made in _kept.items()
            if made.done() and not made.exception()
        }
        total = sum(sizes.values())
        for key, size in sizes.items():
            if total <= KEPT_BYTES:
                break
            del _kept[key]
            total -= size


def _build(texts: tuple[str, str], execute: Execute) -> tuple[Any, Any]:
    """Both units, at the same time: the first program of an item waits for the slower one."""
    commands = (("serve.cpp", SERVE_COMMAND), ("judge.cpp", JUDGE_COMMAND))
    ends: list[Any] = [None, None]

    def build(which: int) -> None:
        name, command = commands[which]
        try:
            ends[which] = execute(["sh", "-c", command], {name: texts[which].encode("utf-8", "replace")})
        except Exception as problem:
            ends[which] = problem

    other = threading.Thread(target=build, args=(1,))
    other.start()
    build(0)
    other.join()
    for end in ends:
        if isinstance(end, Exception):
            raise end
    return tuple(_refused(end) if end.exit_code != 0 else end.stdout for end in ends)


def _refused(ended: Any) -> Any:
    """How compiling a unit of ours ended. Where a type can't cross, its name comes last, where people see it."""
    found = re.search(rb"codec<(.*), void>", ended.stderr)
    if found:
        ended.stderr += b"\nthe sandbox can't judge this item: a value of type %s can't cross\n" % found[1]
    return ended


def _blank(text: str, *, strings: bool) -> str:
    """The text without comments (and with `strings`, without what stands in quotes), each place where it was."""

    def blanked(match: re.Match[str]) -> str:
        if match[0][0] in "\"'":
            return match[0][0] + " " * (len(match[0]) - 2) + match[0][0] if strings else match[0]
        return re.sub(r"[^\n]", " ", match[0])

    return SPACE.sub(blanked, text)


def _asking(tests: str, name: str) -> str:
    """The tests, where the function's name stands for the stand-in alone: in main, whatever else in a header of ours
    has that name; outside of it, beside such."""
    line, using = '#line 1 "tests.cpp"\n', f"using ftbench_declared::{name};"
    main = re.search(r"\bint\s+main\s*\([^)]*\)\s*\{", tests)
    if main and name not in NAME.findall(tests[: main.start()]):
        return f"{line}{tests[: main.end()]} {using} {tests[main.end() :]}"
    return f"{using}\n{line}{tests}"


@functools.cache
def _wire() -> dict[str, Any]:
    """Name → text of C++ of the other two files: what crosses, and what either side does."""
    files = (Path(__file__).with_name(f"ftbench_sandbox_cpp_{part}.py") for part in ("wire", "sides"))
    return {name: text for file in files for name, text in runpy.run_path(str(file)).items()}


def _units(given: str, tests: str) -> tuple[str, str]:
    """The texts of the serve unit and of the judge."""
    wire = _wire()
    code = _blank(given, strings=False)
    directives = "\n".join(match[0].strip() for match in DIRECTIVE.finditer(code))
    code = DIRECTIVE.sub(lambda match: " " * len(match[0]), code)
    before, head, name, parameters = _head(code)
    unions = list(_unions(before))
    names = {*NAME.findall(_blank(tests, strings=True)), *NAME.findall(before + head)}
    headers = "".join(f"#include <{header}>\n" for header in sorted({HEADERS[n] for n in names if n in HEADERS}))
    known = KNOWN | {name, *parameters, *(union for union, _, _ in unions)}
    plain = not _left(before, unions) and set(NAME.findall(head)) <= known
    narrow = EVERYTHING.sub("", directives) if plain else directives
    held = HELD + "".join(f", {text}" for text in sorted(set(_types(tests + head))) if "any" in names)
    start = f"#include <cassert>\n#define FTBENCH_NAME {name}\n#define FTBENCH_HELD {held}\n"
    stand_in = f"return ftbench_side::stub<decltype(ftbench_declared::{name})>::call({', '.join(parameters)});"
    # A function of C's library with that very head must be an error here, not called in the program's place.
    first = f"{head};\n" if set(NAME.findall(head)) <= {*BASE.split()[:9], name, *parameters} else ""
    served = "\n".join(
        [first + narrow, headers + start + wire["WIRE"], wire["UNION_SERVE"] if unions else "", _declarations(before)]
        + [_union_codec(name, members) for name, _, members in unions]
        + [f"namespace ftbench_declared {{ {head}; }}\n{head};", wire["SERVE"]]
    )
    judged = "\n".join(
        [narrow if set(NAME.findall(_blank(tests, strings=True))) <= known else directives]  # noqa: RUF005
        + [headers + start + wire["WIRE"] + wire["JUDGE"], wire["UNION_JUDGE"] if unions else ""]
        + [_judged(before, unions), f"namespace ftbench_declared {{ {head} {{ {stand_in} }} }}", _asking(tests, name)]
    )
    return served, judged


def _head(code: str) -> tuple[str, str, str, list[str]]:
    """What stands before the function that is asked for, its head, its name, and the names of its parameters."""
    code = code.rstrip()
    if not code.endswith("{"):
        raise Unfit("the text before the program does not end with the head of a function and `{`")
    depth = start = 0
    for at, sign in enumerate(code[:-1]):
        depth += {"{": 1, "}": -1}.get(sign, 0)
        if depth == 0 and sign in "};":
            start = at + 1
    before, head = code[:start], code[start:-1].strip()
    shape = re.match(r"[^()]*?([A-Za-z_]\w*)\s*\((.*)\)\s*(?:noexcept\s*)?$", head, re.DOTALL)
    if depth or not shape or re.match(r"(template|static|inline|constexpr|extern)\b", head):
        raise Unfit(f"`{head}` is no head of an ordinary function")
    parameters = []
    for part in _parts(shape[2]):
        found = re.match(r"[^=]*?([A-Za-z_]\w*)\s*(?:=.*)?$", part, re.DOTALL)
        if not found or not part[: found.start(1)].strip() or not found[1]:
            raise Unfit(f"`{part}` is no parameter with a name")
        parameters.append(found[1])
    return before, head, shape[1], parameters


def _parts(text: str) -> list[str]:
    """A list split at its commas, but not inside brackets."""
    parts, depth = [""], 0
    for sign in text:
        depth += {"<": 1, "(": 1, "{": 1, "[": 1, ">": -1, ")": -1, "}": -1, "]": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts] if text.strip() not in ("", "void") else []


def _types(text: str) -> Iterator[str]:
    """The types of the library with arguments that a text names, such as `std::map<long,long>`."""
    for match in re.finditer(r"std::(\w+)\s*<", text):
        depth, at = 1, match.end()
        while depth and at < len(text):
            depth += {"<": 1, ">": -1}.get(text[at], 0)
            at += 1
        if match[1] in HEADERS and "any" not in text[match.end() : at]:
            yield re.sub(r"\s+", " ", text[match.start() : at])


# --- unions of a prompt ----------------------------------------------------------------------------------------------

Union = tuple[str, str, list[tuple[str, str]]]


def _block(text: str, opened: int) -> int:
    """Where the block ends that begins with the brace at `opened`."""
    depth = 0
    for at in range(opened, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return at
    raise Unfit("a brace is not closed")


def _unions(text: str) -> Iterator[Union]:
    """The unions of a prompt: name, body, and its members' types and names."""
    for match in re.finditer(r"\bunion\s+(\w+)\s*\{", text):
        body = text[match.end() : _block(text, match.end() - 1)]
        flat, at = body, 0
        while (at := flat.find("{", at)) >= 0:  # its functions' bodies
            end = _block(flat, at)
            flat = flat[:at] + ";" * (end + 1 - at) + flat[end + 1 :]
        members = [re.fullmatch(r"\s*([^()]+?)\s*(\w+)\s*", part) for part in flat.split(";")]
        yield match[1], body, [(member[1], member[2]) for member in members if member]


def _left(text: str, unions: list[Union]) -> str:
    """What a prompt has besides unions."""
    for name, body, _ in unions:
        text = re.sub(r"\bunion\s+" + name + r"\s*\{" + re.escape(body) + r"\}\s*;?", "", text)
    return text.strip()


def _declarations(text: str) -> str:
    """What the serve unit needs of a prompt: its functions without their bodies, which the program brings."""
    at = 0
    while (found := re.search(r"\)\s*(?:const\s*|noexcept\s*)?\{", text[at:])) is not None:
        opened, depth = (
            at + found.end() - 1,
            text[: at + found.start()].count("{") - text[: at + found.start()].count("}"),
        )
        end = _block(text, opened)
        if depth == 0:
            text = text[:opened] + ";" + text[end + 1 :]
        at = opened + 1 if depth == 0 else end + 1
    return text


def _union_codec(name: str, members: list[tuple[str, str]]) -> str:
    """For the serve unit: how a union is sent, and made from the one member that comes."""
    puts = "".join(
        f"    if constexpr (!std::is_arithmetic_v<{kind}>) ftbench_side::put_member(out, value.{member});\n"
        for kind, member in members
    )
    takes = "".join(
        f"    if (which == {n}) return {name}(ftbench_side::take<{kind}>(in));\n" for n, (kind, _) in enumerate(members)
    )
    return f"""
namespace ftbench_side {{ namespace {{ template <> struct codec<{name}> {{
  static void put(bytes& out, const {name}& value) {{
    unsigned char first[16] = {{}};
    __builtin_memcpy(first, &value, sizeof value < sizeof first ? sizeof value : sizeof first);
    out.add(first, sizeof first);
{puts}  }}
  static {name} take(reader& in) {{
    const unsigned char which = in.get<unsigned char>();
{takes}    broken("a union without such a member");
  }}
}}; }} }}"""


def _judged(before: str, unions: list[Union]) -> str:
    """For the judge: what a prompt gives, its unions as structs that know which members have a value."""
    for name, body, members in unions:
        changed = body
        for kind, member in members:
            changed = re.sub(
                rf"(?<![\w:<]){re.escape(kind)}\s+{member}\s*;",
                f"ftbench_side::member<{kind}> {member};",
                changed,
                count=1,
            )
        first = ", ".join(f"{member}(first, in)" for _, member in members)
        puts = "".join(
            f"    if (value.{member}.value) {{\n      out.put((unsigned char){n});\n"
            f"      return ftbench_side::put<{kind}>(out, *value.{member}.value);\n    }}\n"
            for n, (kind, member) in enumerate(members)
        )
        codec = f"""struct {name} {{
  {name}(const ftbench_side::raw& first, ftbench_side::reader& in) : {first} {{}}{changed}}};
namespace ftbench_side {{ namespace {{ template <> struct codec<{name}> {{
  static void put(bytes& out, const {name}& value) {{
{puts}    broken("a union without a value");
  }}
  static {name} take(reader& in) {{
    raw first;
    in.take(first.data, sizeof first.data);
    return {name}(first, in);
  }}
}}; }} }}
"""
        found = re.search(r"\bunion\s+" + name + r"\s*\{" + re.escape(body) + r"\}\s*;", before)
        if found:
            before = before[: found.start()] + codec + before[found.end() :]
    return before


# --- programs without a given head -----------------------------------------------------------------------------------


def _given(program: str, entry: str, tests: str) -> str:
    """The head of the function that the tests call, read from the program: only where it is made of nothing but plain
    types of the library, and written anew, so that the judge holds no text of the program's."""
    code = DIRECTIVE.sub("", _blank(program, strings=True))
    called = re.search(r"\bauto candidate = (\w+);", tests)
    names = [entry] if entry else [called[1]] if called else NAME.findall(_blank(tests, strings=True))
    for name in dict.fromkeys(names):
        for match in re.finditer(rf"([\w:<>,&\s]+?)\s*\b{re.escape(name)}\s*\(([^(){{}}]*)\)\s*\{{", code):
            result = _plain(match[1])
            kinds = [re.fullmatch(r"(.*?[\s&>])\w+\s*", part, re.DOTALL) for part in _parts(match[2])]
            plain = [_plain(kind[1]) if kind else "" for kind in kinds]
            if result and all(plain):
                parameters = ", ".join(f"{kind} a{n}" for n, kind in enumerate(plain))
                return f"#include <bits/stdc++.h>\n{result} {name}({parameters}) {{"
    raise Unfit("nothing is given before the program, and no function of plain types in it is one that the tests call")


def _plain(kind: str) -> str:
    """A type written anew, or nothing where it is more than the library's types of values."""
    words = re.findall(r"\w+|::|[^\s\w]", kind)
    allowed = {*HEADERS, *BASE.split(), "std", "const", "void", "::", "<", ">", ",", "&"} - {"nullopt"}
    if not words or any(word not in allowed and not word.isdigit() for word in words):
        return ""
    words = [word for word in words if word not in ("std", "::")]
    return " ".join(f"std::{word}" if word in HEADERS else word for word in words)
