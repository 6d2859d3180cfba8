"""What the tokenizer says before round 1: items against the model's length, rows by client, the chat template."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin
from ftbench.errors import InvalidInput, RunFailed
from ftbench.run import disk
from ftbench.run.evaluation import trial_worker
from ftbench.run.evaluation.tokens import model_length
from ftbench.run.evaluation.trial import Asked, Report, Trial, try_tokenizer
from ftbench.run.processes import tree
from ftbench.spec.load import load_spec
from ftbench.spec.outline import Outline

MODEL = next(path.parent for path in builtin.store().glob("models/*/tokenizer.json"))
READS = json.loads((MODEL / "config.json").read_bytes())["max_position_embeddings"]
WORD = "north "
GOOD = {"question": "One?", "answer": 0}


def spec(**changes: Any) -> dict[str, Any]:
    """The quickstart's, with one task over two columns. A change is PATH__TO=value."""
    value = load_spec(builtin.specs()["quickstart"]).spec.model_dump(mode="json", exclude_none=True)
    value["data"] |= {"prompt": "{q}", "completion": " {a}", "columns": {"q": "q", "a": "a"}}
    (task, *_) = value["evaluation"]["tasks"]
    task |= {"name": "fit", "options": [" red", " blue green"], "columns": {"question": "question", "answer": "answer"}}
    value["evaluation"]["tasks"] = [task]
    for path, new in changes.items():
        block, (*keys, last) = value, path.split("__")
        for key in keys:
            block = block[key]
        block[last] = new
    return value


@pytest.fixture
def make(tmp_path: Path) -> Any:
    def trial(
        items: list[Any] | None = None, rows: list[Any] | None = None, cut: list[int] | None = None, **changes: Any
    ) -> Trial:
        def lines(name: str, values: list[Any]) -> str:
            (tmp_path / name).write_text("".join(json.dumps(value) + "\n" for value in values))
            return str(tmp_path / name)

        more: dict[str, Any] = {}
        if rows is not None:
            shares = [list(range(k, len(rows), 2)) for k in range(2)]
            more = {"rows": lines("rows", rows), "shares": lines("shares", [shares])}
        if cut is not None:
            more["validation"] = lines("cut", [[cut]])
        tasks = {"fit": lines("items", items)} if items is not None else {}
        limit = changes.pop("limit", None)
        return Trial(
            model=changes.pop("model", str(MODEL)),
            name="the/model",
            spec=spec(**changes),
            items=tasks,
            limit=limit,
            **more,
        )

    return trial


def told(trial: Trial) -> list[tuple[str, str]]:
    try:
        report = trial_worker.try_all(trial)
    except trial_worker._Refused as refused:
        return [(refused.told.code, refused.told.message)]
    return [(one.code, one.message) for one in report.problems]


def test_an_item_that_is_too_long_is_named_with_its_task(make: Any, tmp_path: Path) -> None:
    """In a process of its own, as a run asks it. The case: a prompt of 6,000 words on a model of 256 tokens."""
    trial = make([GOOD, {"question": WORD * 6000, "answer": 1}])
    with pytest.raises(InvalidInput) as refused:
        try_tokenizer(trial, tmp_path / "job.json", tmp_path / "log")
    (found,) = refused.value.diagnostics
    assert found.code == "FTB564"
    assert found.message.startswith("task fit, item 1: the prompt has ")
    assert found.message.endswith(f"; the/model reads {READS}")
    assert "the benchmark's author may shorten the task's `prompt`" in found.hint


