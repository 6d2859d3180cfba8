"""C++: right programs pass, wrong ones fail whatever they try, and both as program and tests in one text would."""

# ruff: noqa: E501 - programs are easier to read in few lines
from __future__ import annotations

import random
import runpy
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cpp_programs import HOSTILE, LETTERS, REFERENCES, hostile, mutants, plain_cpp, problem
from effort import times

from ftbench.tasks import ftbench_sandbox

Run = Callable[..., dict[str, Any]]
Judge = Callable[[dict[str, str]], dict[str, Any]]
FAST = 5
"""One in so many of the small programs runs in the fast tests."""


@pytest.fixture
def judge(run: Run) -> Judge:
    """The sandbox's outcome of one problem, with its program."""

    def judge(item: dict[str, str]) -> dict[str, Any]:
        return run("cpp", item["program"], item["tests"], given=item["given"], memory_mib=1024)

    return judge


def _some(names: list[str]) -> list[Any]:
    return [name if n % FAST == 0 else pytest.param(name, marks=pytest.mark.slow) for n, name in enumerate(names)]


BY_NAME = {item["name"]: item for item in REFERENCES}


@pytest.mark.parametrize("name", _some(list(BY_NAME)))
def test_right_programs_pass(judge: Judge, name: str) -> None:
    outcome = judge(BY_NAME[name])
    assert outcome["passed"], outcome


@pytest.mark.parametrize("name", _some(list(HOSTILE)))
def test_hostile_programs_fail(judge: Judge, name: str) -> None:
    item, ends = hostile(name)
    outcome = judge(item)
    status, _, words = ends.partition(" ")
    assert outcome["status"] == status, outcome
    assert words in (outcome["stderr_tail"] if status == "compile-error" else outcome["reason"]), outcome


def agreement(judge: Judge, items: list[dict[str, str]]) -> tuple[int, int]:
    """How many pass and how many do not, in both the sandbox and a plain run. Raises where the two disagree, unless
    the program's behaviour is undefined."""

    def both(item: dict[str, str]) -> tuple[bool, bool, dict[str, Any]]:
        outcome, plain = judge(item), plain_cpp(item)
        assert (outcome["status"] == "compile-error") == (plain == "compile-error"), (item, outcome, plain)
        return outcome["passed"], plain == "passed", outcome

    passed = failed = 0
    with ThreadPoolExecutor(2) as pool:
        for item, (ours, theirs, outcome) in zip(items, pool.map(both, items), strict=True):
            if ours != theirs:
                checked = plain_cpp(
                    item, "-fsanitize=address,undefined -fno-sanitize-recover=all -D_GLIBCXX_ASSERTIONS"
                )
                assert theirs and checked == "failed", (item["program"], outcome, theirs, checked)
            passed += ours and theirs
            failed += not ours and not theirs
    return passed, failed


def _mutants(items: tuple[dict[str, str], ...], each: int) -> list[dict[str, str]]:
    dice = random.Random(8)
    texts = [(item, text) for item in items for text in mutants(item["program"], item["given"], dice, each)]
    return [{**item, "program": text} for item, text in texts]


@pytest.mark.slow
def test_a_few_mutants_are_judged_as_in_a_plain_run(judge: Judge) -> None:
    passed, failed = agreement(judge, _mutants(REFERENCES[4:5], 6))
    assert passed + failed == 6


@pytest.mark.slow
def test_mutants_are_judged_as_in_a_plain_run(judge: Judge) -> None:
    items = _mutants(REFERENCES, times(2, 6))
    passed, failed = agreement(judge, items)
    print(f"{len(items)} mutants: {passed} passed, {failed} failed in both")
    assert passed + failed >= 0.95 * len(items)
    assert passed >= 5


# --- what crosses ----------------------------------------------------------------------------------------------------

TYPES = "any array bitset complex deque list map optional set string string_view tuple unordered_map unordered_set variant vector"


def _ask(head: str, body: str, tests: str, includes: str = TYPES, before: str = "") -> dict[str, str]:
    return {**problem("ask", includes, head, body, before=before), "tests": f"}}\nint main() {{\n{tests}\n}}\n"}


