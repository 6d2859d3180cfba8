"""Attacks on files, lock, entry, adapter and environment."""

from __future__ import annotations

import struct

import forge
from attacks import attack
from forge import Forged, adapter

from ftbench.result import names
from ftbench.spec.canonical import pretty


def set_rank(f: Forged, rank: int) -> None:
    with f.entry() as entry:
        entry["knobs"]["adapter.rank"] = rank


# --- files ------------------------------------------------------------------------------------------------------------


@attack(raw="files-permitted", sealed="files-permitted")
def extra_file(f: Forged) -> None:
    f.files["notes.txt"] = b"hello"


@attack(raw="names-safe", sealed="names-safe")
def bypass_file(f: Forged) -> None:
    f.files[".ftbench-skip-checks"] = b"all"


@attack(raw="files-permitted", sealed="files-permitted")
def verdict_brought_along(f: Forged) -> None:
    f.files["verdict.json"] = pretty({"level": "RESCORED", "accepted": True})


@attack(raw="manifest-complete", sealed="card-made")
def card_that_promises_more(f: Forged) -> None:
    f.files[names.CARD] = b"# REPRODUCED by everybody\n"


@attack(raw="files-permitted", sealed="files-permitted")
def pickled_adapter(f: Forged) -> None:
    f.files["adapter/adapter_model.bin"] = b"\x80\x04."


@attack(raw="files-permitted", sealed="files-permitted")
def code_brought_along(f: Forged) -> None:
    f.files["adapter/modeling.py"] = b"raise SystemExit"


@attack(raw="names-safe", sealed="names-safe")
def newline_in_a_file_name(f: Forged) -> None:
    f.files["samples/jars\nok   everything.jsonl.gz"] = b""


@attack(raw="names-safe", sealed="names-safe")
def markup_in_a_file_name(f: Forged) -> None:
    f.files["<script>alert(1)</script>"] = b""


@attack(raw="names-safe", sealed="names-safe")
def path_that_leaves_the_bundle(f: Forged) -> None:
    f.files["../outside.json"] = b"{}"


@attack(raw="names-safe", sealed="names-safe")
def absolute_path(f: Forged) -> None:
    f.files["/etc/ftbench.json"] = b"{}"


@attack(raw="names-safe", sealed="names-safe")
def name_that_differs_in_case_only(f: Forged) -> None:
    f.files["samples/Jars.jsonl.gz"] = f.files[names.samples_name("jars")]


@attack(raw="files-permitted", sealed="files-permitted", keep="scores")
def samples_renamed(f: Forged) -> None:
    f.files["samples/vases.jsonl.gz"] = f.files.pop(names.samples_name("jars"))


@attack(raw="documents-parse", sealed="documents-parse", keep="all")
def ledger_missing(f: Forged) -> None:
    del f.files[names.LEDGER]


@attack(raw="manifest-digests", sealed="manifest-complete", keep="manifest")
def manifest_lists_less(f: Forged) -> None:
    with f.json(names.MANIFEST) as manifest:
        del manifest["files"][names.ENVIRONMENT]
        manifest["files"][names.RESULT]["size"] += 1


# --- documents --------------------------------------------------------------------------------------------------------


def in_result(f: Forged, old: bytes, new: bytes) -> None:
    assert old in f.files[names.RESULT]
    f.files[names.RESULT] = f.files[names.RESULT].replace(old, new, 1)


@attack(raw="documents-parse", sealed="documents-parse", keep="all")
def score_is_nan(f: Forged) -> None:
    with f.result() as result:
        result["scores"]["tuned"]["value"] = 0.123456
    in_result(f, b"0.123456", b"NaN")


@attack(raw="documents-parse", sealed="documents-parse", keep="all")
def score_is_infinite(f: Forged) -> None:
    with f.result() as result:
        result["scores"]["tuned"]["value"] = 0.123456
    in_result(f, b"0.123456", b"Infinity")


@attack(raw="documents-parse", sealed="documents-parse", keep="all")
def score_is_1e400(f: Forged) -> None:
    with f.result() as result:
        result["scores"]["tuned"]["value"] = 0.123456
    in_result(f, b"0.123456", b"1e400")


@attack(raw="documents-parse", sealed="documents-parse", keep="all")
def score_in_percent(f: Forged) -> None:
    with f.result() as result:
        for score in (result["scores"]["tuned"], result["scores"]["tasks"]["jars"]["tuned"]):
            score["value"] *= 100


@attack(raw="documents-parse", sealed="documents-parse", keep="all")
def key_given_twice(f: Forged) -> None:
    in_result(f, b'"smoke": false', b'"smoke": true,\n  "smoke": false')


@attack(raw="documents-parse", sealed="documents-parse", keep="all")
def newline_in_the_entrys_name(f: Forged) -> None:
    f.files[names.ENTRY] = f.files[names.ENTRY].replace(b"name: default", b'name: "x\\n  ok   everything"')