def test_the_longest_prompt_that_fits(make: Any) -> None:
    """With BOS and the longest option, whose last token is predicted and never read, it is the model's length."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    option = len(tokenizer.encode(" blue green", add_special_tokens=False))

    def tokens(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False))

    text = next("?" * n for n in range(2 * READS) if tokens("?" * n) + option == READS)
    longer = next(text + "?" * n for n in range(9) if tokens(text + "?" * n) + option > READS)
    assert told(make([{"question": text, "answer": 0}])) == []
    ((code, _),) = told(make([{"question": longer, "answer": 0}]))
    assert code == "FTB564"


def test_what_is_to_be_written_counts(make: Any) -> None:
    task = spec()["evaluation"]["tasks"][0] | {
        "scoring": ["generated"],
        "generation": {"max_new_tokens": READS, "stop": []},
    }
    ((code, message),) = told(make([GOOD], evaluation__tasks=[task]))
    assert code == "FTB564"
    assert f"and the answer up to {READS}" in message


def test_a_flood_of_items_is_counted_and_a_smoke_run_asks_the_first(make: Any) -> None:
    items = [GOOD, *[{"question": WORD * 6000, "answer": 1}] * 9]
    found = told(make(items))
    assert len(found) == trial_worker.SHOWN + 1
    assert found[-1][1] == "task fit: 4 more items like these"
    assert told(make(items, limit=1)) == []


def test_items_without_tokens(make: Any) -> None:
    assert [code for code, _ in told(make([{"question": "", "answer": 0}], data__bos=False))] == ["FTB565"]


def rows(count: int, **odd: Any) -> list[dict[str, Any]]:
    return [{"q": "where does ana live", "a": "north"} | (odd if n % 4 == 0 else {}) for n in range(count)]


def test_rows_that_teach_nothing_are_counted_by_client_and_reason(
    make: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    found = trial_worker.try_all(make(rows=rows(16, a=None), cut=[0, 1]))
    assert [(one.held, one.looked, one.used) for one in found.clients] == [(8, 8, 4), (8, 8, 8)]
    assert found.left_out == {"column 'a' is neither text nor a whole number": 4}
    assert found.validation is not None and found.validation.used == 1
    assert "client 0: 4 of 8 rows left out: column 'a' is neither" in capsys.readouterr().err
    (line,) = found.lines()
    assert line.startswith("4 of 16 rows teach nothing and are left out: 4 column 'a' is neither")
    assert line.endswith("the worst is client 0 with 4 of 8")


def test_of_many_rows_a_sample_is_looked_at(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_worker, "ROWS", 6)
    found = trial_worker.try_all(make(rows=rows(20, a="")))
    assert [(one.held, one.looked) for one in found.clients] == [(10, 3), (10, 3)]
    assert "spread over 20" in Report(**found.model_dump()).lines()[0]


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"a": " "}, "an empty answer"),
        ({"q": WORD * 70}, "longer than training.sequence_length"),
        ({"q": None}, "column 'q' is neither text nor a whole number"),
    ],
)
def test_a_client_without_any_row_is_refused(make: Any, odd: Any, reason: str) -> None:
    values = [row | (odd if n % 2 else {}) for n, row in enumerate(rows(8))]
    ((code, message),) = told(make(rows=values))
    assert code == "FTB537"
    assert (
        message
        == f"client 1 has no row that the/model can learn from: 4 of 4 rows left out: {reason} (rows 1, 3, 5, 7)"
    )
    ((code, message),) = told(make(rows=values[1::2] + rows(8), cut=[0, 1]))
    assert code == "FTB537"
    assert message.startswith("the validation cut has no row")


def test_truncation_loses_no_row_to_a_long_prompt(make: Any) -> None:
    found = trial_worker.try_all(make(rows=rows(8, q=WORD * 70), data__over_length="truncate"))
    assert [one.used for one in found.clients] == [4, 4]
    assert found.lines() == []


def test_rows_longer_than_the_model_reads_are_refused(make: Any) -> None:
    long = make(rows=rows(8, q=WORD * 6000), data__over_length="truncate", training__sequence_length=READS + 9)
    ((code, message),) = told(long)
    assert code == "FTB564"
    assert message == f"client 0 has a row of {READS + 9} tokens; the/model reads {READS}"


def test_pairs_are_looked_at_as_pairs(make: Any) -> None:
    values = [row | {"b": "north" if n == 2 else "south"} for n, row in enumerate(rows(8))]
    trial = make(rows=values, objective={"kind": "dpo", "beta": 0.1, "loss": "sigmoid"}, data__rejected=" {b}")
    found = trial_worker.try_all(trial)
    assert [one.used for one in found.clients] == [3, 4]
    assert found.left_out == {"two equal answers": 1}


@pytest.fixture
def chatting(tmp_path: Path) -> Any:
    """A copy of the model whose tokenizer has this chat template."""

    def make_one(template: str | None) -> str:
        folder = tmp_path / "chatting"
        shutil.copytree(MODEL, folder, ignore=shutil.ignore_patterns("*.safetensors"))
        settings = json.loads((folder / "tokenizer_config.json").read_bytes())
        (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"chat_template": template}))
        return str(folder)

    return make_one


@pytest.mark.parametrize(
    ("template", "text"),
    [
        (None, "its tokenizer has none"),
        ("{{ raise_exception('only systems may speak') }}", "fails on a single user turn: only systems may speak"),
        ("{% for %}", "fails on a single user turn"),
    ],
)
def test_the_chat_template_is_tried(make: Any, chatting: Any, template: str | None, text: str) -> None:
    changes = {"data__chat_template": "model", "data__completion": "{a}", "data__bos": False}
    ((code, message),) = told(make([GOOD], model=chatting(template), **changes))
    assert code == "FTB572"
    assert text in message.replace("base model's tokenizer has none", "its tokenizer has none")


def test_a_folder_that_is_no_model_is_told(make: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert [code for code, _ in told(make([GOOD], model=str(tmp_path / "empty")))] == ["FTB568"]


def test_an_older_app_is_not_asked_about_rows(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app" / "ftbench_app").mkdir(parents=True)
    (tmp_path / "app" / "ftbench_app" / "__init__.py").touch()
    monkeypatch.setattr("sys.path", list(sys.path))
    for name in [name for name in sys.modules if name.split(".")[0] == "ftbench_app"]:
        monkeypatch.delitem(sys.modules, name)
    trial = make(rows=rows(4, a="")).model_copy(update={"app": str(tmp_path / "app")})
    report = trial_worker.try_all(trial)
    del sys.modules["ftbench_app"]
    assert report == Report()


def test_a_process_that_dies_is_told(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ftbench.run.evaluation.trial.sys.executable", "/bin/false")
    with pytest.raises(RunFailed, match="FTB560"):
        try_tokenizer(make([GOOD]), tmp_path / "job.json", tmp_path / "log")


def test_one_that_is_ended_early_leaves_nothing(make: Any, tmp_path: Path) -> None:
    marker = tree.beside(tree.new_token())
    asked = Asked(make([GOOD]), tmp_path / "job.json", tmp_path / "log", marker)
    assert not asked.ended() and len(tree.marked(marker)) == 1
    asked.close()
    asked.close()
    assert tree.marked(marker) == [] and not (tmp_path / "job.answer").exists()


def test_the_models_length_is_lm_evals() -> None:
    from lm_eval.models.huggingface import resolve_max_length
    from transformers import AutoTokenizer, PretrainedConfig

    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    nested = PretrainedConfig(max_position_embeddings=7)
    nested.text_config = PretrainedConfig(n_positions=9)
    configs = [PretrainedConfig(**{name: 77}) for name in ("n_positions", "max_position_embeddings", "n_ctx")]
    for config in (*configs, nested, PretrainedConfig()):
        for limit in (128, 1000000000000000019884624838656):
            tokenizer.model_max_length = limit
            assert model_length(config, tokenizer) == resolve_max_length(config, tokenizer)


# --- disk -------------------------------------------------------------------------------------------------------------


def outline() -> Outline:
    header = {
        "model.embed_tokens.weight": {"shape": [100, 8]},
        "model.layers.0.self_attn.q_proj.weight": {"shape": [8, 8]},
        "model.layers.0.mlp.up_proj.weight": {"shape": [16, 8]},
        "model.norm.weight": {"shape": [8]},
        "lm_head.weight": {"shape": [100, 8]},
        "__metadata__": {"format": "pt"},
    }
    return Outline(files={}, config="{}", headers={"model.safetensors": json.dumps(header)})


@pytest.mark.parametrize(
    ("targets", "elements"),
    [("all-linear", 2 * 16 + 2 * 24), ("attention", 32), ("mlp", 48), (["q_proj"], 32), (["up_proj", "nothing"], 48)],
)
def test_elements_of_an_adapter(targets: Any, elements: int) -> None:
    found = load_spec(builtin.specs()["quickstart"]).spec
    block = found.adapter.model_copy(update={"rank": 2, "targets": targets})
    assert disk.elements(found.model_copy(update={"adapter": block}), outline()) == elements


def test_disk_grows_with_rounds_and_references() -> None:
    found = load_spec(builtin.specs()["quickstart"]).spec
    one = 4 * disk.elements(found, outline())
    assert disk.state_bytes(found, outline()) == one * (found.federation.rounds + 1)
    assert disk.state_bytes(found, outline(), rounds=1) == one * 2
    references = found.evaluation.references.model_copy(update={"local": True, "centralised": True})
    whole = found.model_copy(update={"evaluation": found.evaluation.model_copy(update={"references": references})})
    assert disk.state_bytes(whole, outline()) == one * (found.federation.rounds + 1) * 6


def test_a_trial_loads_nothing_of_pytorch_but_what_the_app_asks_for(make: Any, tmp_path: Path) -> None:
    """transformers with PyTorch brings its compiler along, which takes longer than the trial."""
    job = tmp_path / "job.json"
    job.write_text(make(rows=rows(8)).model_dump_json())
    code = (
        "import sys; from pathlib import Path; from ftbench.run.evaluation import trial_worker as w\n"
        "from ftbench.run.evaluation.trial import Trial\n"
        "w.tokenizers_alone(); report = w.try_all(Trial.model_validate_json(Path(sys.argv[1]).read_bytes()))\n"
        "assert not report.problems and report.total.used == 8, report\n"
        "import torch; assert torch.zeros(1).shape == (1,)\n"
        "assert 'torch._dynamo' not in sys.modules and 'transformers.activations' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-P", "-c", code, str(job)], check=True)
