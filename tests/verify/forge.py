"""A consistent, genuine-looking bundle made without any training, and the cheat's tool that seals an edited one again.

The benchmark is compiled for real, from the quickstart's spec with two tasks of invented rows; weights, updates and
log-likelihoods are random numbers, but everything that names, counts or digests them is right.
"""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import forge_programs
import numpy as np
from forge_config import config

from ftbench import builtin
from ftbench.compile.compiler import Compiled, compile_spec
from ftbench.data.store import Store
from ftbench.result import adapter, ledger, manifest, names, samples, withheld
from ftbench.result.documents import Answer, Sample, Verdict
from ftbench.result.files import Bundle
from ftbench.result.score import score
from ftbench.spec.canonical import canonical, digest, pretty, sha256
from ftbench.spec.entries import apply, dump_resolved, entry_digest, parse_resolved, resolve_entry
from ftbench.spec.entry import ResolvedEntry
from ftbench.spec.implied.learning_rate import of_round
from ftbench.spec.load import load_spec
from ftbench.spec.model import Spec
from ftbench.spec.pins import PartitionPin, Pins, SourcePin, partition_inputs, source_inputs
from ftbench.spec.tasks import CodeTask, Task
from ftbench.spec.transport import Transport
from ftbench.verify import filled
from ftbench.verify.context import Context
from ftbench.verify.formulas import chosen_clients
from ftbench.verify.verifier import checks, climb

HIDDEN = 8
MODULES = [
    f"model.layers.0.{part}"
    for part in ("mlp.down_proj", "mlp.gate_proj", "mlp.up_proj", "self_attn.k_proj", "self_attn.q_proj")
]
ITEMS = 24
PROGRAMS = 4
"""Items of the code task; few, since each is really run."""
ROWS = 42
GENERATED: dict[str, Any] = {
    "scoring": ["likelihood", "generated", "flowertune"],
    "generation": {"max_new_tokens": 8, "stop": ["\n"]},
    "extraction": "option-text",
    "flowertune": "exact-label",
}
CODE: dict[str, Any] = {
    "kind": "code",
    "name": "sums",
    "source": {"kind": "builtin", "name": "micro-world", "split": "test-sums"},
    "columns": {"question": "question", "n": "n"},
    "prompt": "{question}",
    "language": "python",
    "generation": {"max_new_tokens": 64},
    "program": "{completion}\n",
    "tests": "assert f() == {n}\n",
    "entry_point": "f",
    "scoring": ["pass@1"],
    "cpu_seconds": 5,
    "memory_mib": 256,
}
LOSSES = [1.5, 1.25, 1.0, 1.125]  # of validation by round: the third is chosen


@dataclass
class World:
    """A benchmark of its own with all that a verifier needs to judge by it."""

    root: Path
    store: Store
    compiled: Compiled
    items: dict[str, list[dict[str, Any]]]

    @property
    def spec(self) -> Spec:
        return self.compiled.plan.typed_spec()

    def verdict(self, files: dict[str, bytes], store: Store | None = None) -> Verdict:
        """The verdict on a bundle of these files, judged in memory by this world's compiled benchmark."""
        context = self.context(files, store)
        return climb(context, "RESCORED", checks(context))

    def context(self, files: dict[str, bytes], store: Store | None = None) -> Context:
        """A bundle of these files before any check."""
        bundle = Bundle(Path("bundle"))
        for name, content in sorted(files.items()):
            if bundle.admits(name, len(content)):
                bundle.add(name, content)
        return Context(bundle, store or self.store, None, [self.root / "benchmarks"])