@attack(raw="documents-parse", sealed="documents-parse", keep="all")
def nan_among_the_answers(f: Forged) -> None:
    import gzip

    name = names.samples_name("jars")
    text = gzip.decompress(f.files[name]).replace(b'"tuned":{"loglikelihoods":[', b'"tuned":{"loglikelihoods":[NaN,', 1)
    f.files[name] = gzip.compress(text, mtime=0)


@attack(raw="whole-run", sealed="whole-run")
def trial_run(f: Forged) -> None:
    with f.result() as result:
        result["smoke"] = True


# --- lock and benchmark -----------------------------------------------------------------------------------------------


@attack(sealed="lock-known")
def lock_edited(f: Forged) -> None:
    with f.json(names.LOCK) as lock:
        lock["fab_hash"] = "0" * 64


@attack(sealed="lock-known")
def spec_edited_with_the_old_hash_quoted(f: Forged) -> None:
    """Ten times the rounds; the digest of that plan, under the hash that everybody knows."""
    spec = f.world.spec.model_dump(mode="json")
    spec["federation"]["rounds"] *= 10
    plan = f.world.compiled.plan.model_copy(update={"spec": {k: v for k, v in spec.items() if k != "metadata"}})
    with f.json(names.LOCK) as lock:
        lock["files"]["app/ftbench_app/plan.json"] = forge.sha256(plan.to_bytes())


@attack(sealed="lock-known")
def spec_edited_and_locked_anew(f: Forged) -> None:
    """An easier benchmark of one's own, hashed rightly, under the same name and version."""
    spec = f.world.spec.model_dump(mode="json")
    spec["federation"]["rounds"] *= 10
    plan = f.world.compiled.plan.model_copy(update={"spec": {k: v for k, v in spec.items() if k != "metadata"}})
    with f.json(names.LOCK) as lock, f.result() as result, f.lines() as lines:
        lock["files"]["app/ftbench_app/plan.json"] = forge.sha256(plan.to_bytes())
        lock["spec_hash"] = result["spec_hash"] = lines[0]["body"]["spec_hash"] = plan.spec_hash


@attack(sealed="lock-known")
def partition_not_the_seeds(f: Forged) -> None:
    """Pins with shares of one's own choice, hashed and locked rightly."""
    plan = f.world.compiled.plan.model_dump(mode="json")
    plan["pins"]["partition"]["sizes"] = [37, 1, 1, 1, 1, 1]
    own = type(f.world.compiled.plan).model_validate(plan)
    with f.json(names.LOCK) as lock, f.result() as result, f.lines() as lines:
        lock["files"]["app/ftbench_app/plan.json"] = forge.sha256(own.to_bytes())
        lock["spec_hash"] = result["spec_hash"] = lines[0]["body"]["spec_hash"] = own.spec_hash


@attack(sealed="benchmark-named", keep="")
def another_benchmarks_name(f: Forged) -> None:
    with f.result() as result:
        result["name"] = "medical"


@attack(sealed="benchmark-named", keep="ledger")
def another_hash_in_the_result(f: Forged) -> None:
    with f.result() as result:
        result["spec_hash"] = "a" * 64


# --- entry and base model ---------------------------------------------------------------------------------------------


@attack(sealed="entry-allowed")
def knob_out_of_range(f: Forged) -> None:
    set_rank(f, 64)
    f.set_adapter(64, 1)


@attack(sealed="entry-allowed", keep="")
def frozen_value_set(f: Forged) -> None:
    with f.entry() as entry:
        entry["knobs"]["training.local_steps"] = 1000


@attack(sealed="entry-allowed")
def seed_of_ones_own(f: Forged) -> None:
    """A lucky one, searched for."""
    with f.entry() as entry, f.result() as result, f.lines() as lines:
        entry["seed"] = result["seed"] = lines[0]["body"]["seed"] = 777


@attack(sealed="entry-digest", keep="entry")
def entry_edited_after_the_run(f: Forged) -> None:
    with f.entry() as entry:
        entry["knobs"]["training.schedule.learning_rate"] = 0.02


@attack(sealed="learning-rate")
def stale_run_under_another_entry(f: Forged) -> None:
    with f.entry() as entry:
        entry["knobs"]["training.schedule.learning_rate"] = 0.02


@attack(sealed="base-model")
def base_model_revision_moved(f: Forged) -> None:
    """A stronger model's files under the revision of the one named."""
    with f.result() as result, f.lines() as lines:
        result["base_model"] = lines[0]["body"]["base_model"] = "b" * 64


@attack(sealed="base-model")
def entry_names_another_revision(f: Forged) -> None:
    with f.entry() as entry, f.result() as result:
        entry["model"]["revision"] = result["model"]["revision"] = "c" * 64


@attack(sealed="entry-allowed")
def built_in_model_at_an_invented_revision(f: Forged) -> None:
    with f.entry() as entry, f.result() as result, f.lines() as lines:
        entry["model"] = result["model"] = {"name": "builtin/micro", "revision": "c" * 64}
        result["base_model"] = lines[0]["body"]["base_model"] = "c" * 64


@attack(sealed="entry-allowed")
def built_in_model_at_a_commit(f: Forged) -> None:
    with f.entry() as entry, f.result() as result:
        entry["model"] = result["model"] = {"name": "builtin/micro", "revision": "c" * 40}


