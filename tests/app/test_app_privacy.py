"""Privacy's pure parts: what one client can do to the outcome, the noise, the adaptive clip, and epsilon."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftbench.app import privacy
from ftbench.app.arrays import Arrays
from ftbench.app.privacy import accounting, client, clipping, noise, server
from ftbench.app.strategy.fedadam import Strategy as FedAdam
from ftbench.app.strategy.fedavg import Strategy as FedAvg
from ftbench.app.strategy.fedavgm import Strategy as FedAvgM

SHAPES = {"a.lora_A.weight": (3, 4), "a.lora_B.weight": (5, 3), "m": (7,)}
FIXED: dict[str, Any] = {
    "kind": "central",
    "epsilon": 1e12,
    "delta": 1e-3,
    "noise_multiplier": 1.0,
    "clipping": "fixed",
    "clip": 0.5,
    "quantile": None,
    "clip_learning_rate": None,
    "count_noise_multiplier": None,
}
ADAPTIVE = {
    **FIXED,
    "clipping": "adaptive",
    "quantile": 0.5,
    "clip_learning_rate": 0.2,
    "count_noise_multiplier": 1.0,
}
QUIET = {**FIXED, "noise_multiplier": 1e-6}


def drawn(seed: int, scale: float = 1.0) -> Arrays:
    source = numpy.random.default_rng(seed)
    return {name: (source.standard_normal(shape) * scale).astype(numpy.float32) for name, shape in SHAPES.items()}


def moved(base: Arrays, change: Arrays) -> Arrays:
    return {name: (base[name] + change[name]).astype(numpy.float32) for name in base}


def flat(arrays: Any) -> Any:
    return numpy.concatenate([numpy.asarray(arrays[name], numpy.float64).ravel() for name in sorted(SHAPES)])


def release(block: dict[str, Any], replies: list[tuple[float, Arrays]], base: Arrays, asked: int, **more: Any) -> Any:
    return server.release(block, (1, 1), replies, base=base, sampled=asked, **{"state": None, **more})


# --- one client's influence ---


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    clients=st.integers(1, 6),
    scales=st.lists(st.floats(1e-6, 1e6), min_size=7, max_size=7),
    rows=st.lists(st.integers(1, 10_000), min_size=7, max_size=7),
    clip=st.floats(1e-3, 1e3),
    missing=st.booleans(),
)
def test_replacing_one_client_moves_the_mean_by_two_clips_over_the_asked_at_most(
    clients: int, scales: list[float], rows: list[int], clip: float, missing: bool
) -> None:
    base = drawn(0)
    block = {**QUIET, "clip": clip}
    others = [(float(rows[k]), moved(base, drawn(k + 1, scales[k]))) for k in range(clients - 1)]
    one = [] if missing else [(float(rows[5]), moved(base, drawn(98, scales[5])))]
    other = [(float(rows[6]), moved(base, drawn(99, -scales[6])))]
    # The same noise falls out of the difference; what is left of it is rounding of the new values to float32.
    ((_, with_one),), _ = release(block, others + one, base, clients)
    ((_, with_other),), _ = release(block, others + other, base, clients)
    apart = float(numpy.linalg.norm(flat(with_one) - flat(with_other)))
    rounding = 1e-6 * float(numpy.linalg.norm(flat(base)) + clip)
    assert apart <= (1 if missing else 2) * clip / clients + rounding


def test_a_client_with_97_percent_of_the_rows_has_one_share() -> None:
    """Flower's wrappers assume this and weight by rows: there such a client has 0.97 of the influence."""
    base = {name: array * 0 for name, array in drawn(0).items()}
    worst, opposite = drawn(1, 100), {name: -array for name, array in drawn(1, 100).items()}
    few = [(1.0, moved(base, drawn(k, 0.01))) for k in (2, 3, 4)]
    ((weight, one),), _ = release(QUIET, [*few, (97.0, worst)], base, 4)
    ((_, other),), _ = release(QUIET, [*few, (97.0, opposite)], base, 4)
    influence = float(numpy.linalg.norm(flat(one) - flat(other)))
    assert weight == 1.0
    assert influence == pytest.approx(2 * 0.5 / 4, rel=1e-6)  # the bound, reached by the worst case


