"""The adapter on the model: init, exchange of arrays, the files that peft loads, nothing kept between clients."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from ftbench.app import adapter_files, arrays, initial, loading, model, settings, worker
from ftbench.app.errors import AppError

MakeBench = Callable[..., Any]

BLOCK = {"dtype": "float32", "quantization": None, "gradient_checkpointing": False, "attention": "sdpa"}
PROBE = """
import json, sys
from pathlib import Path
from ftbench.app import arrays, initial
folder, spec = Path(sys.argv[1]), json.loads(sys.argv[2])
print(arrays.digest(spec["adapter"], initial.arrays(folder, spec, 1)))
"""


def test_the_initial_adapter_does_not_depend_on_the_hash_seed(make_bench: MakeBench) -> None:
    targets = ["v_proj", "q_proj", "down_proj", "gate_proj", "k_proj", "o_proj"]
    bench = make_bench({"adapter.targets": targets})
    spec = bench.plan.spec
    command = [sys.executable, "-W", "ignore", "-c", PROBE, str(bench.world.model_folder), json.dumps(spec)]
    found = [
        subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout.split()[-1]
        for seed in ("1", "2")
    ]
    here = arrays.digest(spec["adapter"], initial.arrays(bench.world.model_folder, spec, 1))
    assert found == [here, here]


def test_init_follows_the_seed_and_starts_at_nothing(make_bench: MakeBench) -> None:
    bench = make_bench()
    one, again, other = (initial.arrays(bench.world.model_folder, bench.plan.spec, seed) for seed in (1, 1, 2))
    assert list(one) == sorted(one)
    assert all((one[name] == again[name]).all() for name in one)
    assert any((one[name] != other[name]).any() for name in one)
    assert all(not array.any() for name, array in one.items() if "lora_B" in name)
    assert len(one) == 2 * 7 * 2  # A and B, seven linear layers, two blocks; never the output head
    assert not any("lm_head" in name for name in one)


def test_arrays_go_in_and_come_out(make_bench: MakeBench) -> None:
    bench = make_bench()
    net = worker.find_worker(settings.read(bench.config, bench.plan)).net
    given = {
        name: numpy.random.default_rng(1).normal(size=a.shape).astype("f4") for name, a in model.get_arrays(net).items()
    }
    model.set_arrays(net, given)
    back = model.get_arrays(net)
    assert all((back[name] == given[name]).all() for name in given)
    given[next(iter(given))][...] = 0
    assert all((model.get_arrays(net)[name] == back[name]).all() for name in back)
    with pytest.raises(AppError, match="not the one"):
        model.set_arrays(net, dict(list(back.items())[1:]))


def test_only_the_adapter_trains(make_bench: MakeBench) -> None:
    bench = make_bench()
    net = worker.find_worker(settings.read(bench.config, bench.plan)).net
    assert {name for name, p in net.named_parameters() if p.requires_grad} == {
        name for name, _ in net.named_parameters() if "lora_" in name
    }


def test_a_client_s_round_depends_on_nothing_before_it(make_bench: MakeBench) -> None:
    """The same message gives the same answer, whoever was served by the process before."""
    bench = make_bench({"adapter.dropout": 0.1})
    wanted = settings.read(bench.config, bench.plan)
    start = initial.arrays(bench.world.model_folder, bench.plan.spec, 1)
    first, loss = worker.train(wanted, 0, 1, 0.01, start)
    moved, _ = worker.train(wanted, 1, 1, 0.01, first)
    torch.rand(7)
    again, loss_again = worker.train(wanted, 0, 1, 0.01, start)
    assert loss == loss_again
    assert all((first[name] == again[name]).all() for name in first)
    assert any((moved[name] != first[name]).any() for name in first)
    assert len(worker._workers) == 1


def test_the_base_model_stays_as_it_is(make_bench: MakeBench) -> None:
    bench = make_bench()
    wanted = settings.read(bench.config, bench.plan)
    net = worker.find_worker(wanted).net
    frozen = {name: p.detach().clone() for name, p in net.named_parameters() if not p.requires_grad}
    worker.train(wanted, 0, 1, 0.01, model.get_arrays(net))
    assert all(torch.equal(p, frozen[name]) for name, p in net.named_parameters() if name in frozen)


def test_a_partition_without_a_usable_row_is_an_error(make_bench: MakeBench) -> None:
    bench = make_bench({"training.sequence_length": 3})
    wanted = settings.read(bench.config, bench.plan)
    start = initial.arrays(bench.world.model_folder, bench.plan.spec, 1)
    with pytest.raises(AppError, match="none of the 7 rows of partition 1 can be learnt from: 7 longer than"):
        worker.train(wanted, 1, 1, 0.01, start)


@pytest.mark.parametrize("targets", ["all-linear", ["v_proj", "q_proj"]])
def test_peft_loads_the_finished_adapter(make_bench: MakeBench, targets: Any) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    bench = make_bench({"federation.rounds": 1, "adapter.targets": targets})
    bench.play()
    folder: Path = bench.run_dir / "adapter"
    base = AutoModelForCausalLM.from_pretrained(bench.world.model_folder, local_files_only=True)
    loaded = PeftModel.from_pretrained(base, str(folder))
    digest = arrays.digest(bench.plan.spec["adapter"], model.get_arrays(loaded))
    assert digest == bench.ledger[-1]["adapter"]
    assert sorted(path.name for path in folder.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]


def test_the_adapter_s_config_has_one_form() -> None:
    ref = {"name": "builtin/tiny", "revision": "0" * 64}
    block = {"kind": "lora", "rank": 2, "alpha": 4, "dropout": 0, "targets": ["q", "k"]}
    one = adapter_files.config_bytes(block, ref)
    assert one == adapter_files.config_bytes({**block, "targets": ["k", "q"]}, dict(reversed(ref.items())))
    assert json.loads(one)["target_modules"] == ["k", "q"]


def test_models_that_do_not_load_are_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(AppError, match="does not load"):
        loading.load_base(tmp_path, BLOCK)
    with pytest.raises(AppError, match="does not load"):
        model.load_tokenizer(tmp_path)


def test_weights_in_pickle_form_are_not_read(make_bench: MakeBench, tmp_path: Path) -> None:
    source = make_bench().world.model_folder
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(AppError, match="does not load"):
        loading.load_base(tmp_path, BLOCK)
