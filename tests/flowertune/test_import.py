"""Twelve apps in the shapes that public ones have: each departure is found, none is invented, the entry validates."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import apps
import pytest

from ftbench.base_models.catalogue import find_base_model
from ftbench.cli.main import run
from ftbench.flowertune import configuration
from ftbench.flowertune.importing import Imported, import_app
from ftbench.spec.entries import apply, load_entry, resolve_entry

Make = Callable[[apps.Files], Imported]
COMMIT = "7ae557604adf67be50417f59c2c2f167def9a775"


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What counts as unchanged: the prompts of `apps` and a scorer of our own."""
    folder = tmp_path_factory.mktemp("reference")
    return apps.write({"mine/dataset.py": apps.DATASET, "evaluation/benchmarks.py": apps.SCORER}, folder)


@pytest.fixture
def make(tmp_path: Path, reference: Path) -> Make:
    def made(files: apps.Files) -> Imported:
        found = import_app(apps.write(files, tmp_path / "app"), find_base_model, reference=reference)
        entry = tmp_path / "entry.yaml"
        entry.write_text(found.entry)
        apply(found.loaded.spec, resolve_entry(found.loaded.spec, load_entry(entry), commit_of=lambda name: COMMIT))
        return found

    return made


def told(found: Imported, kind: str = "departs") -> dict[str, str]:
    return {one.topic: one.text for one in found.findings if one.kind == kind}


ARGUMENTS = "train.training-arguments"


APPS: dict[str, tuple[apps.Files, dict[str, str]]] = {
    "messages and a SuperLink's configuration": (apps.messages(), {}),
    "NumPyClient and federations": (apps.numpy_clients(), {}),
    "Hydra's files": (apps.hydra(), {}),
    "another copy, another federation, other partitions": (
        apps.numpy_clients(
            {"static.dataset.name": "FinGPT/fingpt-sentiment-train"},
            **{
                "mine/dataset.py": apps.DATASET.replace("IidPartitioner(", "DirichletPartitioner(alpha=1, "),
            },
        )
        | {
            "pyproject.toml": apps.project(
                apps.SETTINGS
                | {"static.dataset.name": "FinGPT/fingpt-sentiment-train", "strategy.name": "fedavg"}
                | {"strategy.fraction-fit": 0.2},
                tail=apps.FEDERATIONS.replace("50", "20"),
            )
        },
        {
            "data": "another copy of the data: `FinGPT/fingpt-sentiment-train`",
            "partition": "`DirichletPartitioner`",
            "supernodes": "20 SuperNodes; the benchmark has 50",
        },
    ),
    "another phase of the learning rate": (
        apps.messages(
            **{
                "mine/models.py": apps.MODELS.replace(
                    "math.pi * current / whole", "math.pi * (current - 1) / (whole - 1)"
                )
            }
        ),
        {"learning-rate": "the phase is (r - 1) / (R - 1), not r / R"},
    ),
    "eight bits, another optimiser, a schedule of its own": (
        apps.messages(
            {
                "model.quantization": 8,
                f"{ARGUMENTS}.optim": "adafactor",
                f"{ARGUMENTS}.lr-scheduler-type": "cosine",
                f"{ARGUMENTS}.bf16": True,
            }
        ),
        {
            "quantization": "held in 8 bits",
            "optimizer": "`adafactor`",
            "schedule": "`cosine`",
            "precision": "`bf16`",
        },
    ),
    "layers that the model lacks": (
        apps.messages(
            **{
                "mine/models.py": apps.MODELS.replace(
                    "lora_dropout", "target_modules=['q_proj', 'qkv_proj'], lora_dropout"
                )
            }
        ),
        {"targets": "has no layers `qkv_proj`"},
    ),
    "packages that nothing pins, and remote code": (
        apps.messages(
            **{
                "pyproject.toml": apps.project(
                    apps.SETTINGS,
                    packages=["torch>=2.3", "transformers==4.53.0", "transformers==4.39.3", "peft==0.6.2"],
                ),
                "mine/models.py": apps.MODELS.replace("torch_dtype=", "trust_remote_code=True, torch_dtype=").replace(
                    "r=model_cfg", "use_dora=True, r=model_cfg"
                ),
            }
        ),
        {"packages": "", "remote-code": "`trust_remote_code`"},
    ),
    "FedProx whose mu nothing reads": (
        apps.numpy_clients({"strategy.name": "fedprox"}),
        {"strategy": "whose loss never reads it"},
    ),
    "averaging of its own, and the prompt in the loss": (
        apps.numpy_clients(
            {"strategy.name": "own"},
            **{
                "mine/dataset.py": apps.DATASET.replace("DataCollatorForCompletionOnlyLM", "DataCollatorWithPadding"),
            },
        ),
        {"strategy": "open division", "loss": "prompt"},
    ),
    "other prompts and another scorer": (
        apps.messages(
            **{
                "mine/dataset.py": apps.DATASET.replace("# Question", "# Task"),
                "evaluation/benchmarks.py": apps.SCORER.replace('else "no"', 'else "maybe"'),
            }
        ),
        {"prompts": "the wording of prompts was changed", "scorer": "`get_prediction`"},
    ),
    "more traffic than allowed, and a log of another run": (
        apps.messages(
            {"num-server-rounds": 2000, "strategy.fraction-train": 1.0, "model.lora.peft-lora-r": 64},
            **{
                "run.log": "Communication budget: used 50.00 MB (+50.00 MB this round) / 200,000 MB\n"
                "Communication budget: used 100.00 MB (+50.00 MB this round) / 200,000 MB\n"
            },
        ),
        {"traffic": "and the budget is 200,000", "log": "the log reports 100.00 MiB"},
    ),
}


