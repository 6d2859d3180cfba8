"""The hash moves when the benchmark does, and never otherwise."""

from __future__ import annotations

import copy
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbench.spec import canonical, emit, paths, yaml
from ftbench.spec.load import load_spec
from ftbench.spec.model import Spec

VALID = Path(__file__).parent / "cases" / "valid.yaml"
PLAIN: dict[str, Any] = load_spec(VALID).spec.model_dump(mode="json")

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_NUMBER = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBER | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
)


def shuffled(value: Any, random_: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        random_.shuffle(keys)
        return {key: shuffled(value[key], random_) for key in keys}
    return [shuffled(item, random_) for item in value] if isinstance(value, list) else value


def plan(value: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {k: v for k, v in value.items() if k != "metadata"}, "metadata": value["metadata"], "code": {}}


def hash_of(value: dict[str, Any]) -> str:
    return canonical.spec_hash(plan(Spec.model_validate(value).model_dump(mode="json")))


@given(_JSON, st.randoms(use_true_random=False))
def test_key_order_never_moves_the_canonical_form(value: Any, random_: random.Random) -> None:
    assert canonical.canonical(shuffled(value, random_)) == canonical.canonical(value)


@given(_JSON, _JSON)
def test_equal_forms_are_equal_values(one: Any, other: Any) -> None:
    if canonical.canonical(one) == canonical.canonical(other):
        assert json.loads(canonical.canonical(one)) == json.loads(canonical.canonical(other))
    else:
        assert canonical.digest(one) != canonical.digest(other)


def test_what_has_no_canonical_form_is_refused() -> None:
    for value in (float("nan"), float("inf"), 2**53, {1: 2}, {"a": object()}, "\ud800"):
        with pytest.raises(ValueError):
            canonical.canonical(value)


@given(
    st.randoms(use_true_random=False), st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=50)
)
def test_order_comments_format_and_metadata_never_move_the_hash(random_: random.Random, title: str) -> None:
    value = shuffled(PLAIN, random_)
    value["metadata"] = {**value["metadata"], "title": title, "description": title}
    text = emit.emit(value).decode()
    lines = [line + "  # a comment" * (random_.random() < 0.3) for line in text.splitlines() if line]
    spaced = "# head\n" + "".join(line + "\n" * random_.randint(1, 3) for line in lines)
    assert hash_of(yaml.read_text(spaced, "t").value) == hash_of(PLAIN)


def leaves(value: Any, path: paths.Path = ()) -> list[paths.Path]:
    if isinstance(value, dict) and value:
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    if isinstance(value, list) and value:
        return [leaf for number, item in enumerate(value) for leaf in leaves(item, (*path, number))]
    return [path]


def test_any_other_change_moves_it() -> None:
    hashes = {canonical.spec_hash(plan(PLAIN))}
    changed = [path for path in leaves(PLAIN) if path[0] != "metadata"]
    for path in changed:
        other = copy.deepcopy(PLAIN)
        old = paths.get(other, path)
        paths.put(
            other, path, not old if isinstance(old, bool) else old + 1 if isinstance(old, int | float) else "other"
        )
        hashes.add(canonical.spec_hash(plan(other)))
    assert len(hashes) == len(changed) + 1
    base = plan(PLAIN)
    assert canonical.spec_hash({**base, "code": {"x": "y"}}) != canonical.spec_hash(base)


def test_the_hash_of_a_fixed_plan_is_this_one() -> None:
    value = {
        "metadata": {"title": "x"},
        "spec": {"ä": 1.0, "a": [1e-5, None, True, "\u20ac"]},
        "format": "ftbench/plan/v1",
    }
    assert canonical.canonical(value["spec"]) == '{"a":[0.00001,null,true,"€"],"ä":1}'.encode()
    assert canonical.spec_hash(value) == (
        # printf 'ftbench/spec/v1\n{"format":"ftbench/plan/v1","spec":{"a":[0.00001,null,true,"€"],"ä":1}}' | sha256sum
        "9fb5f1281d067dfcfb39cc35052c6171d742ae1ee7c57a3783cf5010bab0d6d2"
    )


def test_processes_in_other_surroundings_agree(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from ftbench.spec import load, canonical, entries, schema;"
        f"s = load.load_spec(Path({str(VALID)!r})).spec;"
        "print(canonical.digest(s.model_dump(mode='json')), canonical.digest(schema.spec_schema()),"
        "entries.dump_resolved(entries.resolve_entry(s, None)))"
    )
    outputs = set()
    for seed, lang, zone, folder in (("0", "C", "UTC", "/"), ("77", "tr_TR.UTF-8", "Asia/Tokyo", str(tmp_path))):
        env = {**os.environ, "PYTHONHASHSEED": seed, "LANG": lang, "LC_ALL": lang, "TZ": zone}
        done = subprocess.run([sys.executable, "-c", code], check=True, env=env, cwd=folder, capture_output=True)
        outputs.add(done.stdout)
    assert len(outputs) == 1 and len(outputs.pop()) > 100


@given(_JSON, st.booleans())
def test_what_is_canonical_is_told_fast_and_rightly(value: Any, sort: bool) -> None:
    text = json.dumps(value, ensure_ascii=False, sort_keys=sort, separators=(",", ":")).encode()
    exact = canonical.canonical(value)
    assert canonical.is_canonical(value, text) == (text == exact)
    assert canonical.is_canonical(value, exact) and not canonical.is_canonical(value, exact + b" ")


@pytest.mark.parametrize("text", ["5.0", "1e-05", "1e-7", "-0.0", "1e16", "1e-5", '{"\U0001f600":1,"\uf000":2}'])
def test_where_the_standard_library_writes_otherwise(text: str) -> None:
    value = json.loads(text)
    assert canonical.is_canonical(value, text.encode()) == (canonical.canonical(value) == text.encode())
