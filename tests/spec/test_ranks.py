"""Ranks of clients and kinds of adapters in entries, and what of them the rest of the project reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftbench.errors import InvalidInput
from ftbench.spec.entries import apply, dump_resolved, parse_resolved, resolve_entry
from ftbench.spec.load import load_spec
from ftbench.spec.model import Adapter, Spec
from ftbench.spec.ranks import of_clients

CASES = Path(__file__).parent / "cases"


def spec_of(name: str) -> Spec:
    return load_spec(CASES / f"{name}.yaml").spec


def test_ranks_go_round_the_clients() -> None:
    adapter = Adapter(kind="lora", rank=8, alpha=4.0, dropout=0.0, targets="attention", client_ranks=[8, 2, 4])
    assert of_clients(adapter, 7) == [8, 2, 4, 8, 2, 4, 8]
    assert of_clients(adapter.model_copy(update={"client_ranks": None}), 3) == [8, 8, 8]


def test_an_entry_chooses_ranks() -> None:
    spec = spec_of("ranks-valid")
    assert resolve_entry(spec, None).knobs["adapter.client_ranks"] == [8, 4, 2, 1]
    for text, ranks in (("null", None), ("[8, 4, 2, 1]", [8, 4, 2, 1])):
        resolved = resolve_entry(spec, None, [f"adapter.client_ranks={text}"])
        assert apply(spec, resolved).adapter.client_ranks == ranks
        assert parse_resolved(dump_resolved(resolved)) == resolved
    larger = resolve_entry(spec, None, ["adapter.client_ranks=[16, 1, 1, 1]", "adapter.rank=16"])
    assert max(of_clients(apply(spec, larger).adapter, 4)) == 16
    plain = resolve_entry(spec, None, ["strategy.kind=fedavg", "adapter.client_ranks=null"])
    assert apply(spec, plain).strategy.kind == "fedavg"


@pytest.mark.parametrize(
    ("name", "sets", "message"),
    [
        ("ranks-valid", ["adapter.client_ranks=[8, 4]"], "outside what the spec allows"),
        ("ranks-valid", ["adapter.client_ranks=[16, 1, 1, 1]"], "the server keeps rank 8"),
        ("ranks-valid", ["strategy.kind=fedavg"], "`adapter.client_ranks` has no effect"),
        ("lora-only-strategies-valid", ["strategy.kind=flora"], "FLoRA adds every client's product"),
        ("lora-only-strategies-valid", ["strategy.kind=ffa-lora"], "FFA-LoRA freezes A"),
    ],
)
def test_what_an_entry_cannot_choose(name: str, sets: list[str], message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve_entry(spec_of(name), None, sets)
    assert message in str(caught.value)


def test_lora_only_strategies_with_lora() -> None:
    spec = spec_of("lora-only-strategies-valid")
    for kind in ("ffa-lora", "flora"):
        assert (
            apply(spec, resolve_entry(spec, None, ["adapter.kind=lora", f"strategy.kind={kind}"])).adapter.kind
            == "lora"
        )


def test_a_budget_for_b_alone(tmp_path: Path) -> None:
    """Rank 8: the smallest adapter has 8 numbers in A and 8 in B, and FFA-LoRA trains and sends the latter alone."""
    (tmp_path / "valid.yaml").write_bytes((CASES / "valid.yaml").read_bytes())
    for kind, allowed in (("ffa-lora", True), ("fedavg", False)):
        path = tmp_path / f"{kind}.yaml"
        path.write_text(
            f"extends: valid.yaml\nmetadata: {{name: small}}\nstrategy: {{kind: {kind}}}\n"
            "budget: {trainable_parameters: 8}\nknobs: {adapter.rank: null}\n"
        )
        if allowed:
            load_spec(path)
        else:
            with pytest.raises(InvalidInput, match="at least 16 parameters"):
                load_spec(path)
