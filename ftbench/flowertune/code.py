"""From an app to its facts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from ftbench.flowertune.app import App, Module
from ftbench.flowertune.facts import Fact, Facts
from ftbench.flowertune.reading import UNKNOWN, Call, Reader, Seen

T = TypeVar("T")

LORA = {"r", "lora_alpha", "lora_dropout", "target_modules", "use_dora", "task_type", "inference_mode"}
TRAINED_BY = {"use_gradient_checkpointing", "random_state", "max_seq_length"}
"""Arguments of unsloth's get_peft_model that are not the adapter's."""
NEUTRAL = {"bias": ("none",), "init_lora_weights": (True,), "use_rslora": (False,), "fan_in_fan_out": (False,)}
"""Arguments of LoraConfig that change nothing at these values; None does so everywhere."""
ADAPTERS = {"AdaLoraConfig", "IA3Config", "LoHaConfig", "LoKrConfig", "PrefixTuningConfig", "PromptTuningConfig"} | {
    "OFTConfig",
    "BOFTConfig",
    "VeraConfig",
    "PromptEncoderConfig",
}
STRATEGIES = {
    name.lower(): name
    for name in ("FedAvg", "FedProx", "FedAvgM", "FedAdam", "FedYogi", "FedAdagrad", "FedMedian", "FedTrimmedAvg")
} | {"krum": "Krum", "multikrum": "MultiKrum", "bulyan": "Bulyan", "qfedavg": "QFedAvg"}
AGGREGATES = {"aggregate_fit", "aggregate_train"}
MU = {"proximal_mu", "proximal-mu", "fedprox_mu", "prox_mu"}
ROUND = ("current_round", "server_round", "round", "rnd")
TRAINER = {"TrainingArguments", "SFTConfig", "Seq2SeqTrainingArguments"}


def facts(app: App) -> Facts:
    """Everything that its files tell."""
    values = {name: one.value for name, one in app.settings.items()}
    reader = Reader(app.modules, values)
    seen = reader.everything()
    found = Facts(
        dataset=_dataset(app, seen),
        supernodes=None if app.supernodes is None else Fact(app.supernodes.value, app.supernodes.place),
        rounds=_setting(app, int, "num_server_rounds", "static.num_rounds", "num_rounds"),
        fraction=_setting(app, float, "strategy.fraction_fit", "strategy.fraction_train", "fraction_fit"),
        sequence_length=_length(app, seen),
        rate_max=_setting(app, float, "train.learning_rate_max"),
        rate_min=_setting(app, float, "train.learning_rate_min"),
    )
    _model(found, app, seen)
    _adapter(found, seen)
    _arguments(found, app, seen)
    _rates(found, reader, seen)
    _strategy(found, app, reader, seen)
    found.packages = [Fact(text, app.shown) for text in _requirements(app)]
    lock = next((name for name in ("uv.lock", "poetry.lock", "pdm.lock") if (app.folder / name).is_file()), "")
    found.locked = str(app.folder / lock) if lock else ""
    return found


def _setting(app: App, kind: type[T], *names: str) -> Fact[T] | None:
    for name in names:
        value = app.get(name)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is kind:
            return Fact(value, app.place(name))
    return None


def _named(seen: Seen, *names: str) -> list[Call]:
    return [call for call in seen.calls if call.name in names]


def _given(calls: Sequence[Call], name: str, kind: type[T]) -> Fact[T] | None:
    """The argument of the last call that has it and is of that kind."""
    for call in reversed(calls):
        value = call.kwargs.get(name, UNKNOWN)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is kind:
            return Fact(value, call.place)
    return None


def _dataset(app: App, seen: Seen) -> Fact[str] | None:
    """What is loaded: the argument of FederatedDataset where the text tells, else the setting."""
    return _given(_named(seen, "FederatedDataset"), "dataset", str) or _setting(
        app, str, "static.dataset.name", "dataset.name"
    )


def _length(app: App, seen: Seen) -> Fact[int] | None:
    calls = _named(seen, "SFTTrainer", *TRAINER)
    return (
        _given(calls, "max_seq_length", int)
        or _given(calls, "max_length", int)
        or _setting(app, int, "train.seq_length")
    )


def _model(found: Facts, app: App, seen: Seen) -> None:
    loads = [call for call in _named(seen, "from_pretrained") if not _of_tokenizer(call)]
    causal = [call for call in loads if "quantization_config" in call.kwargs or "torch_dtype" in call.kwargs] or loads
    names = [Fact(call.args[0], call.place) for call in causal if call.args and isinstance(call.args[0], str)]
    set_ = _setting(app, str, "model.name")
    found.model = set_ if set_ and (not names or names[-1].value == set_.value) else names[-1] if names else set_
    found.revision = _given(causal, "revision", str)
    found.attention = _given(causal, "attn_implementation", str)
    remote = [
        call for call in _named(seen, "from_pretrained", "load_dataset") if call.kwargs.get("trust_remote_code") is True
    ]
    if remote:
        found.remote_code = Fact(True, remote[0].place)
    unsloth = [call for call in loads if "load_in_4bit" in call.kwargs or "load_in_8bit" in call.kwargs]
    calls = [*_named(seen, "BitsAndBytesConfig"), *unsloth]
    if not calls:
        if loads:
            found.bits = Fact(16, loads[-1].place)
        return
    last = calls[-1]
    if last.kwargs.get("load_in_8bit") is True:
        found.bits = Fact(8, last.place)
    elif last.kwargs.get("load_in_4bit") is True:
        found.bits = Fact(4, last.place)
        kind = last.kwargs.get("bnb_4bit_quant_type", "fp4")
        compute = last.kwargs.get("bnb_4bit_compute_dtype", "float32")
        if isinstance(kind, str):
            found.quantization = Fact(kind, last.place)
        if isinstance(compute, str):
            found.compute = Fact(compute, last.place)
        double = last.kwargs.get("bnb_4bit_use_double_quant", False)
        if isinstance(double, bool):
            found.double_quant = Fact(double, last.place)


def _of_tokenizer(call: Call) -> bool:
    line = call.module.text.split("\n")[call.line - 1]
    return bool({"use_fast", "padding_side"} & set(call.kwargs)) or "okenizer" in line


def _adapter(found: Facts, seen: Seen) -> None:
    other = [call for call in seen.calls if call.name in ADAPTERS]
    if other:
        found.other_adapter = Fact(other[-1].name, other[-1].place)
    calls = _named(seen, "LoraConfig") or [call for call in _named(seen, "get_peft_model") if "r" in call.kwargs]
    if not calls:
        return
    found.rank = _given(calls, "r", int) or (None if "r" in calls[-1].kwargs else Fact(8, calls[-1].place))
    found.alpha = _given(calls, "lora_alpha", float)
    if found.alpha is None and "lora_alpha" not in calls[-1].kwargs:
        found.alpha = Fact(8.0, calls[-1].place)
    given = calls[-1].kwargs
    found.dropout = _given(calls, "lora_dropout", float) or (
        None if "lora_dropout" in given else Fact(0.0, calls[-1].place)
    )
    found.dora = _given(calls, "use_dora", bool) or (None if "use_dora" in given else Fact(False, calls[-1].place))
    targets = given.get("target_modules")
    if isinstance(targets, str) or targets is None:
        found.targets = Fact(targets, calls[-1].place)
    elif isinstance(targets, list) and targets and all(isinstance(one, str) for one in targets):
        found.targets = Fact([one.strip() for one in targets], calls[-1].place)
    neutral = LORA | (TRAINED_BY if calls[-1].name == "get_peft_model" else set())
    found.adapter_extras = {
        name: Fact(value, calls[-1].place)
        for name, value in given.items()
        if name not in neutral and value is not None and value not in NEUTRAL.get(name, ())
    }


def _arguments(found: Facts, app: App, seen: Seen) -> None:
    """Arguments of the trainer: the settings, what the call gives, what is assigned later."""
    arguments = {
        name.removeprefix("train.training_arguments."): Fact(one.value, one.place)
        for name, one in app.settings.items()
        if name.startswith("train.training_arguments.")
    }
    for call in _named(seen, *TRAINER):
        arguments |= {
            name: Fact(value, call.place)
            for name, value in call.kwargs.items()
            if value is not UNKNOWN and not _same(arguments, name, value)
        }
    for name, given in seen.attributes.items():
        value, place = given[-1]
        if name in arguments and isinstance(value, str | int | float | bool):
            arguments[name] = Fact(value, place)
    found.arguments = arguments


def _same(arguments: Mapping[str, Fact[Any]], name: str, value: Any) -> bool:
    return name in arguments and arguments[name].value == value


def _rates(found: Facts, reader: Reader, seen: Seen) -> None:
    """The learning rate that the text gives the trainer, by a walk through it with each round's number."""
    if found.rounds is None or not 1 <= found.rounds.value <= 5000:
        return
    rounds = found.rounds.value
    given = seen.attributes.get("learning_rate", [])
    calls = [call for call in _named(seen, *TRAINER) if "learning_rate" in call.kwargs]
    if given:
        found.rate_place = given[-1][1]
    elif calls:
        found.rate_place = calls[-1].place
    rates: dict[int, float | None] = {}
    for number in sorted({1, 2, 3, max(1, rounds // 2), max(1, rounds - 1), rounds} & set(range(1, rounds + 1))):
        walk = reader.everything({**dict.fromkeys(ROUND, number), "num_server_rounds": rounds})
        value: Any = UNKNOWN
        if walk.attributes.get("learning_rate"):
            value = walk.attributes["learning_rate"][-1][0]
        elif calls:
            value = [call for call in _named(walk, *TRAINER) if "learning_rate" in call.kwargs][-1].kwargs[
                "learning_rate"
            ]
        rates[number] = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    found.rates = [rates.get(number) for number in range(1, rounds + 1)]


def _strategy(found: Facts, app: App, reader: Reader, seen: Seen) -> None:
    known = {name: _kind(name, reader) for name in [*reader.classes, *STRATEGIES.values()]}
    made = [call for call in seen.calls if known.get(call.name) and call.name != call.within]
    target = app.get("strategy._target_")  # Hydra makes it
    if not made and isinstance(target, str):
        kind = STRATEGIES.get(target.rpartition(".")[2].lower())
        if kind:
            found.strategy = Fact(kind.lower(), app.place("strategy._target_"))
            found.strategy_settings = {
                name.removeprefix("strategy."): Fact(one.value, one.place)
                for name, one in app.settings.items()
                if name.startswith("strategy.")
            }
            found.reads_mu = _reads_mu(app.modules, reader)
            return
    if not made:
        return
    call = made[-1]
    found.strategy = Fact(known[call.name] or "own", call.place)
    settings: dict[str, Fact[Any]] = {}
    for inner in seen.calls:  # what the class's own constructor hands to Flower's
        if inner.name == "__init__" and _stands_in(inner, call.name, reader):
            settings |= {name: Fact(value, inner.place) for name, value in inner.kwargs.items() if value is not UNKNOWN}
    settings |= {name: Fact(value, call.place) for name, value in call.kwargs.items() if value is not UNKNOWN}
    found.strategy_settings = settings
    for name in ("min_fit_clients", "min_train_nodes"):
        if name in settings and isinstance(settings[name].value, int):
            found.least_clients = settings[name].value
    for name in ("fraction_fit", "fraction_train"):
        if name in settings and isinstance(settings[name].value, int | float):
            share = float(settings[name].value)
            if found.fraction is None or found.fraction.value != share:
                found.fraction = Fact(share, settings[name].place)
    found.reads_mu = _reads_mu(app.modules, reader)


def _stands_in(call: Call, name: str, reader: Reader) -> bool:
    node, module = reader.classes.get(name, (None, None))
    return node is not None and module is call.module and node.lineno <= call.line <= (node.end_lineno or 0)


def _kind(name: str, reader: Reader, depth: int = 0) -> str | None:
    """What a strategy's class does: Flower's name of it, `flexlora`, or `own`; None for what is no strategy."""
    if name in STRATEGIES.values():
        return name.lower()
    if name not in reader.classes or depth > 5:
        return None
    node = reader.classes[name][0]
    bases = [base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "") for base in node.bases]
    above = next((kind for base in bases if (kind := _kind(base, reader, depth + 1))), None)
    if above is None:
        return "own" if "Strategy" in bases else None
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name in AGGREGATES and not _calls_super(method):
            text = ast.unparse(node).lower()
            return "flexlora" if "flexlora" in text or "flex_lora" in text else "own"
    return above


def _calls_super(method: ast.FunctionDef) -> bool:
    return any(
        isinstance(node, ast.Attribute)
        and node.attr in AGGREGATES
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "super"
        for node in ast.walk(method)
    )


def _reads_mu(modules: Sequence[Module], reader: Reader) -> bool:
    """Whether the text of a module without a strategy names mu, outside of what makes the strategy."""
    strategies = {id(reader.classes[name][1]) for name in reader.classes if _kind(name, reader)}
    for module in modules:
        if id(module) in strategies:
            continue
        makes = {
            id(word)
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Call) and _kind(_last(node.func), reader)
            for word in ast.walk(node)
        }
        for node in ast.walk(module.tree):
            if id(node) not in makes and set(_words(node)) & MU:
                return True
    return False


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _words(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Name):
        yield node.id


def _requirements(app: App) -> list[str]:
    listed = app.project.get("project", {}).get("dependencies", [])
    found = [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    path = app.folder / "requirements.txt"
    if path.is_file() and not path.is_symlink() and path.stat().st_size < 2**16:
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [line.partition("#")[0].strip() for line in text.split("\n") if re.match(r"\s*[A-Za-z0-9]", line)]
    return found