@pytest.mark.parametrize("name", APPS)
def test_each_departure_is_found_and_none_invented(make: Make, name: str) -> None:
    files, expected = APPS[name]
    found = make(files)
    departures = told(found)
    assert set(departures) == set(expected), found.findings
    for topic, words in expected.items():
        assert words in departures[topic]
    assert found.conforms == (not expected)
    assert told(found, "not-told") == {}


def test_settings_below_heads_of_tables_have_their_lines(tmp_path: Path) -> None:
    """As tools write TOML: `name = "…"` stands below the model, the data set and the project."""
    text = """[project]
name = "mine"

[tool.flwr.app.config]
num-server-rounds = 10

[tool.flwr.app.config.model] # the base
name = "Qwen/Qwen2.5-7B-Instruct"

[tool.flwr.app.config.static.dataset]
name = "flwrlabs/alpaca-gpt4"

[tool.flwr.app.config.strategy]
"fraction-fit" = 0.1
"""
    path = tmp_path / "pyproject.toml"
    path.write_text(text)
    settings = configuration.read(tomllib.loads(text), path, {}).settings
    assert {name: int(one.place.rpartition(":")[2]) for name, one in settings.items()} == {
        "num_server_rounds": 5,
        "model.name": 8,
        "static.dataset.name": 11,
        "strategy.fraction_fit": 14,
    }
    assert text.split("\n")[7] == 'name = "Qwen/Qwen2.5-7B-Instruct"'


def test_there_are_twelve() -> None:
    assert len(APPS) == 12


def test_every_departure_of_packages(make: Make) -> None:
    found = make(APPS["packages that nothing pins, and remote code"][0])
    texts = [one.text for one in found.findings if one.topic == "packages"]
    assert [text.partition(":")[0] for text in texts] == [
        "torch is not pinned",
        "transformers is asked for in 2 versions",
        "`use_dora` needs peft 0.9, and ==0.6.2 is asked for",
    ]