def test_a_missing_client_counts_as_no_change() -> None:
    base = drawn(0)
    replies = [(1.0, moved(base, drawn(k, 0.01))) for k in (1, 2)]
    ((_, new),), _ = release({**QUIET, "clip": 100.0, "noise_multiplier": 1e-6}, replies, base, 4)
    mean = sum(flat(arrays) - flat(base) for _, arrays in replies) / 4
    assert numpy.allclose(flat(new) - flat(base), mean, atol=1e-4)


@pytest.mark.parametrize("scale", [0.0, 1e-3, 1.0, 1e3, 1e30])
def test_no_clipped_change_is_longer_than_the_clip(scale: float) -> None:
    base = drawn(0)
    norm = clipping.length(base, moved(base, drawn(1, scale)))
    assert norm * clipping.factor(norm, 0.5) <= 0.5 * (1 + 1e-12)
    assert clipping.factor(norm, math.inf) == 1.0


# --- limits ---


def test_without_noise_and_clip_it_is_the_uniform_mean() -> None:
    base = drawn(0)
    replies = [(rows, moved(base, drawn(k))) for k, rows in ((1, 1.0), (2, 50.0), (3, 7.0))]
    block = {**QUIET, "clip": 1e4}  # 10⁻⁶ of it is noise of 0.003
    ((_, new),), _ = release(block, replies, base, 3)
    uniform = FedAvg({}, {}, []).aggregate(base, [(1.0, arrays) for _, arrays in replies], None)[0]
    assert numpy.allclose(flat(new), flat(uniform), atol=0.02)
    weighted = FedAvg({}, {}, []).aggregate(base, replies, None)[0]
    assert not numpy.allclose(flat(new), flat(weighted), atol=0.2)


def test_with_little_noise_it_is_the_clipped_mean() -> None:
    base = drawn(0)
    replies = [(1.0, moved(base, drawn(k))) for k in (1, 2, 3)]
    ((_, new),), _ = release(QUIET, replies, base, 3)
    changes = [flat(arrays) - flat(base) for _, arrays in replies]
    mean = sum(change * min(1.0, 0.5 / numpy.linalg.norm(change)) for change in changes) / 3
    assert numpy.allclose(flat(new) - flat(base), mean, atol=2e-6)


# --- noise ---


def test_the_noise_has_its_standard_deviation() -> None:
    base = {"w": numpy.zeros((200, 300), numpy.float32)}
    replies = [(1.0, base)] * 3
    ((_, new),), _ = release({**FIXED, "noise_multiplier": 1.5}, replies, base, 4)
    deviation = 1.5 * 0.5 / 4
    values = new["w"].astype(float)
    assert values.std() == pytest.approx(deviation, rel=0.01)  # 60,000 values: 0.3 % is one deviation of this figure
    assert abs(values.mean()) < 4 * deviation / math.sqrt(values.size)