def make_world(root: Path, change: Callable[[dict[str, Any]], None] = lambda _: None) -> World:
    """Compile the benchmark into `root/benchmarks` and fill `root/store`. `change` edits the spec before."""
    from ftbench.compile.folder import write

    store = Store([root / "store"])
    model = root / "model"
    model.mkdir(parents=True)
    (model / "config.json").write_text('{"model_type": "llama"}')
    weights = {f"{module}.weight": _tensor((HIDDEN, HIDDEN), 0) for module in MODULES}
    weights["model.embed_tokens.weight"] = _tensor((16, HIDDEN), 1)
    (model / "model.safetensors").write_bytes(adapter.write_tensors(weights))

    value = load_spec(builtin.specs()["quickstart"]).spec.model_dump(mode="json")
    value["metadata"] |= {"name": "forged-world", "version": "0.1.0"}
    value["model"]["base"] = {"name": "forged/model", "revision": store.put_model(model)}
    value["federation"] |= {"clients": 6, "rounds": 4, "min_replies": 1, "sampling": {"fraction": 0.5}}
    value["adapter"] |= {"rank": 4, "targets": "all-linear"}
    task = value["evaluation"]["tasks"][0]
    tasks = [task | GENERATED | {"name": name} for name in ("jars", "shelves")] + [CODE]
    value["evaluation"]["tasks"] = copy.deepcopy(tasks)  # `change` may edit them
    value["evaluation"] |= {"checkpoint": "best-validation", "references": {"centralised": True}}
    value["data"]["validation"] = {"fraction": 0.05, "min_rows": 2}
    value["seeds"]["runs"] = [1, 2, 3]
    value["knobs"] = {
        "adapter.rank": {"min": 1, "max": 16},
        "training.schedule.learning_rate": {"min": 1e-4, "max": 1e-1},
        "model.base": {"free": True},
    }
    change(value)
    spec = Spec.model_validate(value)
    items = {task.name: _rows(task) for task in spec.evaluation.tasks}
    compiled = compile_spec(spec, _pins(spec, store, items))
    write(compiled, root / "benchmarks")
    return World(root, store, compiled, items)


def _rows(task: Task) -> list[dict[str, Any]]:
    if isinstance(task, CodeTask):
        return [{"question": f"{task.name}: a function f that returns {n}", "n": n} for n in range(PROGRAMS)]
    draw, questions = random.Random(task.name), [f"{task.name} {n}: which {{one}}?" for n in range(ITEMS)]
    return [{"question": question, task.answer: draw.randrange(len(task.options))} for question in questions]


def _pins(spec: Spec, store: Store, items: dict[str, list[dict[str, Any]]]) -> Pins:
    rows = [{"question": f"row {n}", "answer": "red"} for n in range(ROWS)]
    cut = [0, 1]
    shares = [share.tolist() for share in np.array_split(np.arange(len(cut), ROWS), spec.federation.clients)]
    train = store.put_rows(rows)
    inputs = source_inputs(spec.data.source, spec.data.columns)
    sources = {"train": SourcePin(inputs=inputs, digest=train, rows=ROWS, licence="CC0-1.0")}
    for task in spec.evaluation.tasks:
        pin = store.put_rows(items[task.name])
        inputs, rows_of = source_inputs(task.source, task.columns), len(items[task.name])
        sources[f"task:{task.name}"] = SourcePin(inputs=inputs, digest=pin, rows=rows_of, licence="CC0-1.0")
    partition = PartitionPin(
        inputs=partition_inputs(train, spec.federation, spec.seeds.partition, spec.data.validation),
        validation=store.put_partition([cut]),
        validation_rows=len(cut),
        digest=store.put_partition(shares),
        sizes=[len(share) for share in shares],
        digests=[digest([rows[n] for n in share]) for share in shares],
    )
    return Pins(sources=sources, partition=partition)


def _tensor(shape: tuple[int, ...], seed: int) -> adapter.Tensor:
    return adapter.Tensor(shape, np.random.default_rng(seed).standard_normal(shape).astype("<f4").tobytes())


def tensors(rank: int, seed: int, kind: str = "lora") -> dict[str, adapter.Tensor]:
    """Random low-rank factors for every linear layer of the world's base model, for DoRA with magnitudes."""
    made = {}
    for number, module in enumerate(MODULES):
        made[f"base_model.model.{module}.lora_A.weight"] = _tensor((rank, HIDDEN), 1000 * seed + 2 * number)
        made[f"base_model.model.{module}.lora_B.weight"] = _tensor((HIDDEN, rank), 1000 * seed + 2 * number + 1)
        if kind == "dora":
            made[f"base_model.model.{module}.lora_magnitude_vector"] = _tensor((HIDDEN,), 1000 * seed + 500 + number)
    return made


