"""The domain specs are FlowerTune's setup (arXiv 2506.02961), number by number, and nothing else is open."""

from __future__ import annotations

from collections import Counter

import pytest

from ftbench import builtin
from ftbench.compile.compiler import compile_spec
from ftbench.data.normalise import NORMALISERS
from ftbench.errors import InvalidInput
from ftbench.spec import checks
from ftbench.spec.entries import resolve_entry
from ftbench.spec.load import load_pins, load_spec
from ftbench.spec.model import ChoiceTask, CodeTask, HubSource, Spec
from ftbench.spec.strategies import STRATEGIES

CLIENTS = {"general-nlp": (20, 4), "finance": (50, 10), "medical": (20, 4), "code": (10, 2)}
"""Domain → clients, and how many train in a round."""
DOMAINS = sorted(CLIENTS)
ALL = [*DOMAINS, *(f"{track}/{name}" for track in ("budget", "chat") for name in DOMAINS)]
TRAINING = {
    "general-nlp": ("flwrlabs/alpaca-gpt4", 52_002),
    "finance": ("flwrlabs/fingpt-sentiment-train", 76_772),
    "medical": ("flwrlabs/medical-meadow-medical-flashcards", 33_955),
    "code": ("flwrlabs/code-alpaca-20k", 20_022),
}
ITEMS = {
    "general-nlp": {"mmlu-stem": 3153, "mmlu-social-sciences": 3077, "mmlu-humanities": 4705},
    "finance": {"fpb": 1212, "fiqa": 304, "tfns": 2388},
    "medical": {"pubmedqa": 500, "medmcqa": 4183, "medqa": 1273, "careqa": 5621},
    "code": {"humaneval": 164, "mbpp": 500, "multipl-e-js": 161, "multipl-e-cpp": 161},
}
LOWER = {
    "general-nlp": ({"mmlu-stem": 12.37, "mmlu-social-sciences": 13.49, "mmlu-humanities": 12.60}, 12.82),
    "finance": ({"fpb": 44.55, "fiqa": 62.50, "tfns": 28.77}, 45.27),
    "medical": ({"pubmedqa": 59.00, "medmcqa": 23.69, "medqa": 27.10, "careqa": 21.47}, 32.82),
    "code": ({"mbpp": 31.60, "humaneval": 23.78, "multipl-e-js": 28.57, "multipl-e-cpp": 25.47}, 27.36),
}
"""Published scores of the leaderboard's template, in percent, and their means."""
SUBJECTS = {
    # Rows of MMLU's test files (arXiv 2009.03300), by the three groups that lm-eval has.
    "mmlu-stem": {
        "abstract_algebra": 100, "anatomy": 135, "astronomy": 152, "college_biology": 144, "college_chemistry": 100,
        "college_computer_science": 100, "college_mathematics": 100, "college_physics": 102, "computer_security": 100,
        "conceptual_physics": 235, "electrical_engineering": 145, "elementary_mathematics": 378,
        "high_school_biology": 310, "high_school_chemistry": 203, "high_school_computer_science": 100,
        "high_school_mathematics": 270, "high_school_physics": 151, "high_school_statistics": 216,
        "machine_learning": 112,
    },
    "mmlu-social-sciences": {
        "econometrics": 114, "high_school_geography": 198, "high_school_government_and_politics": 193,
        "high_school_macroeconomics": 390, "high_school_microeconomics": 238, "high_school_psychology": 545,
        "human_sexuality": 131, "professional_psychology": 612, "public_relations": 110, "security_studies": 245,
        "sociology": 201, "us_foreign_policy": 100,
    },
    "mmlu-humanities": {
        "formal_logic": 126, "high_school_european_history": 165, "high_school_us_history": 204,
        "high_school_world_history": 237, "international_law": 121, "jurisprudence": 108, "logical_fallacies": 163,
        "moral_disputes": 346, "moral_scenarios": 895, "philosophy": 311, "prehistory": 324, "professional_law": 1534,
        "world_religions": 171,
    },
}  # fmt: skip
SHARED_KNOBS = {"model.base", "adapter.kind", "adapter.rank", "adapter.alpha", "adapter.targets", "strategy.kind"}
PAPER = ("fedavg", "fedprox", "fedavgm", "fedadam", "flexlora")
SHARED_KNOBS |= {f"strategy.{name}" for kind in PAPER for name in STRATEGIES[kind].parameters}