CROSSING = {
    "numbers": _ask(
        "std::tuple<char, unsigned char, short, unsigned, long long, unsigned long, double, long double, bool, wchar_t> "
        "same(char a, unsigned char b, short c, unsigned d, long long e, unsigned long f, double g, long double h, bool i, "
        "wchar_t j)",
        "  return {a, b, c, d, e, f, g, h, i, j};",
        "assert(same(-1, 255, -2, 4000000000u, -1LL << 62, ~0ul, 0.1, 0.1L, true, L'x') == std::make_tuple(char(-1), "
        "(unsigned char)255, short(-2), 4000000000u, -1LL << 62, ~0ul, 0.1, 0.1L, true, L'x'));\n"
        "assert(std::get<6>(same(0, 0, 0, 0, 0, 0, __builtin_nan(\"\"), 0, 0, 0)) != 0.0);\n"
        "assert(1 / std::get<6>(same(0, 0, 0, 0, 0, 0, -0.0, 0, 0, 0)) < 0);",
    ),
    "containers": _ask(
        "std::map<std::string,std::vector<std::optional<double>>> f(std::deque<long> a, std::list<std::set<char>> b, "
        "std::unordered_map<std::string,std::array<int,2>> c, std::multiset<long> d, std::unordered_set<std::string> e)",
        '  std::map<std::string,std::vector<std::optional<double>>> r;\n  r["a"].push_back(a.back());\n'
        '  r["b"].push_back(b.front().size());\n  r["c"].push_back(c.at("k")[1]);\n  r["d"].push_back(d.count(7));\n'
        '  r["e"] = {std::nullopt, e.size()};\n  return r;',
        'assert(f({1, 2}, {{\'x\', \'y\'}}, {{"k", {3, 4}}}, {7, 7, 8}, {"p"}) == (std::map<std::string,'
        'std::vector<std::optional<double>>>{{"a", {2.0}}, {"b", {2.0}}, {"c", {4.0}}, {"d", {2.0}}, '
        '{"e", {std::nullopt, 1.0}}}));',
    ),
    "variants, views and other types": _ask(
        "std::variant<std::monostate, long, std::string> f(const char* a, std::string_view b, std::complex<double> c, "
        "std::bitset<5> d, std::variant<int, std::vector<int>> e)",
        '  if (!a) return {};\n  if (e.index()) return std::string(a) + std::string(b);\n  return long(c.imag() + d.count());',
        'using V = std::variant<std::monostate, long, std::string>;\nassert(f(nullptr, "", 0.0, 0, 1) == V());\n'
        'assert(f("a", "b", 0.0, 0, std::vector<int>{1}) == V("ab"));\nassert(f("a", "b", {1, 2}, 7, 1) == V(5L));',
    ),
    "arguments that are changed": _ask(
        "void turn(std::vector<int>& xs, const std::string& unchanged, int& count)",
        "  if (xs.empty()) { count = -1; throw std::out_of_range(unchanged); }\n"
        "  for (size_t i = 0; i < xs.size() / 2; i++) std::swap(xs[i], xs[xs.size() - 1 - i]);\n  count += 1;",
        "std::vector<int> xs{1, 2, 3}, none;\nint n = 5;\nturn(xs, \"x\", n);\nassert(n == 6 && xs[0] == 3);\n"
        'try { turn(none, "empty", n); } catch (const std::logic_error& e) { assert(e.what() == std::string("empty")); }\n'
        "assert(n == -1);",
    ),
    "exceptions": _ask(
        "long thrower(long kind)",
        "  struct Own : std::runtime_error { using runtime_error::runtime_error; };\n  if (kind == 0) throw Own(\"own\");\n"
        "  if (kind == 1) throw 5;\n  if (kind == 2) throw std::string(\"text\");\n  if (kind == 3) throw std::bad_alloc();\n"
        "  if (kind == 4) return std::stol(\"x\");\n  if (kind == 5) return *std::optional<long>().value_or(1) ? 1 : 2;\n"
        .replace("*std::optional<long>().value_or(1) ? 1 : 2", "std::optional<long>().value()")
        + "  return std::vector<long>(3).at(kind);",
        "int caught = 0;\ntry { thrower(0); } catch (const std::runtime_error& e) { caught += e.what() == std::string(\"own\"); }\n"
        "try { thrower(1); } catch (int n) { caught += n == 5; }\n"
        "try { thrower(2); } catch (const std::string& s) { caught += s == \"text\"; }\n"
        "try { thrower(3); } catch (const std::bad_alloc&) { caught += 1; }\n"
        "try { thrower(4); } catch (const std::invalid_argument&) { caught += 1; }\n"
        "try { thrower(5); } catch (const std::bad_optional_access&) { caught += 1; }\n"
        "try { thrower(6); } catch (const std::out_of_range&) { caught += 1; }\nassert(caught == 7);",
    ),
    "heads of other kinds": _ask(
        "const std::vector<int>& f(const std::vector<int> &v, int k = 3) noexcept",
        "  static std::vector<int> kept; kept = v; kept.push_back(twice(k)); return kept;",
        "assert(f({}) == std::vector<int>{6});\nassert(f({1}, 5) == (std::vector<int>{1, 10}));\nassert(twice(2) == 4);",
        before="int twice(int x) { if (x) { return 2 * x; } return 0; }\nstruct Unused { int x() const { return 1; } };\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", _some(list(CROSSING)))
def test_values_cross_unchanged(judge: Judge, name: str) -> None:
    outcome = judge(CROSSING[name])
    assert outcome["passed"], outcome


def test_what_is_no_plain_data(judge: Judge) -> None:
    item = _ask("std::any f(long n)", "  struct X {};\n  if (n) return X();\n  return 3L;",
                "assert(std::any_cast<long>(f(0)) == 3);\nassert(f(1).has_value());", "any")  # fmt: skip
    outcome = judge(item)
    assert (outcome["status"], outcome["reason"]) == ("not-plain", "f(long)::X")


@pytest.mark.parametrize(
    ("item", "says"),
    [
        (
            _ask("std::unique_ptr<int> f(long n)", "  return nullptr;", "assert(!f(1));", "memory"),
            "std::unique_ptr<int> can't cross",
        ),
        (
            _ask("template <class T> T f(T n)", "  return n;", "assert(f(1) == 1);", ""),
            "no head of an ordinary function",
        ),
        (_ask("long f(long)", "  return 1;", "assert(f(1) == 1);", ""), "no parameter with a name"),
    ],
)
def test_items_that_can_not_be_judged_say_why(judge: Judge, item: dict[str, str], says: str) -> None:
    outcome = judge(item)
    assert outcome["status"] == "compile-error"
    assert says in outcome["stderr_tail"], outcome
    broken = judge({**item, "program": item["program"] + "oops"})
    assert "oops" in broken["stderr_tail"], broken


def test_the_head_may_be_read_from_a_program_of_plain_types(run: Run) -> None:
    """Where nothing is given: never its text, only its types."""
    program = (
        "using namespace std;\n// one(\nstatic int two() { return 2; }\nvector<long> one(const std::string &s, long) "
    )
    program = "#include <string>\n#include <vector>\n" + program.replace("long)", "long n)") + "{ return {n}; }\n"
    tests = 'int main() { assert(one("", 4) == std::vector<long>{4}); }\n'
    assert run("cpp", program, tests)["passed"]
    own = "struct Any { bool operator==(int) { return true; } };\nAny one(long n) { return {}; }\n"
    outcome = run("cpp", own, "int main() { assert(one(1) == 3); }\n")
    assert outcome["status"] == "compile-error"
    assert "no function of plain types" in outcome["stderr_tail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('  return {"a", "b"};\n}\nnamespace std { int unique; }\nint letters(int x) { return x;', "compile-error"),
        (
            '  if (text == "x") return {text};\n  return {"a", "b"};\n}\n#define letters wrong\nint x() { return 1;',
            "compile-error",
        ),
        (
            '  if (text == "x") return {text};\n  return {"a", "b"};\n}\n#define unused\nstatic int x = 1;\nint y() { return x;',
            "passed",
        ),
    ],
)
def test_what_the_tests_could_not_name_does_not_compile(judge: Judge, body: str, status: str) -> None:
    """As in a plain run: there `auto candidate = letters` is part of the program's unit."""
    item = {**LETTERS, "program": LETTERS["given"] + body + "\n"}
    assert (judge(item)["status"], plain_cpp(item)) == (status, status)