@dataclass
class Forged:
    """A bundle's files and what is handy to edit them. Edits change nothing but the file that they name."""

    world: World
    files: dict[str, bytes]
    keep: set[str] = field(default_factory=set)
    """What `reseal` must not set right, since it is the lie.

    entry, checkpoint, adapter, config, bytes, cost, scores, ledger, manifest; `all`: everything but the manifest.
    """

    @contextmanager
    def json(self, name: str) -> Iterator[Any]:
        """The value of a JSON file, written back afterwards."""
        value = json.loads(self.files[name])
        yield value
        self.files[name] = pretty(value)

    def result(self) -> Any:
        return self.json(names.RESULT)

    @contextmanager
    def lines(self) -> Iterator[list[Any]]:
        """The ledger's lines as values; `seq` and `prev` stay as they are."""
        value = [json.loads(line) for line in ledger.split(self.files[names.LEDGER])]
        yield value
        self.files[names.LEDGER] = b"".join(canonical(line) + b"\n" for line in value)

    @contextmanager
    def round(self, number: int) -> Iterator[Any]:
        """One round of the ledger."""
        with self.lines() as lines:
            yield next(line["body"] for line in lines if line["body"].get("round") == number)

    @contextmanager
    def samples(self, task: str) -> Iterator[list[Any]]:
        """The samples of a task as values."""
        name = names.samples_name(task)
        value = [sample.model_dump(mode="json") for sample in samples.parse(self.files[name], name)]
        yield value
        self.files[name] = samples.dump(Sample.model_validate(sample) for sample in value)

    @contextmanager
    def entry(self) -> Iterator[Any]:
        """The resolved entry as a value."""
        value = parse_resolved(self.files[names.ENTRY]).model_dump(mode="json")
        yield value
        self.files[names.ENTRY] = dump_resolved(ResolvedEntry.model_validate(value))

    def copy(self) -> Forged:
        return Forged(self.world, dict(self.files), set(self.keep))

    def set_adapter(self, rank: int, seed: int) -> None:
        self.files[names.ADAPTER] = adapter.write_tensors(tensors(rank, seed))


def make(world: World, seed: int = 1, sets: tuple[str, ...] = ()) -> Forged:
    """The bundle of a run that never took place: 4 rounds, one client left out, one interruption."""
    spec = world.spec
    entry = resolve_entry(spec, None, sets=sets, seed=seed)
    rank, kind = int(entry.knobs["adapter.rank"]), spec.adapter.kind
    files = {
        names.ENTRY: dump_resolved(entry),
        names.LOCK: world.compiled.files["ftbench.lock"],
        names.MODEL: world.store.outline(spec.model.base.revision).to_bytes(),
        names.ADAPTER: adapter.write_tensors(tensors(rank, seed, kind)),
        names.ADAPTER_CONFIG: b"{}",
        names.ENVIRONMENT: pretty(_environment(world)),
    }
    for number, task in enumerate(spec.evaluation.tasks):
        files[names.samples_name(task.name)] = _samples(world, task.name, 10 * seed + number)
    in_force = apply(spec, entry)
    schedule, transport = in_force.training.schedule, in_force.transport
    bodies = list(_events(world, transport, schedule, seed, tensors(rank, seed, kind)))
    files[names.LEDGER] = b"".join(canonical({"seq": 0, "prev": "0" * 64, "body": body}) + b"\n" for body in bodies)
    files[names.RESULT] = pretty(_result(world, entry))
    forged = Forged(world, files)
    reseal(forged)
    return forged


def _environment(world: World) -> dict[str, Any]:
    packages = {**world.compiled.plan.stack, "torch": world.compiled.plan.stack["torch"] + "+cpu"}
    return {
        "format": "ftbench/environment/v1",
        "python": "3.11.2",
        "system": "Linux x86_64",
        "cpu_count": 2,
        "devices": [],
        "packages": packages,
    }


def _samples(world: World, name: str, seed: int) -> bytes:
    made = _answers(world, name, seed)
    return samples.dump(withheld.withhold(made) if name in withheld.withheld_tasks(world.spec.evaluation) else made)