def spec_of(name: str) -> Spec:
    return load_spec(builtin.specs()[name]).spec


def hub_of(source: object) -> HubSource:
    assert isinstance(source, HubSource)
    return source


@pytest.mark.parametrize("name", DOMAINS)
def test_the_protocol_is_the_paper_s(name: str) -> None:
    spec = spec_of(name)
    clients, asked = CLIENTS[name]
    federation, training, model, adapter = spec.federation, spec.training, spec.model, spec.adapter
    assert (federation.clients, federation.sampling.fraction, federation.rounds) == (clients, 0.2, 15)
    assert round(0.2 * clients) == asked and federation.min_replies * 2 <= asked
    assert (training.local_steps, training.batch_size, training.sequence_length) == (10, 16, 512)
    schedule = training.schedule
    assert schedule.kind == "cosine" and (schedule.learning_rate, schedule.final_learning_rate) == (5e-5, 1e-6)
    assert schedule.endpoints == "last"
    assert training.max_grad_norm == 1.0 and training.optimizer.kind == "adamw"
    assert model.quantization and (model.quantization.bits, model.quantization.kind) == (4, "fp4")
    assert model.quantization.compute_dtype is None and not model.quantization.double, "that of `dtype`"
    assert model.dtype == "bfloat16" and model.gradient_checkpointing and model.max_parameters == 25 * 10**9
    assert (adapter.kind, adapter.rank, adapter.alpha, adapter.dropout) == ("dora", 32, 64, 0.075)
    assert spec.budget.communication_mib == 200_000 and spec.evaluation.checkpoint == "last"
    assert len(spec.seeds.runs) == 3 and spec.metadata.status == "draft"


@pytest.mark.parametrize("name", DOMAINS)
def test_only_model_adapter_and_strategy_are_open(name: str) -> None:
    assert set(spec_of(name).knobs) == SHARED_KNOBS
    wider = spec_of(f"budget/{name}")
    assert {"federation.rounds", "federation.sampling.fraction", "training.local_steps"} < set(wider.knobs)
    assert set(wider.knobs) > SHARED_KNOBS
    assert not any(path.split(".")[0] in ("data", "evaluation", "budget", "seeds") for path in wider.knobs)


@pytest.mark.parametrize("name", DOMAINS)
def test_a_budget_spec_differs_in_freedom_and_in_how_a_round_is_chosen(name: str) -> None:
    frozen, free = spec_of(name), spec_of(f"budget/{name}")
    assert free.data.validation and (free.data.validation.fraction, free.data.validation.min_rows) == (0.02, 200)
    assert free.evaluation.checkpoint == "best-validation"
    assert free.evaluation.tasks == frozen.evaluation.tasks and free.budget == frozen.budget
    assert free.data.model_copy(update={"validation": None}) == frozen.data
    training, model = free.training.model_dump(), free.model.model_dump()
    # What a knob needs as its default says what null says.
    said = {training.pop("within_round"), training.pop("warmup_steps"), training["optimizer"].pop("moments")}
    assert said == {"constant", 0, "float32"} and model["quantization"].pop("compute_dtype") == model["dtype"]
    training |= {"within_round": None, "warmup_steps": None}
    training["optimizer"]["moments"] = None
    model["quantization"]["compute_dtype"] = None
    assert (training, model) == (frozen.training.model_dump(), frozen.model.model_dump())
    asked = {**free.federation.model_dump(), "min_replies": frozen.federation.min_replies}
    assert asked == frozen.federation.model_dump()