def test_local_noise_has_its_standard_deviation_and_a_stream_for_each_client() -> None:
    base = {"w": numpy.zeros((200, 300), numpy.float32)}
    one, other, again = (client.release(FIXED, (1, 2, k), base, base)["w"].astype(float) for k in (0, 1, 0))
    assert one.std() == pytest.approx(0.5, rel=0.01)
    assert numpy.array_equal(one, again)
    assert abs(numpy.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.02


def test_noise_is_of_seed_and_round() -> None:
    base = drawn(0)
    seen = [
        flat(server.release(FIXED, who, [(1.0, base)], base=base, sampled=1, state=None)[0][0][1])
        for who in ((1, 1), (1, 1), (1, 2), (2, 1))
    ]
    assert numpy.array_equal(seen[0], seen[1])
    assert not numpy.allclose(seen[0], seen[2]) and not numpy.allclose(seen[0], seen[3])


def test_a_local_change_is_clipped() -> None:
    base = drawn(0)
    sent = client.release(QUIET, (1, 1, 0), base, moved(base, drawn(1, 50)))
    assert clipping.length(base, sent) == pytest.approx(0.5, rel=1e-5)


# --- order: clip, mean, noise, and only then the server's optimiser ---


@pytest.mark.parametrize("kind", [FedAvg, FedAvgM, FedAdam])
def test_what_is_released_reaches_the_optimiser_whole_and_alone(kind: Any) -> None:
    block = {"momentum": 0.5, "server_learning_rate": 0.1, "beta1": 0.9, "beta2": 0.99, "tau": 0.01}
    base = drawn(0)
    replies = [(rows, moved(base, drawn(k))) for k, rows in ((1, 1.0), (2, 97.0))]
    released, _ = release(FIXED, replies, base, 2)
    ((weight, pseudo),) = released
    noisy = flat(pseudo) - flat(base)
    new, _ = kind(block, {}, []).aggregate(base, released, None)
    step = flat(new) - flat(base)
    expected = {
        FedAvg: noisy,
        FedAvgM: 0.1 * noisy,
        FedAdam: 0.1 * 0.1 * noisy / (numpy.sqrt(0.99 * 0.01**2 + 0.01 * noisy**2) + 0.01),
    }[kind]
    assert weight == 1.0
    assert numpy.allclose(step, expected, atol=1e-6)


# --- the adaptive clip ---


def reference_clip(lengths: list[float], block: dict[str, Any], rounds: int, seed: int) -> list[float]:
    """Andrew et al. in a few lines, with the same stream of noise."""
    clip, seen = float(numpy.float32(block["clip"])), []
    for number in range(1, rounds + 1):
        seen.append(clip)
        within = sum(1 for length in lengths if length <= clip)
        noisy = (
            within
            + numpy.random.default_rng([seed, number, 0x434F554E]).standard_normal() * (block["count_noise_multiplier"])
        )
        share = noisy / len(lengths)
        clip = float(numpy.float32(clip * math.exp(-block["clip_learning_rate"] * (share - block["quantile"]))))
    return seen


def test_the_clip_goes_to_the_quantile() -> None:
    lengths = list(numpy.random.default_rng(3).lognormal(0, 0.7, 101))
    block = {**ADAPTIVE, "quantile": 0.8, "clip": 0.01, "count_noise_multiplier": 2.0}
    base = {"w": numpy.zeros(1, numpy.float32)}
    replies = [(1.0, {"w": numpy.array([length], numpy.float32)}) for length in lengths]
    state, seen = None, []
    for number in range(1, 121):
        seen.append(clipping.in_force(block, state))
        _, state = server.release(block, (5, number), replies, base=base, sampled=len(replies), state=state)
    single = [float(reply["w"][0]) for _, reply in replies]
    assert seen == pytest.approx(reference_clip(single, block, 120, seed=5), rel=1e-6)
    assert numpy.mean(seen[-40:]) == pytest.approx(numpy.quantile(lengths, 0.8), rel=0.1)


def test_clients_that_are_missing_do_not_pull_the_clip() -> None:
    assert server.share_within([1.0, 1.0], clip=2.0, sampled=2, counted=0.0) == 1.0
    assert server.share_within([], clip=2.0, sampled=4, counted=0.0) == 0.5
    assert server.share_within([1.0, 9.0], clip=2.0, sampled=4, counted=0.0) == 0.5


def test_replacing_one_client_moves_the_count_by_one_at_most() -> None:
    others = [1.0, 3.0]
    shares = [server.share_within([*others, *one], 2.0, 4, 0.0) for one in ([1.0], [9.0], [])]
    assert 4 * (max(shares) - min(shares)) == pytest.approx(1.0)


def test_changes_and_count_together_cost_what_z_says() -> None:
    """Against `dp-accounting`'s own composition: the changes at sensitivity 2 · clip, the count at 1."""
    import dp_accounting
    from dp_accounting.rdp import RdpAccountant

    block = {**ADAPTIVE, "noise_multiplier": 1.3, "count_noise_multiplier": 0.9}
    both = dp_accounting.ComposedDpEvent(
        [dp_accounting.GaussianDpEvent(server.multiplier(block) / 2), dp_accounting.GaussianDpEvent(0.9)]
    )
    accountant = RdpAccountant(neighboring_relation=dp_accounting.NeighboringRelation.REPLACE_ONE)
    accountant.compose(dp_accounting.SampledWithoutReplacementDpEvent(100, 10, both), 20)
    assert accountant.get_epsilon(1e-4) == pytest.approx(accounting.central(1.3, 1e-4, 100, 10, 20), rel=1e-9)
    assert server.multiplier(block) > 1.3


def test_the_clip_stays_a_number() -> None:
    for within in (-1e9, 1e9):
        state = None
        for _ in range(20):
            state = clipping.adapted(ADAPTIVE, clipping.in_force(ADAPTIVE, state), within)
        assert 0 < clipping.in_force(ADAPTIVE, state) < math.inf


# --- who is promised what ---


def settings_of(block: dict[str, Any] | None, **more: Any) -> Any:
    spec = {"privacy": block, "federation": {"clients": 10}}
    return SimpleNamespace(**{"spec": spec, "seed": 1, "virtual": False, **more})


@pytest.mark.parametrize("block", [None, {**FIXED, "kind": "local"}])
def test_the_server_leaves_replies_alone_where_it_adds_no_noise(block: Any) -> None:
    base = drawn(0)
    replies = [(3.0, drawn(1))]
    found, state = privacy.central(settings_of(block), 1, replies, base=base, sampled=1, state=None)
    assert found is replies and state is None


@pytest.mark.parametrize("block", [None, FIXED])
def test_clients_leave_replies_alone_where_they_add_no_noise(block: Any) -> None:
    reply = drawn(1)
    assert privacy.local(settings_of(block), 1, 0, drawn(0), reply) is reply


def test_a_virtual_client_is_promised_nothing() -> None:
    wanted = settings_of(FIXED, virtual=True)
    assert privacy.spent(wanted, [[0]]) is None and privacy.exceeded(wanted, [[0]]) == ""
    assert privacy.record(wanted, [[0]], None) is None


def test_local_epsilon_is_that_of_the_client_asked_most_often() -> None:
    block = {**FIXED, "kind": "local", "noise_multiplier": 4.0}
    asked = [[0, 1], [1, 2], [3, 4]]
    assert privacy.spent(settings_of(block), asked) == accounting.gaussian(4.0, 1e-3, 2)


def test_every_strategy_is_known_to_hold_or_not() -> None:
    from ftbench.spec.strategies import STRATEGIES

    local, central = ({kind for kind, one in STRATEGIES.items() if who in one.privacy} for who in ("local", "central"))
    assert central <= local and set(STRATEGIES) - local == {"scaffold", "flora"}


def test_no_two_purposes_share_a_stream() -> None:
    """numpy pads short seed sequences with zeros, so a partition id at the end does not tell two purposes apart."""
    from ftbench.app import faults, seeding

    words = [noise.UPDATE, noise.COUNT, noise.CLIENT, seeding.SAMPLING, *faults.PURPOSES.values()]
    assert len(set(words)) == len(words)
    same = [numpy.random.default_rng(seed).random() for seed in ([1, 2, words[0]], [1, 2, words[0], 0])]
    assert same[0] == same[1]