def _answers(world: World, name: str, seed: int) -> list[Sample]:
    task = next(task for task in world.spec.evaluation.tasks if task.name == name)
    if isinstance(task, CodeTask):
        return [_programs(index, row) for index, row in enumerate(world.items[name])]
    draw = random.Random(seed)
    made = []
    for index, row in enumerate(world.items[name]):
        target = int(row[task.answer])
        untuned, tuned, pooled = ([-draw.random() * 5 - 0.5 for _ in task.options] for _ in range(3))
        if draw.random() < 0.8:
            tuned[target] = -draw.random() / 2
        untuned, tuned, pooled = map(_likelihoods, (untuned, tuned, pooled))
        made.append(
            Sample(
                index=index,
                item=digest(row),
                prompt=row["question"],
                options=list(task.options),
                target=target,
                untuned=Answer(loglikelihoods=untuned, text=draw.choice(["", " I do not know", *task.options])),
                tuned=Answer(loglikelihoods=tuned, text=draw.choice([f" I say{task.options[target]}", " no idea"])),
                references={"centralised": Answer(loglikelihoods=pooled, text=draw.choice(task.options))},
            )
        )
    return made


def _likelihoods(values: list[float]) -> list[float]:
    """Together a little less likely than certain."""
    whole = sum(map(math.exp, values))
    return [value - math.log(whole) - 0.01 for value in values]


def program(n: int | str) -> str:
    """A program that says that its answer is n."""
    return f"def f():\n    return {n}"


def _programs(index: int, row: dict[str, Any]) -> Sample:
    """The tuned model solves the even ones, the untuned none, the pooled one all."""
    solved = {"untuned": False, "tuned": index % 2 == 0, "centralised": True}
    answers = {
        model: Answer(text=program(row["n"] if right else -1), passed=right, status="passed" if right else "failed")
        for model, right in solved.items()
    }
    return Sample(
        index=index,
        item=digest(row),
        prompt=row["question"],
        options=[],
        target=None,
        untuned=answers["untuned"],
        tuned=answers["tuned"],
        references={"centralised": answers["centralised"]},
    )


def wire(coding: str, made: dict[str, adapter.Tensor]) -> int:
    """Bytes of these tensors as sent: int8 has a float32 scale for each direction of rank, or one."""
    elements = adapter.parameters(made)
    scales = sum(min(t.shape) if len(t.shape) == 2 else 1 for t in made.values())
    return {"float32": 4 * elements, "bf16": 2 * elements, "int8": elements + 4 * scales}[coding]


def _events(
    world: World, transport: Transport, schedule: Any, seed: int, made: dict[str, adapter.Tensor]
) -> Iterator[dict[str, Any]]:
    down, up = wire(transport.down, made), wire(transport.up, made)
    spec, sizes = world.spec, world.compiled.plan.pins.partition.sizes
    draw = random.Random(seed)
    rounds, steps = spec.federation.rounds, spec.training.local_steps
    stateful = spec.strategy.kind in ("fedavgm", "fedadam") or transport.down != "float32"
    yield {
        "event": "started",
        "spec_hash": world.compiled.plan.spec_hash,
        "entry": "0" * 64,
        "base_model": spec.model.base.revision,
        "seed": seed,
        "clients": spec.federation.clients,
        "rounds": rounds,
        "trainable_parameters": adapter.parameters(made),
        "adapter": draw.randbytes(32).hex(),
    }
    for number in range(1, rounds + 1):
        asked = chosen_clients(seed, number, spec.federation.clients, spec.federation.sampling.fraction)
        # Round 2 ends with one reply, whose mean is itself.
        answered, silent = (asked[:1], asked[1:]) if number == 2 else (asked, [])
        updates = [draw.randbytes(32).hex() for _ in answered]
        yield {
            "event": "round",
            "round": number,
            "learning_rate": of_round(schedule, number, rounds),
            "sampled": asked,
            "replies": [
                {"partition": c, "examples": sizes[c], "steps": steps, "loss": 1.0 / number, "update": u}
                for c, u in zip(answered, updates, strict=True)
            ],
            "excluded": [{"partition": c, "reason": "error", "detail": "it said so"} for c in silent],
            "bytes_down": len(asked) * down,
            "bytes_up": len(answered) * up,
            "adapter": updates[0] if len(updates) == 1 else draw.randbytes(32).hex(),
            "strategy_state": sha256(bytes([number])) if stateful else None,
            "client_states": {str(c): draw.randbytes(32).hex() for c in answered} if transport.up != "float32" else {},
            "validation_loss": LOSSES[(number - 1) % len(LOSSES)],
        }
        if number == 3:
            yield {"event": "resumed", "after_round": 3}
    yield {"event": "finished", "rounds": rounds, "round": 0, "adapter": "0" * 64, "bytes_down": 0, "bytes_up": 0}