def test_what_the_entry_says_of_an_app(make: Make) -> None:
    """Values as the app has them, each with its place; what is a knob is no departure."""
    found = make(
        apps.numpy_clients(
            {
                "strategy.name": "fedadam",
                "num-server-rounds": 40,
                "strategy.fraction-fit": 0.01,
                f"{ARGUMENTS}.optim": "paged_adamw_8bit",
                f"{ARGUMENTS}.lr-scheduler-type": "linear",
                f"{ARGUMENTS}.warmup-ratio": 0.25,
                f"{ARGUMENTS}.gradient-accumulation-steps": 4,
            }
        )
    )
    assert found.conforms
    for line in (
        "strategy.kind: fedadam",
        "strategy.server_learning_rate: 0.01",
        "strategy.beta2: 0.99",
        "federation.rounds: 40",
        "federation.sampling.fraction: 0.04",  # two clients at least
        "training.batch_size: 64",
        "training.optimizer.moments: paged-8bit",
        "training.within_round: linear",
        "training.warmup_steps: 3",
        "model.quantization.kind: fp4",
        "model.quantization.compute_dtype: float32",
        "adapter.kind: lora",
        "adapter.targets: [q_proj, v_proj]",
        "adapter.rank: 8",
    ):
        assert f"\n  {line} #" in found.entry, line
    assert f'  revision: "{COMMIT}" # the app names none' in found.entry or "the app names none" in found.entry
    assert str(found.app.folder) not in found.entry


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "there is no pyproject.toml"),
        ({"pyproject.toml": "[project\n"}, "this is no TOML"),
        ({"pyproject.toml": '[project]\nname = "x"\n'}, "no `[tool.flwr.app.config]`"),
        ({"pyproject.toml": apps.project(apps.SETTINGS)}, "modules are not here"),
        (apps.messages() | {"mine/dataset.py": "def broken(:\n"}, ""),
        (apps.messages({"static.dataset.name": "databricks/databricks-dolly-15k"}), "--domain"),
    ],
    ids=["empty", "no-toml", "no-config", "no-modules", "one-broken", "no-domain"],
)
def test_what_cannot_be_read(files: apps.Files, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    code = run(["import", "flowertune", str(apps.write(files, folder)), "--out", str(tmp_path / "e.yaml"), "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert code == (3 if words else 1)
    if words:
        assert answer["diagnostics"][-1]["code"] == "FTB920"
        assert words in json.dumps(answer)


def test_nothing_is_carried_out(tmp_path: Path, reference: Path) -> None:
    """A module that would write a file when imported, arithmetic that would never end, a bomb of aliases."""
    trap = tmp_path / "trap"
    files = apps.messages()
    files["mine/models.py"] += f"\nopen({str(trap)!r}, 'w').close()\nHUGE = 9 ** 9 ** 9 ** 9\nLONG = 'x' * 10 ** 12\n"
    files["mine/models.py"] += "def endless(n):\n    return endless(n) + endless(n)\nendless(1)\n"
    files["mine/conf/config.yaml"] = "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(30))
    found = import_app(apps.write(files, tmp_path / "app"), find_base_model, reference=reference)
    assert found.conforms
    assert not trap.exists()


def test_the_json_fits_its_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from jsonschema import Draft202012Validator

    app = apps.write(apps.messages(), tmp_path / "app")
    run(["import", "flowertune", str(app), "--out", str(tmp_path / "e.yaml"), "--json"])
    schema = json.loads(Path("schemas/output/import.v1.schema.json").read_text())
    Draft202012Validator(schema).validate(json.loads(capsys.readouterr().out))


def test_one_app_below_the_folder_is_found_and_two_are_asked_for(tmp_path: Path, reference: Path) -> None:
    from ftbench.errors import InvalidInput

    apps.write(apps.messages(), tmp_path / "repository" / "one")
    assert import_app(tmp_path / "repository", find_base_model, reference=reference).conforms
    apps.write(apps.messages(), tmp_path / "repository" / "two")
    with pytest.raises(InvalidInput, match="2 apps lie below"):
        import_app(tmp_path / "repository", find_base_model, reference=reference)


def test_the_command_tells_it_in_80_columns(
    tmp_path: Path, reference: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = apps.write(APPS["eight bits, another optimiser, a schedule of its own"][0], tmp_path / "app")
    entry = tmp_path / "entry.yaml"
    code = run(["import", "flowertune", str(app), "--out", str(entry), "--reference", str(reference)])
    out = capsys.readouterr().out
    assert code == 1
    assert "What no entry can say (4):" in out
    assert "my-app departs from budget/finance in 4 points" in out
    assert all(len(line) <= 80 for line in out.splitlines() if str(tmp_path) not in line)
    assert run(["validate", "budget/finance", "--entry", str(entry)]) == 0
    assert run(["import", "flowertune", str(app), "--out", str(entry)]) == 3  # nothing is written over


def test_the_prompt_becomes_a_draft_spec(tmp_path: Path, reference: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ftbench.spec.load import load_spec

    app, spec = apps.write(apps.messages(), tmp_path / "app"), tmp_path / "mine.yaml"
    arguments = ["--out", str(tmp_path / "e.yaml"), "--reference", str(reference), "--prompts", str(spec)]
    assert run(["import", "flowertune", str(app), *arguments]) == 0
    loaded = load_spec(spec).spec
    assert loaded.data.prompt == "A question {{of ours}} and its answer.\n# Question\n{instruction} | {input}\n# Answer"
    assert loaded.data.completion == " {output}"
    assert loaded.metadata.name == "finance-my-app"
    assert "a draft with the app's prompt" in capsys.readouterr().out


def test_a_prompt_that_is_not_to_be_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = apps.messages(**{"mine/dataset.py": "def formatting_prompts_func(example):\n    return [str(example)]\n"})
    arguments = ["--out", str(tmp_path / "e.yaml"), "--prompts", str(tmp_path / "s.yaml")]
    assert run(["import", "flowertune", str(apps.write(files, tmp_path / "app")), *arguments]) == 3
    assert "FTB923" in capsys.readouterr().err


def test_without_a_reference_the_public_functions_count(tmp_path: Path) -> None:
    """Ours are not they."""
    found = import_app(apps.write(apps.messages(), tmp_path / "app"), find_base_model)
    assert told(found)["prompts"].startswith("`formatting_prompts_func` is not the public template's") or any(
        "formatting_prompts_func" in one.text for one in found.findings
    )
