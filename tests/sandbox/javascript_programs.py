"""Problems in the style of MultiPL-E's JavaScript, written for these tests; changed versions of them; a plain run."""

from __future__ import annotations

import random
import re
import secrets
from collections.abc import Iterator

from ftbench.tasks import ftbench_sandbox as sandbox

PROBLEMS: dict[str, tuple[str, list[tuple[str, str]]]] = {  # name → program, [(arguments, result)]
    "count_vowels": (
        """function count_vowels(text){
  let n = 0;
  for (const c of text.toLowerCase()) {
    if ("aeiou".includes(c)) n += 1;
  }
  return n;
}""",
        [('"Banana"', "3"), ('""', "0"), ('"xyz"', "0"), ('"AEIOU u"', "6")],
    ),
    "running_total": (
        """function running_total(numbers){
  const out = [];
  let sum = 0;
  for (let i = 0; i < numbers.length; i++) {
    sum += numbers[i];
    out.push(sum);
  }
  return out;
}""",
        [("[1, 2, 3]", "[1, 3, 6]"), ("[]", "[]"), ("[-1, 1, -1]", "[-1, 0, -1]"), ("[0.5, 0.25]", "[0.5, 0.75]")],
    ),
    "letter_counts": (
        """function letter_counts(text){
  const counts = {};
  for (const c of text) {
    if (c === " ") continue;
    counts[c] = (counts[c] || 0) + 1;
  }
  return counts;
}""",
        [('"abca"', '{"a": 2, "b": 1, "c": 1}'), ('" "', "{}"), ('"zz z"', '{"z": 3}')],
    ),
    "second_largest": (
        """function second_largest(list){
  const unique = [...new Set(list)];
  unique.sort((a, b) => b - a);
  if (unique.length < 2) return undefined;
  return unique[1];
}""",
        [("[4, 1, 4, 3]", "3"), ("[7]", "undefined"), ("[]", "undefined"), ("[-1, -2]", "-2"), ("[10, 9, 100]", "10")],
    ),
    "is_palindrome": (
        """const is_palindrome = (text) => {
  const clean = text.toLowerCase().replace(/[^a-z0-9]/g, "");
  let i = 0, j = clean.length - 1;
  while (i < j) {
    if (clean[i] !== clean[j]) return false;
    i += 1;
    j -= 1;
  }
  return true;
};""",
        [('"A man, a plan, a canal: Panama"', "true"), ('"ab"', "false"), ('""', "true"), ('"aba"', "true")],
    ),
    "gcd_all": (
        """function gcd(a, b){
  return b === 0 ? a : gcd(b, a % b);
}
function gcd_all(list){
  return list.reduce((a, b) => gcd(a, b), 0);
}""",
        [("[12, 18, 30]", "6"), ("[7]", "7"), ("[]", "0"), ("[5, 9]", "1")],
    ),
    "transpose": (
        """function transpose(grid){
  if (grid.length === 0) return [];
  return grid[0].map((_, j) => grid.map((row) => row[j]));
}""",
        [("[[1, 2], [3, 4]]", "[[1, 3], [2, 4]]"), ("[[1, 2, 3]]", "[[1], [2], [3]]"), ("[]", "[]")],
    ),
    "caesar": (
        """function caesar(text, shift){
  return text.split("").map((c) => {
    const code = c.charCodeAt(0);
    if (code >= 97 && code <= 122) {
      return String.fromCharCode((code - 97 + shift) % 26 + 97);
    }
    return c;
  }).join("");
}""",
        [('"abc xyz", 3', '"def abc"'), ('"", 5', '""'), ('"Hello", 1', '"Hfmmp"'), ('"z", 26', '"z"')],
    ),
    "group_by_length": (
        """function group_by_length(words){
  const groups = new Map();
  for (const word of words) {
    const key = word.length;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(word);
  }
  return Object.fromEntries(groups);
}""",
        [('["a", "bb", "c"]', '{"1": ["a", "c"], "2": ["bb"]}'), ("[]", "{}"), ('[""]', '{"0": [""]}')],
    ),
    "flatten": (
        """function flatten(list){
  const out = [];
  for (const item of list) {
    if (Array.isArray(item)) out.push(...flatten(item));
    else out.push(item);
  }
  return out;
}""",
        [("[1, [2, [3, []]]]", "[1, 2, 3]"), ('["a", [undefined, null]]', '["a", undefined, null]'), ("[[]]", "[]")],
    ),
    "compress": (
        """function compress(text){
  let out = "";
  let i = 0;
  while (i < text.length) {
    let j = i;
    while (j < text.length && text[j] === text[i]) j++;
    out += text[i] + (j - i);
    i = j;
  }
  return out;
}""",
        [('"aaabcc"', '"a3b1c2"'), ('""', '""'), ('"zz"', '"z2"')],
    ),
    "primes_below": (
        """function primes_below(n){
  const sieve = new Uint8Array(Math.max(n, 2));
  const out = [];
  for (let i = 2; i < n; i++) {
    if (sieve[i]) continue;
    out.push(i);
    for (let j = i * i; j < n; j += i) sieve[j] = 1;
  }
  return out;
}""",
        [("10", "[2, 3, 5, 7]"), ("2", "[]"), ("0", "[]"), ("30", "[2, 3, 5, 7, 11, 13, 17, 19, 23, 29]")],
    ),
    "factorial_digits": (
        """function factorial_digits(n){
  let product = 1n;
  for (let i = 2n; i <= BigInt(n); i++) product *= i;
  return [...product.toString()].map(Number).reduce((a, b) => a + b, 0);
}""",
        [("5", "3"), ("10", "27"), ("0", "1"), ("25", "72")],
    ),
    "merge_sorted": (
        """function merge_sorted(a, b){
  const out = [];
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (j >= b.length || (i < a.length && a[i] <= b[j])) {
      out.push(a[i++]);
    } else {
      out.push(b[j++]);
    }
  }
  return out;
}""",
        [("[1, 4], [2, 3]", "[1, 2, 3, 4]"), ("[], [1]", "[1]"), ("[], []", "[]"), ("[1, 1], [1]", "[1, 1, 1]")],
    ),
    "balanced": (
        """function balanced(text){
  const pairs = { ")": "(", "]": "[", "}": "{" };
  const stack = [];
  for (const c of text) {
    if ("([{".includes(c)) stack.push(c);
    else if (c in pairs && stack.pop() !== pairs[c]) return false;
  }
  return stack.length === 0;
}""",
        [('"([]{})"', "true"), ('"(]"', "false"), ('"(("', "false"), ('""', "true"), ('"a)"', "false")],
    ),
    "median": (
        """function median(numbers){
  const sorted = numbers.slice().sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}""",
        [("[3, 1, 2]", "2"), ("[4, 1, 2, 3]", "2.5"), ("[-5]", "-5"), ("[]", "NaN"), ("[10, 9]", "9.5")],
    ),
    "only_numbers": (
        """function only_numbers(values){
  return values.filter((v) => typeof v === "number" && !Number.isNaN(v));
}""",
        [('[1, "2", {}, [], 3.5, null, undefined, true]', "[1, 3.5]"), ("[]", "[]"), ("[NaN, -0]", "[0]")],
    ),
    "parse_query": (
        """function parse_query(text){
  if (!text) return {};
  return text.split("&").reduce((all, part) => {
    const [key, value] = part.split("=");
    all[key] = value === undefined ? true : decodeURIComponent(value);
    return all;
  }, {});
}""",
        [('"a=1&b=x%20y"', '{"a": "1", "b": "x y"}'), ('""', "{}"), ('"flag"', '{"flag": true}')],
    ),
    "climb": (
        """const memo = new Map();
function climb(n){
  if (n <= 1) return 1;
  if (memo.has(n)) return memo.get(n);
  const ways = climb(n - 1) + climb(n - 2);
  memo.set(n, ways);
  return ways;
}""",
        [("2", "2"), ("5", "8"), ("0", "1"), ("40", "165580141")],
    ),
    "digits_sorted": (
        """function digits_sorted(n, { down = false } = {}){
  const digits = String(Math.abs(n)).split("").sort();
  if (down) digits.reverse();
  return Number(digits.join(""));
}""",
        [("3120", "123"), ("-42", "24"), ('3120, {"down": true}', "3210")],
    ),
    "rotate": (
        """function rotate(list, k){
  for (let i = 0; i < k; i++) {
    list.unshift(list.pop());
  }
  return list;
}""",
        [
            ("[1, 2, 3], 1", "[3, 1, 2]"),
            ("[1], 4", "[1]"),
            ("[1, 2, 3, 4], 2", "[3, 4, 1, 2]"),
            ("[1, 2], 0", "[1, 2]"),
        ],
    ),
    "to_roman": (
        """function to_roman(n){
  const table = [[10, "x"], [9, "ix"], [5, "v"], [4, "iv"], [1, "i"]];
  let out = "";
  for (const [value, letters] of table) {
    while (n >= value) {
      out += letters;
      n -= value;
    }
  }
  return out;
}""",
        [("4", '"iv"'), ("19", '"xix"'), ("0", '""'), ("38", '"xxxviii"')],
    ),
    "longest_word": (
        """class Best {
  constructor() { this.word = ""; }
  offer(word) {
    if (word.length > this.word.length) this.word = word;
  }
}
function longest_word(text){
  const best = new Best();
  text.split(" ").forEach((word) => best.offer(word));
  return best.word;
}""",
        [('"a bcd ef"', '"bcd"'), ('""', '""'), ('"ab cd"', '"ab"')],
    ),
    "pairs_with_sum": (
        """function* pairs(list){
  for (let i = 0; i < list.length; i++) {
    for (let j = i + 1; j < list.length; j++) yield [list[i], list[j]];
  }
}
function pairs_with_sum(list, sum){
  return [...pairs(list)].filter(([a, b]) => a + b === sum);
}""",
        [("[1, 2, 3], 4", "[[1, 3]]"), ("[], 0", "[]"), ("[2, 2, 2], 4", "[[2, 2], [2, 2], [2, 2]]")],
    ),
}