def _result(world: World, entry: ResolvedEntry) -> dict[str, Any]:
    plan = world.compiled.plan
    return {
        "format": f"ftbench/result/v{2 if withheld.withheld_tasks(world.spec.evaluation) else 1}",
        "name": plan.metadata.name,
        "version": plan.metadata.version,
        "spec_hash": plan.spec_hash,
        "division": "closed",
        "entry": "0" * 64,
        "model": entry.model.model_dump(mode="json"),
        "base_model": entry.model.revision,
        "seed": entry.seed,
        "engine": "inline",
        "adapter": "0" * 64,
        "checkpoint_round": 0,
        "references": {"centralised": sha256(b"pooled")},
        "sandbox": "bubblewrap",
        "ledger": "0" * 64,
        "scores": {},
        "cost": {"train_seconds": 12.5, "evaluate_seconds": 3.5, "peak_memory_bytes": 2**28},
        "exclusions": 0,
        "bit_reproducible": True,
        "smoke": False,
        "unpinned": False,
    }


def reseal(forged: Forged) -> None:
    """Set right everything that follows from the rest, as a cheat would who has ftbench's own source."""
    keep = forged.keep
    if "all" in keep:
        forged.files[names.MANIFEST] = manifest.to_bytes(manifest.make(forged.files))
        return
    entry = parse_resolved(forged.files[names.ENTRY])
    block = forged.world.spec.adapter.model_dump(mode="json", exclude_none=True)
    block |= {path.removeprefix("adapter."): v for path, v in entry.knobs.items() if path.startswith("adapter.")}
    with forged.result() as result, forged.lines() as lines:
        bodies = [line["body"] for line in lines]
        rounds = [body for body in bodies if body["event"] == "round"]
        ends = [body for body in bodies if body["event"] == "finished"]
        if "entry" not in keep:
            result["entry"] = bodies[0]["entry"] = entry_digest(entry)
        if "checkpoint" not in keep and rounds:
            told = {body["round"]: body["validation_loss"] for body in rounds}
            best = min(told, key=lambda number: (float("inf") if told[number] is None else told[number], number))
            result["checkpoint_round"] = best
            for end in ends:
                end["round"] = best
        if "adapter" not in keep:
            found = adapter.adapter_digest(forged.files[names.ADAPTER], block)
            chosen = [body for body in rounds if body["round"] == result["checkpoint_round"]]
            for holder in [result, *chosen, *ends]:
                holder["adapter"] = found
        if "config" not in keep:
            forged.files[names.ADAPTER_CONFIG] = pretty(config(block, entry))
        if "bytes" not in keep:
            for end in ends:
                end |= {key: sum(body[key] for body in rounds) for key in ("bytes_down", "bytes_up")}
        if "cost" not in keep:
            result["cost"] |= {key: sum(body[key] for body in rounds) for key in ("bytes_down", "bytes_up")}
            result["cost"] |= {"rounds": len(rounds), "trainable_parameters": bodies[0]["trainable_parameters"]}
            left_out = [one.get("planned", False) for body in rounds for one in body["excluded"]]
            result |= {"exclusions": left_out.count(False), "planned_exclusions": left_out.count(True)}
        if "ledger" not in keep:
            before = ledger.genesis(result["spec_hash"])
            for number, line in enumerate(lines):
                line |= {"seq": number, "prev": before}
                before = sha256(canonical(line) + b"\n")
            result["ledger"] = before
        if "scores" not in keep:
            tasks = {name: names.task_of(name) for name in sorted(forged.files)}
            by_task = {task: samples.parse(forged.files[name], name) for name, task in tasks.items() if task}
            by_task = filled.filled(by_task, forged.world.compiled.plan, forged.world.store)
            result["scores"] = score(by_task, forged.world.spec.evaluation).model_dump(mode="json")
    if "manifest" not in keep:
        forged.files[names.MANIFEST] = manifest.to_bytes(manifest.make(forged.files))


programs_run = forge_programs.programs_run


def write_folder(files: dict[str, bytes], folder: Path) -> Path:
    """The files in a real folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
