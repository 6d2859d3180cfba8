"""Strategies that change the adapter's rank or what travels of it: genuine bundles, and forgeries sealed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import forge
import numpy
import pytest

from ftbench.result import adapter, ledger, names
from ftbench.result.documents import Round, Verdict
from ftbench.spec.canonical import pretty
from ftbench.verify import adapters

RANK = 4
ALPHA = 8.0
"""Twice the rank: what is scaled by it alone, the only reply of a round, can be taken out of FLoRA's stack again."""
RANKS = [4, 2, 1]
A, B = ".lora_A.weight", ".lora_B.weight"
Change = Callable[[dict[str, Any]], None]


def world_of(folder: Any, strategy: str, **block: Any) -> forge.World:
    """A benchmark with that strategy, LoRA, and the last round scored; no code task."""

    def change(value: dict[str, Any]) -> None:
        value["adapter"] |= {"kind": "lora", "rank": RANK, "alpha": ALPHA, **block}
        value["strategy"] = {"kind": strategy}
        value["evaluation"] |= {"checkpoint": "last", "references": {}}
        value["evaluation"]["tasks"] = value["evaluation"]["tasks"][:1]
        value["data"]["validation"] = None

    return forge.make_world(folder, change)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, forge.World]:
    """One for each."""
    return {
        "ffa-lora": world_of(tmp_path_factory.mktemp("ffa"), "ffa-lora"),
        "flora": world_of(tmp_path_factory.mktemp("flora"), "flora"),
        "mixed": world_of(tmp_path_factory.mktemp("mixed"), "flexlora", client_ranks=RANKS),
    }


def told(world: forge.World) -> forge.Forged:
    """The bundle that an honest run of that world leaves, but for the training."""
    kind, block = world.spec.strategy.kind, world.spec.adapter
    config = block.model_dump(mode="json", exclude_none=True)
    made = forge.make(world)
    made.keep = {"checkpoint", "config"}
    with made.lines() as lines:
        rounds = [line["body"] for line in lines if line["body"]["event"] == "round"]
        replies = [len(body["replies"]) for body in rounds]
    due = RANK * sum(replies) if kind == "flora" else RANK
    tensors = forge.tensors(due, 7)
    made.files[names.ADAPTER] = adapter.write_tensors(tensors)
    each = {rank: parameters(tensors, rank, "B" if kind == "ffa-lora" else "AB") for rank in range(1, due + 1)}
    with made.result() as result, made.lines() as lines:
        result |= {"checkpoint_round": 4, "references": {}, "sandbox": None}
        for number, line in enumerate(lines):
            body = line["body"]
            if body["event"] == "started":
                body["trainable_parameters"] = each[max(RANKS if kind == "flexlora" else [RANK])]
                body["adapter"] = digest(begun(kind, tensors), config)
            elif body["event"] == "finished":
                body["round"] = 4
            elif body["event"] == "round":
                done = sum(replies[: body["round"] - 1])
                body["validation_loss"] = None
                body["adapter"] = f"{number:064x}"
                if kind == "flora":
                    body["adapter"] = digest(adapters.cut(tensors, RANK * (done + len(body["replies"]))), config)
                    for place, reply in enumerate(body["replies"], start=done):
                        sent = adapters.unstacked(tensors, RANK * place, RANK, share(body, reply))
                        reply["update"] = digest(sent, config) if sent else reply["update"]
                ranks = {client: RANKS[client % 3] if kind == "flexlora" else RANK for client in range(6)}
                down = dict.fromkeys(ranks, each[RANK * done] if done else 0) if kind == "flora" else {}
                body["bytes_down"] = 4 * sum(down.get(c, each[ranks[c]]) for c in body["sampled"])
                body["bytes_up"] = 4 * sum(each[ranks[reply["partition"]]] for reply in body["replies"])
    with made.samples("jars") as answers:
        for sample in answers:
            sample["references"] = {}
    entry = forge.parse_resolved(made.files[names.ENTRY])
    scaled = {"rank": due, "alpha": due} if kind == "flora" else {}
    made.files[names.ADAPTER_CONFIG] = pretty(forge.config({**config, **scaled}, entry))
    forge.reseal(made)
    return made


def share(body: dict[str, Any], reply: dict[str, Any]) -> float:
    """What FLoRA multiplies a reply's A by."""
    return ALPHA / RANK * reply["examples"] / sum(other["examples"] for other in body["replies"])


def begun(kind: str, tensors: dict[str, adapter.Tensor]) -> dict[str, adapter.Tensor]:
    """The adapter before round 1."""
    return adapters.cut(tensors, 0) if kind == "flora" else adapters.zeroed(tensors)


def digest(tensors: dict[str, adapter.Tensor], config: dict[str, Any]) -> str:
    return adapter.tensors_digest(tensors, config)