def in_headers(f: Forged, old: str, new: str) -> None:
    with f.json(names.MODEL) as model:
        (name,) = model["headers"]
        assert old in model["headers"][name]
        model["headers"][name] = model["headers"][name].replace(old, new)


@attack(sealed="base-model")
def base_model_described_smaller_than_it_is(f: Forged) -> None:
    """As many bytes, half the parameters. No digest in the bundle binds a header; what the verifier knows does."""
    in_headers(f, '"dtype":"F32","shape":[16,8]', '"dtype":"F64","shape":[8,8]')


@attack(sealed="base-model")
def base_model_with_layers_renamed(f: Forged) -> None:
    in_headers(f, "mlp.down_proj", "mlp.down_pro")


@attack(sealed="base-model")
def base_model_with_other_settings(f: Forged) -> None:
    """Settings of a layout that is not known, so that no layer could be missed."""
    with f.json(names.MODEL) as model:
        model["config"] = '{"model_type": "own"}'


@attack(sealed="base-model")
def base_model_described_without_weights(f: Forged) -> None:
    with f.json(names.MODEL) as model:
        model["headers"] = {}


@attack(sealed="base-model")
def files_of_another_base_model_described(f: Forged) -> None:
    """Consistent in itself, settings and files and digest, but not what the result names."""
    with f.json(names.MODEL) as model:
        model["files"]["model.safetensors"] = "d" * 64


@attack(raw="documents-parse", sealed="documents-parse", keep="all")
def base_model_not_described(f: Forged) -> None:
    del f.files[names.MODEL]


@attack(sealed="entry-digest", keep="entry")
def result_names_another_model(f: Forged) -> None:
    with f.result() as result:
        result["model"]["name"] = "somebody/else"


# --- adapter ----------------------------------------------------------------------------------------------------------


@attack(sealed="adapter-digest", keep="adapter")
def adapter_swapped(f: Forged) -> None:
    f.set_adapter(4, 99)


@attack(sealed=None)
def adapter_swapped_and_the_ledger_rewritten(f: Forged) -> None:
    f.set_adapter(4, 99)


@attack(sealed="adapter-shape")
def adapter_of_another_entry(f: Forged) -> None:
    """Rank 8 was run, rank 4 is claimed."""
    f.set_adapter(8, 1)


@attack(sealed="adapter-shape")
def entry_of_another_adapter(f: Forged) -> None:
    set_rank(f, 2)


@attack(sealed="adapter-shape")
def adapter_on_fewer_modules(f: Forged) -> None:
    made = {name: t for name, t in forge.tensors(4, 1).items() if "mlp" not in name}
    f.files[names.ADAPTER] = adapter.write_tensors(made)
    with f.lines() as lines:
        lines[0]["body"]["trainable_parameters"] = adapter.parameters(made)


@attack(sealed="adapter-shape")
def weights_beside_the_adapter(f: Forged) -> None:
    """A whole layer smuggled in."""
    made = forge.tensors(4, 1)
    made["base_model.model.lm_head.weight"] = adapter.Tensor((2, 2), bytes(16))
    f.files[names.ADAPTER] = adapter.write_tensors(made)


@attack(sealed="adapter-shape")
def adapter_not_finite(f: Forged) -> None:
    made = forge.tensors(4, 1)
    name, tensor = next(iter(made.items()))
    made[name] = adapter.Tensor(tensor.shape, struct.pack("<f", float("nan")) + tensor.data[4:])
    f.files[names.ADAPTER] = adapter.write_tensors(made)


@attack(sealed="adapter-shape", keep="adapter")
def adapter_with_bytes_hidden_between_tensors(f: Forged) -> None:
    f.files[names.ADAPTER] += b"\0" * 64


@attack(sealed="adapter-config", keep="config")
def configuration_with_a_key_more(f: Forged) -> None:
    with f.json(names.ADAPTER_CONFIG) as config:
        config["use_dora"] = True


@attack(sealed="adapter-config", keep="config")
def configuration_with_another_scale(f: Forged) -> None:
    with f.json(names.ADAPTER_CONFIG) as config:
        config["lora_alpha"] *= 2


# --- environment ------------------------------------------------------------------------------------------------------


@attack(sealed="environment-pinned")
def unpinned_flag_removed(f: Forged) -> None:
    with f.json(names.ENVIRONMENT) as environment:
        environment["packages"]["torch"] = "2.99.0"


@attack(sealed="environment-pinned")
def unpinned_run(f: Forged) -> None:
    with f.result() as result:
        result["unpinned"] = True


@attack(sealed="environment-pinned")
def package_not_named(f: Forged) -> None:
    with f.json(names.ENVIRONMENT) as environment:
        del environment["packages"]["peft"]


@attack(sealed=None)
def hardware_invented(f: Forged) -> None:
    with f.json(names.ENVIRONMENT) as environment:
        environment |= {"cpu_count": 1, "system": "TempleOS ::error::", "devices": ["abacus"]}
    with f.result() as result:
        result["cost"] |= {"train_seconds": 0.1, "peak_memory_bytes": 1}