@pytest.mark.parametrize("name", DOMAINS)
def test_sources_are_those_of_the_table(name: str) -> None:
    spec = spec_of(name)
    train = hub_of(spec.data.source)
    assert (train.repo, train.rows) == TRAINING[name]
    assert (train.revision is None) == (name != "code"), "the commit of three training sets is not known"
    assert "draft" in spec.metadata.description
    assert {task.name: hub_of(task.source).rows for task in spec.evaluation.tasks} == ITEMS[name]
    assert all(hub_of(task.source).revision for task in spec.evaluation.tasks)
    quartered = {task.name for task in spec.evaluation.tasks if (subset := hub_of(task.source).subset)}
    for task in spec.evaluation.tasks:
        if subset := hub_of(task.source).subset:
            assert (subset.seed, subset.divisor) == (42, 4)
    assert quartered == ({"fpb", "fiqa"} if name == "finance" else set())


@pytest.mark.parametrize("name", DOMAINS)
def test_columns_are_what_the_normalisers_give(name: str) -> None:
    spec = spec_of(name)
    for source, columns in [(spec.data.source, spec.data.columns)] + [
        (task.source, task.columns) for task in spec.evaluation.tasks
    ]:
        normaliser = NORMALISERS[str(hub_of(source).normalise)]
        assert set(columns.values()) <= set(normaliser.columns), normaliser.name


def test_mmlu_pools_the_subjects_of_each_group() -> None:
    for task in spec_of("general-nlp").evaluation.tasks:
        files = hub_of(task.source).files
        assert files == [f"{subject}/test-00000-of-00001.parquet" for subject in SUBJECTS[task.name]]
        assert sum(SUBJECTS[task.name].values()) == hub_of(task.source).rows
    assert [len(group) for group in SUBJECTS.values()] == [19, 12, 13]
    assert max(Counter(subject for group in SUBJECTS.values() for subject in group).values()) == 1


@pytest.mark.parametrize("name", DOMAINS)
def test_published_lower_bounds_are_attainable_on_the_declared_items(name: str) -> None:
    scores, mean = LOWER[name]
    for task, score in scores.items():
        items = ITEMS[name][task]
        nearest = round(score / 100 * items)
        assert abs(100 * nearest / items - score) <= 0.005 + 1e-9, f"{task}: {score} is no k/{items}"
    assert abs(sum(scores.values()) / len(scores) - mean) <= 0.01


@pytest.mark.parametrize("name", DOMAINS)
def test_how_tasks_are_scored(name: str) -> None:
    for task in spec_of(name).evaluation.tasks:
        if isinstance(task, CodeTask):
            assert task.scoring == ["pass@1"] and task.generation.max_new_tokens == 512
            assert task.strip_prompt == "right" and task.extraction is None, "as public harnesses do"
            continue
        assert isinstance(task, ChoiceTask)
        assert task.scoring == ["likelihood", "generated", "flowertune"], "likelihood ranks, the others stand beside it"
        assert task.generation and task.generation.max_new_tokens == 48, "enough for a sentence"
        lettered = task.options == [" A", " B", " C", " D"]
        assert task.extraction == ("option-letter" if lettered else "option-text")
        rule = "first-letter" if lettered else "exact-label" if task.name == "pubmedqa" else "sentiment-substring"
        assert task.flowertune == rule


@pytest.mark.parametrize("name", DOMAINS)
def test_a_chat_variant_differs_in_the_turn_alone(name: str) -> None:
    plain, chat = spec_of(name), spec_of(f"chat/{name}")
    assert (chat.data.chat_template, chat.data.bos) == ("model", False)
    assert chat.data.completion == plain.data.completion.strip()
    same = {"chat_template": "none", "bos": True, "completion": plain.data.completion}
    assert chat.data.model_copy(update=same) == plain.data
    for block in ("federation", "training", "model", "adapter", "strategy", "budget", "seeds", "knobs"):
        assert getattr(chat, block) == getattr(plain, block)
    for mine, other in zip(chat.evaluation.tasks, plain.evaluation.tasks, strict=True):
        assert (mine.name, mine.source, mine.scoring) == (other.name, other.source, other.scoring)
        assert mine.columns == other.columns, "the same items by their digest"
        if isinstance(mine, ChoiceTask) and isinstance(other, ChoiceTask):
            assert mine.prompt == other.prompt and mine.options == [option.strip() for option in other.options]
        else:
            assert isinstance(mine, CodeTask) and mine.extraction == "fenced" and mine.generation.stop == []


