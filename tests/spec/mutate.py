"""A seeded mutator of specs: bytes, lines and structure."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

WORDS = [
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"\xc2\x85",
    b"\x1b[31m",
    b"\t",
    b"\r",
    b"\r\n",
    b"\n",
    b"---\n",
    b"...\n",
    b"%YAML 1.1\n",
    b"%TAG ! x:\n",
    b"&a ",
    b"*a",
    b"!!python/object:os.system ",
    b"!x ",
    b"! ",
    b"<<: ",
    b"? ",
    b": ",
    b"- ",
    b"{",
    b"}",
    b"[",
    b"]",
    b"[" * 60,
    b"{a: " * 40,
    b'"',
    b"'",
    b'"\\UFFFFFFFF"',
    b'"\\ud800"',
    b'"\\0"',
    b"|\n",
    b">-\n",
    b"#",
    b",",
    b"`",
    b"@",
    b"1e400",
    b".inf",
    b".nan",
    b"-0",
    b"9007199254740993",
    b"0x" + b"f" * 30,
    b"9" * 5000,
    b"010",
    b"1:30",
    b"yes",
    b"null",
    b"~",
    b"5e-5",
    b"extends: parent.yaml\n",
    b"extends: spec.yaml\n",
    b"knobs:\n",
    b"kind: fedprox",
    b"dirichlet",
    b"\xf0\x9f\x98\x80",
    b"{question}",
    b"{",
]
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    3.5,
    1e-300,
    1e300,
    -0.0,
    2**53 - 1,
    2**60,
    "",
    " ",
    "x",
    "{",
    "}",
    "{question}",
    " {question}{",
    "yes",
    "a\nb",
    "\u202e",
    "é" * 200,
    "x" * 30_000,
    [],
    {},
    [[]],
    [None],
    [1, "a"],
    {"a": 1},
    {"kind": "x"},
    {"kind": None},
    {"kind": []},
    {"kind": "cosine"},
    {"min": 1, "max": 0},
    {"min": 1},
    {"choices": []},
    {"choices": [1, "a", None, {}]},
    {"free": True},
    {"": ""},
    {"kind": "hub"},
    "spec/v1",
    [{"name": "x"}] * 3,
    {"name": "builtin/x", "revision": "0" * 40},
    float("inf"),
    float("nan"),
]
KEYS = [
    "kind",
    "name",
    "",
    "extends",
    "knobs",
    "privacy",
    "adapter.rank",
    "model.base",
    "min",
    "0",
    "a.b.c",
    "é",
    "<<",
    "null",
    "data.bos",
]


def mutated(base: bytes, tree: Any, random_: random.Random) -> bytes:
    """One mutant: now by bytes, now by lines, now by structure, one to four changes."""
    how = random_.random()
    if how < 0.35:
        return _bytes(base, random_)
    if how < 0.6:
        return _lines(base, random_)
    return _structure(tree, random_)


def _bytes(data: bytes, random_: random.Random) -> bytes:
    for _ in range(random_.randint(1, 4)):
        at = random_.randrange(len(data) + 1)
        end = min(len(data), at + random_.choice([0, 1, 1, 2, 8, 40]))
        choice = random_.random()
        if choice < 0.4:
            new = random_.choice(WORDS)
        elif choice < 0.7:
            new = bytes(random_.randrange(256) for _ in range(random_.randint(0, 3)))
        else:
            start = random_.randrange(len(data) + 1)
            new = data[start : start + random_.randint(0, 60)]
        data = data[:at] + new + data[end:]
    return data


def _lines(data: bytes, random_: random.Random) -> bytes:
    lines = data.split(b"\n")
    for _ in range(random_.randint(1, 3)):
        at, other = random_.randrange(len(lines)), random_.randrange(len(lines))
        choice = random_.randrange(6)
        if choice == 0:
            del lines[at : at + random_.randint(1, 4)]
            lines = lines or [b""]
        elif choice == 1:
            lines.insert(at, lines[other])
        elif choice == 2:
            lines[at], lines[other] = lines[other], lines[at]
        elif choice == 3:
            lines[at] = b" " * random_.randint(0, 6) + lines[at].lstrip()
        elif choice == 4:
            head = lines[at].partition(b":")[0]
            lines[at] = head + b": " + json.dumps(random_.choice(VALUES)).encode()
        else:
            lines.insert(at, b"  " * random_.randint(0, 3) + random_.choice(WORDS))
    return b"\n".join(lines)


def _structure(tree: Any, random_: random.Random) -> bytes:
    tree = copy.deepcopy(tree)
    for _ in range(random_.randint(1, 4)):
        holders = _holders(tree)
        holder = random_.choice(holders)
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        new = copy.deepcopy(random_.choice(VALUES))
        choice = random_.randrange(5)
        if not keys or choice == 0:
            if isinstance(holder, dict):
                holder[random_.choice(KEYS)] = new
            else:
                holder.insert(random_.randint(0, len(holder)), new)
            continue
        key = random_.choice(keys)
        if choice == 1:
            del holder[key]
        elif choice == 2 and isinstance(holder, dict):
            holder[random_.choice([key[:-1] + "x", key.upper(), random_.choice(KEYS)])] = holder.pop(key)
        elif choice == 3:
            source = random_.choice(holders)
            others = list(source.values()) if isinstance(source, dict) else source
            holder[key] = copy.deepcopy(random_.choice(others or [new]))
        else:
            holder[key] = new
    return json.dumps(tree, ensure_ascii=random_.random() < 0.3, indent=random_.choice([None, 1])).encode(
        "utf-8", "replace"
    )


def _holders(value: Any) -> list[Any]:
    found = [value]
    for item in list(value.values()) if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            found += _holders(item)
    return found