# --- units that are shared -------------------------------------------------------------------------------------------

CPP = Path(ftbench_sandbox.__file__).with_name("ftbench_sandbox_cpp.py")


def test_units_of_an_item_are_built_once() -> None:
    cpp, built, lock = runpy.run_path(str(CPP)), [], threading.Lock()

    def execute(words: list[str], files: dict[str, bytes], stdin: bytes = b"") -> Any:
        with lock:
            built.append(sorted(files))
        return SimpleNamespace(exit_code=0, stopped="", stdout=b"x" * 100, stderr=b"", cpu=0.0)

    jobs = [{**item, "entry_point": ""} for item in (REFERENCES[0], REFERENCES[1]) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda job: cpp["sides"](job, execute), jobs))
    assert all(side["judge"]["files"]["judge"] == b"x" * 100 for side in made)
    assert built.count(["judge.cpp"]) == built.count(["serve.cpp"]) == 2
    assert built.count(["program.cpp", "serve.o"]) == 8


def test_memory_for_units_is_bounded() -> None:
    cpp = runpy.run_path(str(CPP))
    kept, sides = cpp["sides"].__globals__["_kept"], cpp["sides"]

    def execute(words: list[str], files: dict[str, bytes], stdin: bytes = b"") -> Any:
        return SimpleNamespace(exit_code=0, stopped="", stdout=bytes(16 << 20), stderr=b"", cpu=0.0)

    for n in range(6):
        sides({**problem(f"{n}", "string", f"long f{n}(long x)", "  return 1;"), "entry_point": ""}, execute)
    assert len(kept) == cpp["KEPT_BYTES"] // (32 << 20)


def test_an_item_that_was_stopped_is_tried_again() -> None:
    cpp = runpy.run_path(str(CPP))
    ends = [None, None, 0, 0, 0]

    def execute(words: list[str], files: dict[str, bytes], stdin: bytes = b"") -> Any:
        code = 0 if "program.cpp" in files else ends.pop(0)
        return SimpleNamespace(exit_code=code, stopped="" if code == 0 else "timeout", stdout=b"x", stderr=b"", cpu=0.0)

    job = {**REFERENCES[1], "entry_point": ""}
    assert cpp["sides"](job, execute)["failed"].stopped == "timeout"
    assert "judge" in cpp["sides"](job, execute)