def test_options_stand_in_the_order_of_the_normalisers_answers() -> None:
    for task in spec_of("finance").evaluation.tasks:
        assert isinstance(task, ChoiceTask) and task.options == [" negative", " neutral", " positive"]
    pubmedqa = spec_of("medical").evaluation.tasks[0]
    assert isinstance(pubmedqa, ChoiceTask) and pubmedqa.options == [" yes", " no", " maybe"]


@pytest.mark.parametrize("name", ALL)
def test_compiles_from_what_is_committed_as_a_draft_that_says_what_is_missing(name: str) -> None:
    path = builtin.specs()[name]
    spec, pins = load_spec(path).spec, load_pins(path)
    (warning,) = checks.check_pins(spec, pins)
    assert (warning.code, warning.severity) == ("FTB195", "warning") and "ftbench lock" in warning.hint
    compiled = compile_spec(spec, pins)
    assert compiled.files["app/ftbench_app/plan.json"] and compiled.folder.endswith("/0.1.0")
    published = spec.model_copy(update={"metadata": spec.metadata.model_copy(update={"status": "published"})})
    assert [d.severity for d in checks.check_pins(published, pins)] == ["error"]


@pytest.mark.parametrize("name", DOMAINS)
def test_every_strategy_of_the_paper_can_be_entered(name: str) -> None:
    spec = spec_of(name)
    given = {
        "fedavg": {},
        "fedprox": {"mu": 1.0},
        "fedavgm": {"server_learning_rate": 1.0, "momentum": 0.9},
        "fedadam": {"server_learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.99, "tau": 1e-3},
        "flexlora": {},
    }
    for kind, parameters in given.items():
        sets = [f"strategy.kind={kind}", *(f"strategy.{key}={value}" for key, value in parameters.items())]
        knobs = resolve_entry(spec, None, sets).knobs
        assert {path for path, value in knobs.items() if value is None} == {
            f"strategy.{key}" for kind in PAPER for key in STRATEGIES[kind].parameters
        } - {f"strategy.{key}" for key in parameters}
        if parameters:
            with pytest.raises(InvalidInput, match="needs `strategy"):
                resolve_entry(spec, None, sets[:1])


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("adapter.targets=[q_proj, lm_head]", "output head"),
        ("adapter.targets=everything", "expected `all-linear`"),
        ("adapter.kind=int8", "one of `lora` or `dora`"),
        ("model.dtype=float32", "is frozen by the spec"),
        ("evaluation.checkpoint=last", "is frozen by the spec"),
        ("data.chat_template=model", "is frozen by the spec"),
    ],
)
def test_what_an_entry_may_not_choose(name: str, option: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve_entry(spec_of(name), None, [option])
    assert message in str(caught.value)


@pytest.mark.parametrize("name", DOMAINS)
@pytest.mark.parametrize(
    "option",
    [
        "model.quantization.kind=nf4",
        "model.quantization.compute_dtype=float32",
        "model.attention=flash-attention-2",
        "training.optimizer.moments=paged-8bit",
        "training.within_round=linear",
        "training.warmup_steps=3",
    ],
)
def test_what_participants_of_flowertune_choose_is_open_in_the_budget_track(name: str, option: str) -> None:
    path, value = option.split("=")
    entry = resolve_entry(spec_of(f"budget/{name}"), None, [option])
    assert str(entry.knobs[path]) == value
    with pytest.raises(InvalidInput, match=r"frozen|no field|knob"):
        resolve_entry(spec_of(name), None, [option])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["training.warmup_steps=10"], "never reaches"),
        (["training.within_round=linear", "training.local_steps=1"], "one step"),
        (["model.quantization.kind=int8"], "one of"),
        (["model.attention=eager"], "one of"),
    ],
)
def test_choices_that_cannot_hold_are_refused(options: list[str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        resolve_entry(spec_of("budget/finance"), None, options)
