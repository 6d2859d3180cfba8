from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftbench.errors import InvalidInput
from ftbench.spec.entries import (
    apply,
    check_entry,
    dump_resolved,
    entry_digest,
    load_entry,
    load_resolved,
    parse_resolved,
    resolve_entry,
)
from ftbench.spec.load import load_spec
from ftbench.spec.model import BaseModelRef, Spec

ZERO, ONES = "0" * 64, "1" * 40
ENTRY = f"""
ftbench: entry/v1
metadata: {{name: mine, title: Mine, authors: [A]}}
model: {{name: c/d, revision: "{ONES}"}}
seed: 2
knobs:
  adapter.rank: 4
  training.schedule.learning_rate: 5e-3
"""


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load_spec(Path(__file__).parent / "cases" / "valid.yaml").spec


def entry_file(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def refusals(spec: Spec, text: str, folder: Path) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        resolve_entry(spec, load_entry(entry_file(folder, text)))
    assert all(d.place and d.place.line for d in caught.value.diagnostics)
    return [d.code for d in caught.value.diagnostics]


def test_without_an_entry_the_spec_s_own_values_are_in_force(spec: Spec) -> None:
    resolved = resolve_entry(spec, None)
    assert resolved.metadata.name == "default" and resolved.seed == 1
    assert resolved.model == spec.model.base
    assert resolved.knobs == {"adapter.alpha": 16.0, "adapter.rank": 8, "training.schedule.learning_rate": 0.01}
    assert apply(spec, resolved) == spec
    assert check_entry(spec, resolved) == []


def test_options_stand_over_the_entry_and_that_over_the_spec(spec: Spec, tmp_path: Path) -> None:
    entry = load_entry(entry_file(tmp_path, ENTRY))
    resolved = resolve_entry(spec, entry, ["adapter.rank=2"], f"a/b@{ZERO}", 3)
    assert resolved.knobs == {"adapter.alpha": 16.0, "adapter.rank": 2, "training.schedule.learning_rate": 0.005}
    assert (resolved.model.revision, resolved.seed, resolved.metadata.name) == (ZERO, 3, "mine")
    assert resolve_entry(spec, entry).seed == 2
    assert apply(spec, resolved).adapter.rank == 2


def test_a_model_without_revision_is_the_spec_s_own_or_refused(spec: Spec) -> None:
    for name in ("micro", "builtin/micro"):
        assert resolve_entry(spec, None, model=name).model == spec.model.base
    for name, code in (
        ("other", "FTB206"),
        ("a/b@main", "FTB206"),
        (f"a/b/c@{ONES}", "FTB205"),
        ("@" + ONES, "FTB205"),
    ):
        with pytest.raises(InvalidInput, match=code):
            resolve_entry(spec, None, model=name)
    assert resolve_entry(spec, None, model=f"a/b@{ONES}").model.name == "a/b"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (f"micro@{ZERO}", "`builtin/micro` has no revision 000000000000"),
        (f"micro@{ONES}", "`builtin/micro` has no revision 111111111111"),
        (f"builtin/micr@{ZERO}", "there is no built-in base model `builtin/micr`"),
    ],
)
def test_a_built_in_model_has_the_revisions_that_exist(spec: Spec, tmp_path: Path, model: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve_entry(spec, None, model=model)
    assert [d.code for d in caught.value.diagnostics] == ["FTB134"] and message in str(caught.value)
    name, _, revision = model.partition("@")
    invented = {"name": name if "/" in name else f"builtin/{name}", "revision": revision}
    text = ENTRY.replace(f'{{name: c/d, revision: "{ONES}"}}', json.dumps(invented))
    assert refusals(spec, text, tmp_path) == ["FTB134"]
    bundled = resolve_entry(spec, None).model_copy(update={"model": BaseModelRef.model_validate(invented)})
    assert [d.code for d in check_entry(spec, bundled)] == ["FTB134"]


def test_a_frozen_model_may_only_be_named(spec: Spec) -> None:
    frozen = spec.model_copy(update={"knobs": {k: v for k, v in spec.knobs.items() if k != "model.base"}})
    assert resolve_entry(frozen, None, model="micro").model == spec.model.base
    with pytest.raises(InvalidInput, match=r"`model\.base` is frozen"):
        resolve_entry(frozen, None, model=f"a/b@{ONES}")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("adapter.rank=17", "outside what the spec allows: 1 to 16"),
        ("adapter.rank=1.5", "expected a whole number"),
        ("adapter.rank='8'", "the text `8` is outside"),
        ("adapter.rank={a: 1}", "a mapping is outside"),
        ("adapter.rank=true", "`true` is outside"),
        ("adapter.rank=.nan", "not a number"),
        ("adapter.rank=[1", "not YAML"),
        ("adapter.rank=", "outside"),
        ("adapter.rank", "is not PATH=VALUE"),
        ("=3", "is not PATH=VALUE"),
        ("adapter.dropout=0.5", "is frozen by the spec: it is the same for every entry"),
        ("data.prompt=x", "entries trained on other data or prompts cannot be compared"),
        ("evaluation.tasks=[]", "is frozen by the spec"),
        ("federation.clients=2", "is frozen by the spec"),
        ("seeds.runs=[9]", "`seed`"),
        ("adapter.rnk=3", "did you mean `adapter.rank`"),
        ("model.base=a/b", "--model"),
        ("training.schedule.learning_rate=1e-3", "a cosine schedule that ends where it begins"),
        ("training.schedule.learning_rate=5e-4", "is above the first"),
    ],
)
def test_what_set_refuses(spec: Spec, option: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve_entry(spec, None, [option])
    assert message in str(caught.value)
    assert all(d.code.startswith("FTB2") for d in caught.value.diagnostics)


def test_everything_wrong_is_said_at_once(spec: Spec) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve_entry(spec, None, ["adapter.rank=99", "data.bos=false", "adapter.alpha=2", "adapter.alpha=3"], "x", 7)
    assert sorted(d.code for d in caught.value.diagnostics) == ["FTB201", "FTB203", "FTB204", "FTB206", "FTB207"]


@pytest.mark.parametrize(
    ("old", "new", "codes"),
    [
        ("seed: 2", "seed: 9", ["FTB207"]),
        ("seed: 2", "seed: -1", ["FTB107"]),
        ("adapter.rank: 4", "adapter.rank: 99", ["FTB203"]),
        ("adapter.rank: 4", "adapter.rank: x", ["FTB203"]),
        ("adapter.rank: 4", "adapter.dropout: 0.1", ["FTB201"]),
        ("adapter.rank: 4", "model.base: {name: a/b}", ["FTB203"]),
        ("adapter.rank: 4", "adapter.rank: 4\n  adapter.rank: 5", ["FTB104"]),
        ("title: Mine", "titel: Mine", ["FTB103"]),
        ("title: Mine", 'title: "a\\nb"', ["FTB127"]),
        ("title: Mine", 'source: "a\\nb"', ["FTB127"]),
        ("title: Mine", "pair: Not a name", ["FTB106"]),
        ("entry/v1", "spec/v1", ["FTB111"]),
        (ONES, "main", ["FTB106"]),
    ],
)
def test_what_an_entry_file_is_refused_for(spec: Spec, tmp_path: Path, old: str, new: str, codes: list[str]) -> None:
    assert refusals(spec, ENTRY.replace(old, new), tmp_path) == codes


def test_the_place_of_a_bad_knob_is_in_the_entry_s_file(spec: Spec, tmp_path: Path) -> None:
    path = entry_file(tmp_path, ENTRY.replace("rank: 4", "rank: 40"))
    with pytest.raises(InvalidInput) as caught:
        resolve_entry(spec, load_entry(path))
    assert str(caught.value.diagnostics[0].place) == f"{path}:7:17"


def test_a_resolved_entry_reads_back(spec: Spec, tmp_path: Path) -> None:
    resolved = resolve_entry(spec, load_entry(entry_file(tmp_path, ENTRY)))
    data = dump_resolved(resolved)
    (tmp_path / "entry.yaml").write_bytes(data)
    assert load_resolved(tmp_path / "entry.yaml") == parse_resolved(data) == resolved
    assert dump_resolved(parse_resolved(data)) == data


def test_the_digest_leaves_metadata_out_and_nothing_else(spec: Spec) -> None:
    resolved = resolve_entry(spec, None)
    titled = resolved.model_copy(update={"metadata": resolved.metadata.model_copy(update={"title": "Other"})})
    assert entry_digest(titled) == entry_digest(resolved)
    for update in ({"seed": 2}, {"knobs": {**resolved.knobs, "adapter.rank": 4}}):
        assert entry_digest(resolved.model_copy(update=update)) != entry_digest(resolved)
    assert entry_digest(resolve_entry(spec, None, model=f"a/b@{ONES}")) != entry_digest(resolved)


def test_a_bundle_s_entry_is_held_to_the_spec(spec: Spec) -> None:
    good = resolve_entry(spec, None)

    def codes(**update: object) -> list[str]:
        return [d.code for d in check_entry(spec, good.model_copy(update=update))]

    assert codes(knobs={**good.knobs, "adapter.rank": 99}) == ["FTB203"]
    assert codes(knobs={**good.knobs, "adapter.rank": 2**60}) == ["FTB203"]
    assert codes(knobs={**good.knobs, "data.bos": False}) == ["FTB201"]
    assert codes(knobs={**good.knobs, "model.base": {}}) == ["FTB202"]
    assert codes(knobs={"adapter.rank": 8, "adapter.alpha": 16}) == ["FTB208"]
    assert codes(seed=99) == ["FTB207"]
    with pytest.raises(InvalidInput):
        apply(spec, good.model_copy(update={"seed": 99}))


def test_a_model_without_a_commit_gets_the_one_that_is_found(spec: Spec, tmp_path: Path) -> None:
    asked: list[str] = []

    def commit_of(name: str) -> str:
        asked.append(name)
        return ONES

    assert resolve_entry(spec, None, model="a/b", commit_of=commit_of).model.revision == ONES
    entry = load_entry(entry_file(tmp_path, ENTRY.replace(f'"{ONES}"', "null")))
    assert resolve_entry(spec, entry, commit_of=commit_of).model.revision == ONES
    assert resolve_entry(spec, entry, model=f"a/b@{ONES}", commit_of=commit_of).model.name == "a/b"
    assert asked == ["a/b", "c/d"], "a commit that is given is not asked for"
    for chosen, model in ((entry, None), (None, "a/b"), (None, "builtin/other")):
        with pytest.raises(InvalidInput, match="named without a revision"):
            resolve_entry(spec, chosen, model=model, commit_of=commit_of if model == "builtin/other" else None)
    assert asked == ["a/b", "c/d"], "a built-in model is not on the hub"


def test_one_entry_has_one_digest_however_it_is_spelt() -> None:
    """A cheat who writes the file by hand would else have two rows of one entry."""
    model = f"metadata: {{name: a}}\nmodel: {{name: c/d, revision: '{ONES}'}}\n"
    text = f"{model}seed: 1\nknobs: {{a.rate: 0.01, a.decay: 0}}\n"
    due = entry_digest(parse_resolved(text.encode()))
    spellings = {
        "# a comment\n" + text,
        "\ufeff" + text,
        text.replace("0.01", "1.0e-2"),
        text.replace("0.01", "0.010"),
        text.replace("decay: 0", "decay: -0.0"),
        text.replace("decay: 0", "decay: -0"),
        text.replace("decay: 0", "decay: 0.0"),
        text.replace("seed: 1", "seed: 0x1"),
    }
    assert {entry_digest(parse_resolved(one.encode())) for one in spellings} == {due}
    for other in ("seed: 1.0", "seed: &a 1", "seed: 1\nseed: 1", "seed: .inf", "seed: '1'"):
        with pytest.raises(InvalidInput):
            parse_resolved(text.replace("seed: 1", other).encode())
