"""The plan of a sweep: values typed as `--set` types them, the product, and what is refused before anything begins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbench.errors import InvalidInput
from ftbench.spec.entry import Entry, EntryMetadata
from ftbench.spec.load import find_spec, load_spec
from ftbench.spec.model import Spec
from ftbench.spec.vary import MAX_CELLS, Setting, settings, split


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load_spec(find_spec("finance")).spec


def plain(found: list[Setting]) -> list[dict[str, object]]:
    return [one.values for one in found]


def refused(spec: Spec, *varied: str, seeds: int = 1, **more: object) -> list[str]:
    with pytest.raises(InvalidInput) as told:
        settings(spec, None, varied, seeds, **more)  # type: ignore[arg-type]
    return [f"{one.code} {one.message} {one.hint}" for one in told.value.diagnostics]


def test_the_product_in_order(spec: Spec) -> None:
    found = settings(spec, None, ["adapter.kind=lora,dora", "adapter.rank=4,8"], 2)
    assert plain(found) == [
        {"adapter.kind": kind, "adapter.rank": rank} for kind in ("lora", "dora") for rank in (4, 8)
    ]
    assert [one.name for one in found] == ["lora-rank4", "lora-rank8", "dora-rank4", "dora-rank8"]
    for one in found:
        assert [entry.seed for entry in one.entries] == spec.seeds.runs[:2]
        assert all(entry.metadata.name == one.name for entry in one.entries)
        assert all(entry.knobs | one.values == entry.knobs for entry in one.entries)


def test_values_are_typed_as_set_types_them(spec: Spec) -> None:
    found = settings(spec, None, ["adapter.targets=[q_proj, v_proj],all-linear", "adapter.alpha=8,16.5"], 1)
    assert plain(found)[0] == {"adapter.targets": ["q_proj", "v_proj"], "adapter.alpha": 8}
    assert plain(found)[3] == {"adapter.targets": "all-linear", "adapter.alpha": 16.5}


def test_what_a_strategy_does_not_use_is_left_out(spec: Spec) -> None:
    found = settings(spec, None, ["strategy.kind=fedavg,fedprox", "strategy.mu=0.01,0.1"], 1)
    assert [(one["strategy.kind"], one["strategy.mu"]) for one in plain(found)] == [
        ("fedavg", None),  # both values of mu come to the same run
        ("fedprox", 0.01),
        ("fedprox", 0.1),
    ]
    found = settings(spec, None, ["strategy.kind=fedavg,fedprox"], 1, sets=["strategy.mu=0.1"])
    assert [one.entries[0].knobs["strategy.mu"] for one in found] == [None, 0.1]
    given = Entry(
        ftbench="entry/v1",
        metadata=EntryMetadata(name="mine"),
        knobs={"strategy.kind": "fedprox", "strategy.mu": 0.1, "adapter.rank": 4},
    )
    found = settings(spec, given, ["strategy.kind=fedavg,fedprox"], 1)
    assert [one.entries[0].knobs["strategy.mu"] for one in found] == [None, 0.1]
    assert [one.entries[0].knobs["adapter.rank"] for one in found] == [4, 4]
    assert [one.name for one in found] == ["mine-fedavg", "mine-fedprox"]


def test_models_are_varied_by_name_and_each_is_asked_for_once(spec: Spec) -> None:
    asked: list[str] = []

    def commit_of(name: str) -> str:
        asked.append(name)
        return "c" * 40

    varied = [f"model=a/one@{'d' * 40},b/two", "adapter.rank=4,8"]
    found = settings(spec, None, varied, 2, commit_of=commit_of)
    assert asked == ["b/two"]
    assert [one["model"] for one in plain(found)][::2] == [f"a/one@{'d' * 40}", f"b/two@{'c' * 40}"]
    assert found[2].entries[1].model.name == "b/two"


def test_what_a_shell_completes(spec: Spec) -> None:
    import click

    from ftbench.cli.sweep import VaryType, command

    def completed(given: str, incomplete: str) -> list[str]:
        ctx = click.Context(command)
        ctx.params["spec"] = given
        return [item.value for item in VaryType().shell_complete(ctx, command.params[1], incomplete)]

    assert completed("finance", "adapter.r") == ["adapter.rank="]
    assert "model=" in completed("finance", "") and "federation.rounds=" not in completed("finance", "")
    assert completed("quickstart", "fed") == ["federation.rounds="]
    assert completed("none-such", "") == []


def test_names_that_tell_nothing_apart_get_digits(spec: Spec) -> None:
    ranks = ["adapter.rank=4,8", "adapter.alpha=16,32", "adapter.kind=lora,dora", "strategy.kind=fedavg,flexlora"]
    found = settings(spec, None, ranks, 1)
    names = [one.name for one in found]
    assert len(set(names)) == 16 and all(len(name) <= 26 for name in names)
    assert names == [one.name for one in settings(spec, None, ranks, 1)]


@pytest.mark.parametrize(
    ("varied", "told"),
    [
        (
            ["adapter.rnk=4,8"],
            "FTB202 --vary adapter.rnk=4,8: the spec has no field `adapter.rnk` did you mean `adapter.rank`?",
        ),
        (["modle=a/b"], "did you mean `model`?"),
        (["federation.clients=2,4"], "FTB201"),
        (["seed=1,2"], "`--seeds N`"),
        (["model.base=a/b"], "`--vary model=NAME@REVISION,…`"),
        (["adapter.rank"], "FTB210"),
        (["=4"], "FTB210"),
        (["adapter.rank=4,,8"], "empty value"),
        (["adapter.rank=4,4"], "gives a value twice"),
        (["adapter.rank=4", "adapter.rank=8"], "varied twice"),
        (["adapter.rank=4,1000"], "FTB203 --vary adapter.rank=1000: `adapter.rank`: the number `1000` is outside"),
        (["adapter.rank={"], "FTB204 `--vary adapter.rank={`: not YAML"),
        (["model=a/b,c/d"], "FTB206 --vary model=a/b: the base model `a/b` is named without a revision"),
        (["strategy.kind=fedavg,fedprox"], "needs `strategy.mu`"),
        (["strategy.kind=fedavg,flexlora", "strategy.mu=1,2"], "FTB125 `strategy.mu` has no effect"),
        ([], "nothing to vary"),
    ],
)
def test_what_is_refused(spec: Spec, varied: list[str], told: str) -> None:
    assert any(told in one for one in refused(spec, *varied)), refused(spec, *varied)


def test_all_problems_are_told_at_once(spec: Spec) -> None:
    assert len(refused(spec, "adapter.rank=4,1000", "adapter.alpha=0,8", "adapter.kind=lora,loar")) == 3
    assert len(refused(spec, "adapter.rnk=4", "federation.clients=3", "seed=1")) == 3


def test_what_is_set_is_not_varied_too(spec: Spec) -> None:
    assert "is varied too" in refused(spec, "adapter.rank=4,8", sets=["adapter.rank=2"])[0]
    assert "too" in refused(spec, f"model=a/b@{'d' * 40}", model=f"a/c@{'d' * 40}")[0]


def test_seeds_and_size_have_limits(spec: Spec) -> None:
    assert f"the spec has {len(spec.seeds.runs)} seeds" in refused(spec, "adapter.rank=4,8", seeds=99)[0]
    many = ",".join(map(str, range(1, 41)))
    assert str(MAX_CELLS) in refused(spec, f"adapter.rank={many}", f"adapter.alpha={many}")[0]
    assert (
        str(MAX_CELLS)
        in refused(spec, f"adapter.rank={many}", f"adapter.alpha={many[: many.index(',21')]}", seeds=2)[0]
    )


@given(st.lists(st.lists(st.integers(0, 99), max_size=4) | st.integers(0, 99), min_size=1, max_size=6))
def test_a_list_of_values_parts_at_its_own_commas_only(values: list[object]) -> None:
    assert split(", ".join(str(value) for value in values)) == [str(value) for value in values]


@given(st.text(max_size=40))
def test_any_text_can_be_parted(text: str) -> None:
    parts = split(text)
    assert len(parts) <= text.count(",") + 1
    assert all(part in text for part in parts)