def parameters(tensors: dict[str, adapter.Tensor], rank: int, factors: str) -> int:
    whole = next(tensor.shape[0] for name, tensor in tensors.items() if name.endswith(A))
    return sum(prod(t.shape) // whole * rank for n, t in tensors.items() if n[-len(A) :][6] in factors)


def rounds(lines: list[Any]) -> Iterator[Any]:
    return (line["body"] for line in lines if line["body"]["event"] == "round")


def failed(verdict: Verdict) -> set[str]:
    assert all(check.code != "FTB699" for check in verdict.checks), "a check broke off"
    return {check.check for check in verdict.checks if check.outcome == "failed"}


@pytest.fixture(scope="module")
def _genuine(worlds: dict[str, forge.World]) -> dict[str, forge.Forged]:
    return {kind: told(world) for kind, world in worlds.items()}


@pytest.mark.parametrize("kind", ["ffa-lora", "flora", "mixed"])
def test_a_genuine_bundle_is_accepted(
    worlds: dict[str, forge.World], _genuine: dict[str, forge.Forged], kind: str
) -> None:
    verdict = worlds[kind].verdict(_genuine[kind].files)
    assert verdict.accepted and verdict.level == "RESCORED", [
        (c.check, c.evidence) for c in verdict.checks if c.outcome != "passed"
    ]
    assert any("seed draws" in text for text in verdict.not_checked) == (kind == "ffa-lora")


def edited(made: forge.Forged, change: Callable[[dict[str, adapter.Tensor]], None]) -> None:
    tensors = adapter.read_tensors(made.files[names.ADAPTER], "adapter")
    change(tensors)
    made.files[names.ADAPTER] = adapter.write_tensors(tensors)


def a_moved(made: forge.Forged) -> None:
    """A was trained as well."""

    def change(tensors: dict[str, adapter.Tensor]) -> None:
        name = next(name for name in tensors if name.endswith(A))
        tensors[name] = adapter.Tensor(tensors[name].shape, tensors[name].data[4:] + tensors[name].data[:4])

    edited(made, change)


def a_counted(made: forge.Forged) -> None:
    """The bytes of FedAvg: A travelled."""
    with made.lines() as lines:
        for body in rounds(lines):
            body["bytes_down"] *= 2
            body["bytes_up"] *= 2


def everything_trained(made: forge.Forged) -> None:
    with made.lines() as lines:
        lines[0]["body"]["trainable_parameters"] *= 2


def nothing_trained(made: forge.Forged) -> None:
    with made.lines() as lines:
        lines[0]["body"]["trainable_parameters"] //= 2


def one_client_s_b(made: forge.Forged) -> None:
    """The last adapter's B is what one client sent."""
    tensors = adapter.read_tensors(made.files[names.ADAPTER], "adapter")
    config = made.world.spec.adapter.model_dump(mode="json", exclude_none=True)
    with made.round(4) as body:
        body["replies"][0]["update"] = digest(adapters.moving(tensors), config)


def b_sent_back(made: forge.Forged) -> None:
    """A client of round 1 sent the zeros that it was sent."""
    tensors = adapter.read_tensors(made.files[names.ADAPTER], "adapter")
    config = made.world.spec.adapter.model_dump(mode="json", exclude_none=True)
    with made.round(1) as body:
        body["replies"][0]["update"] = digest(adapters.moving(adapters.zeroed(tensors)), config)


def another_rank(by: int) -> Callable[[forge.Forged], None]:
    """An adapter, and its configuration, of a rank that the replies do not make."""

    def edit(made: forge.Forged) -> None:
        tensors = adapter.read_tensors(made.files[names.ADAPTER], "adapter")
        rank = next(tensor.shape[0] for name, tensor in tensors.items() if name.endswith(A)) + by
        made.files[names.ADAPTER] = adapter.write_tensors(forge.tensors(rank, 7))
        with made.json(names.ADAPTER_CONFIG) as config:
            config |= {"r": rank, "lora_alpha": rank}

    return edit


def louder(made: forge.Forged) -> None:
    """Loaded with a scale above 1."""
    with made.json(names.ADAPTER_CONFIG) as config:
        config["lora_alpha"] *= 2


def history_changed(made: forge.Forged) -> None:
    """The first client's factors are others than when the next rounds were trained on them."""

    def change(tensors: dict[str, adapter.Tensor]) -> None:
        name = next(name for name in tensors if name.endswith(A))
        data = tensors[name].data
        tensors[name] = adapter.Tensor(tensors[name].shape, bytes([data[0] ^ 1]) + data[1:])

    edited(made, change)


def update_invented(made: forge.Forged) -> None:
    """The only reply of round 2 is told to have been another."""
    with made.round(2) as body:
        body["replies"][0]["update"] = "ab" * 32


def one_reply_stacked_twice(made: forge.Forged) -> None:
    """The last client of round 4 is another one's factors, scaled anew; adapters and chain follow."""

    def change(tensors: dict[str, adapter.Tensor]) -> None:
        for name, tensor in tensors.items():
            if name.endswith(B):
                array = numpy.frombuffer(tensor.data, "<f4").reshape(tensor.shape).copy()
                array[:, -RANK:] = array[:, :RANK]
                tensors[name] = adapter.Tensor(tensor.shape, array.tobytes())

    edited(made, change)


def history_invented(made: forge.Forged) -> None:
    with made.round(2) as body:
        body["adapter"] = "ab" * 32


def begun_elsewhere(made: forge.Forged) -> None:
    with made.lines() as lines:
        lines[0]["body"]["adapter"] = "cd" * 32


def every_round_alike(made: forge.Forged) -> None:
    """Down as much as up, as under FedAvg: the stack did not travel."""
    with made.lines() as lines:
        for body in rounds(lines):
            body["bytes_down"] = body["bytes_up"]


def everyone_the_same(made: forge.Forged) -> None:
    """As if all clients had the server's rank."""
    with made.lines() as lines:
        for body in rounds(lines):
            size = 4 * parameters(adapter.read_tensors(made.files[names.ADAPTER], "adapter"), RANK, "AB")
            body["bytes_down"] = len(body["sampled"]) * size
            body["bytes_up"] = len(body["replies"]) * size


FORGERIES = [
    ("ffa-lora", a_moved, "adapter-digest", "A has moved"),
    ("ffa-lora", begun_elsewhere, "adapter-digest", "A has moved"),
    ("ffa-lora", a_counted, "bytes-counted", "clients are sent"),
    ("ffa-lora", everything_trained, "adapter-shape", "parameters are trained"),
    ("ffa-lora", one_client_s_b, "averaging", "one client's update"),
    ("ffa-lora", b_sent_back, "averaging", "sent back the B"),
    ("flora", another_rank(-RANK), "adapter-shape", "due is"),
    ("flora", another_rank(1), "adapter-shape", "due is"),
    ("flora", louder, "adapter-config", "lora_alpha"),
    ("flora", history_changed, "adapter-digest", "the stack was"),
    ("flora", update_invented, "averaging", "round 2: what client"),
    ("flora", one_reply_stacked_twice, "averaging", "is another reply's"),
    ("flora", history_invented, "adapter-digest", "round 2: the stack was"),
    ("flora", begun_elsewhere, "adapter-digest", "round 0: the stack was"),
    ("flora", every_round_alike, "bytes-counted", "clients are sent"),
    ("flora", nothing_trained, "adapter-shape", "parameters are trained"),
    ("mixed", everyone_the_same, "bytes-counted", "clients are sent"),
    ("mixed", another_rank(-2), "adapter-shape", "due is 4"),
    ("mixed", nothing_trained, "adapter-shape", "parameters are trained"),
]


@pytest.mark.parametrize(("kind", "edit", "check", "words"), FORGERIES)
def test_a_forgery_is_refused(
    worlds: dict[str, forge.World],
    _genuine: dict[str, forge.Forged],
    kind: str,
    edit: Callable[[forge.Forged], None],
    check: str,
    words: str,
) -> None:
    made = _genuine[kind].copy()
    edit(made)
    forge.reseal(made)
    verdict = worlds[kind].verdict(made.files)
    assert not verdict.accepted and verdict.level == "INTACT"
    assert check in failed(verdict), failed(verdict)
    assert any(words in found.evidence for found in verdict.checks if found.check == check)


def test_the_budget_is_held_against_what_flora_sends(worlds: dict[str, forge.World]) -> None:
    from types import SimpleNamespace

    from ftbench.verify.checks import budget_kept

    world, made = worlds["flora"], told(worlds["flora"])
    bodies = [line.body for line in ledger.parse(made.files[names.LEDGER], "ledger") if isinstance(line.body, Round)]
    spent = sum(body.bytes_down + body.bytes_up for body in bodies)
    tensors = adapter.read_tensors(made.files[names.ADAPTER], "adapter")
    for limit, kept in ((spent, True), (spent - 1, False)):
        budget = world.spec.budget.model_copy(update={"communication_mib": limit / 2**20})
        context: Any = SimpleNamespace(
            in_force=world.spec.model_copy(update={"budget": budget}),
            rounds=bodies,
            tensors=tensors,
            started=SimpleNamespace(trainable_parameters=1),
            brings=lambda what: False,
        )
        assert isinstance(budget_kept.run(context), str) == kept


def test_the_round_that_is_scored_decides_the_rank(_genuine: dict[str, forge.Forged]) -> None:
    """3, 1, 3 and 3 replies of rank 4; a validation cut may choose an earlier round than the last."""
    made = _genuine["flora"]
    bodies = [line.body for line in ledger.parse(made.files[names.LEDGER], "ledger") if isinstance(line.body, Round)]
    block = made.world.spec.adapter
    assert [adapters.grown(block, bodies, number) for number in range(5)] == [0, 12, 16, 28, 40]
    tensors = adapter.read_tensors(made.files[names.ADAPTER], "adapter")
    with pytest.raises(ValueError, match="has no 44 directions"):
        adapters.cut(tensors, 44)