def multipl_e(name: str, pairs: list[tuple[str, str]]) -> str:
    """Tests as MultiPL-E writes them."""
    lines = "".join(f"  assert.deepEqual(candidate({given}),{wanted});\n" for given, wanted in pairs)
    start = "const assert = require('node:assert');\n\n\nfunction test() {\n"
    return f"{start}  let candidate = {name};\n{lines}}}\n\ntest();"


OPERATORS = ["+", "-", "*", "/", "%", "===", "==", "!==", "!=", "<", "<=", ">", ">=", "&&", "||"]
RETURNS = ["undefined", "null", "0", "''", "[]", "({{}})", "true", "NaN", "-0", "new Set([1])", "Object.create(null)"]
RETURNS += ["[undefined]", "new Map()", "Symbol.iterator", "1n", "a.b", "this"]
SAME = ["structuredClone({})", "Object({})", "[...{}]", "({{...{}}})", "JSON.parse(JSON.stringify({}))", "[{}][0]"]
SAME += ["String({})", "!({})", "-({})", "[{}]", "Object.freeze({})", "({}) ?? undefined", "+({})", "[{}].flat()"]
_RETURN = re.compile(r"return ([^;]+);")
_OPERATOR = re.compile(r"(?<= )(?:[-+*/%<>]|[<>]=|[!=]==|&&|\|\|)(?= )")
_NUMBER = re.compile(r"\b\d+\b")
_LINE = re.compile(r"^ +[^\n{}]*;\n", re.M)
_METHOD = re.compile(r"\.(?:push|pop|shift|unshift|map|filter|slice|reverse|sort|join|split|toLowerCase|includes)\b")


def mutants(program: str, dice: random.Random, count: int) -> Iterator[str]:
    """So many programs with one change each, most of them still JavaScript."""
    made = 0
    while made < count:
        kind = dice.choice([_RETURN, _RETURN, _OPERATOR, _OPERATOR, _NUMBER, _LINE, _METHOD])
        places = list(kind.finditer(program))
        if not places:
            continue
        place = dice.choice(places)
        text = place[0]
        if kind is _RETURN:
            what = dice.choice(RETURNS if dice.random() < 0.3 else SAME)
            text = f"return {what.format(place[1])};"
        elif kind is _OPERATOR:
            near = [other for other in OPERATORS if other[0] == text[0] and other != text]
            text = dice.choice(near if near and dice.random() < 0.5 else OPERATORS)
        elif kind is _NUMBER:
            text = str(max(0, int(text) + dice.choice([-1, 1])))
        elif kind is _LINE:
            text = dice.choice(["", text + text])
        else:
            names = [".push", ".pop", ".shift", ".map", ".filter", ".slice", ".reverse", ".sort", ".join"]
            text = dice.choice([name for name in names if name != text])
        yield program[: place.start()] + text + program[place.end() :]
        made += 1


def plain_javascript(program: str, tests: str, cpu_seconds: float = 5.0) -> bool:
    """Whether program and tests, one file of one node, come to their end with exit code 0."""
    token, box = secrets.token_hex(8), sandbox._BOX
    # Loaded before the program, which may have a `process` of its own and ask for strict mode in its first line.
    say = f"process._rawDebug.bind(process, '{token[:8]}' + '{token[8:]}')"
    files = {
        "said.js": f"Object.defineProperty(globalThis, 'said_at_its_end', {{ value: {say} }});".encode(),
        "file.js": f"{program}\n{tests}\nsaid_at_its_end();\n".encode("utf-8", "replace"),
    }
    limits = box["Limits"](cpu_seconds, 512, sandbox.NODE_SPACE)
    words = ["node", "--max-old-space-size=512", "--require", "./said.js", "file.js"]
    ended = box["execute"](box["Command"](words, limits, b"", files), sandboxed=True)
    return ended.exit_code == 0 and token.encode() in ended.stderr
