"""`ftbench new` and `ftbench preview`: what is guessed of two files, what is said, and that it holds."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftbench import builtin
from ftbench.cli.main import run
from ftbench.spec.entries import load_entry, resolve_entry
from ftbench.spec.load import load_spec

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Two files of clauses in a folder that is the working directory."""
    monkeypatch.chdir(tmp_path)

    def made(format_: str = "jsonl", train: int = 60, test: int = 20, **more: Callable[[int], Any]) -> None:
        for name, numbers in (("train", range(train)), ("test", range(1000, 1000 + test))):
            rows = [
                {"id": n, "clause": f"Clause {n} may end.", "fair": ["yes", "no"][n % 3 % 2]}
                | {key: value(n) for key, value in more.items()}
                for n in numbers
            ]
            if format_ == "csv":
                lines = [",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]
                Path(f"{name}.csv").write_text("\n".join(lines) + "\n")
            else:
                Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    return made


def new(*more: str, format_: str = "jsonl") -> int:
    return run(["new", "legal", "--train", f"train.{format_}", "--test", f"test.{format_}", *more])


def test_a_spec_from_two_files_validates_and_says_why(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write()
    assert new("--options", "yes,no") == 0
    told = capsys.readouterr().out
    assert "answer: `fair` - its values in the test are the options" in told
    assert "`id` (an identifier by its name)" in told and "always saying 'yes' is right in" in told
    spec = load_spec(Path("legal.yaml")).spec
    assert spec.data.prompt == "Clause: {clause}\nAnswer with one of: yes, no.\nAnswer:"
    (task,) = spec.evaluation.tasks
    assert task.kind == "choice" and task.options == [" yes", " no"] and task.prompt == spec.data.prompt
    assert spec.federation.clients == 2 and spec.federation.partition.kind == "iid"
    assert run(["lock", "legal.yaml", "--store", "store"]) == 0
    assert run(["hash", "legal.yaml"]) == 0


@pytest.mark.parametrize("format_", ["jsonl", "csv"])
def test_options_and_clients_are_found(write: Write, format_: str) -> None:
    write(format_, firm=lambda n: f"firm {n % 4}", label=lambda n: ["void", "binding", "open"][n % 3])
    assert new(format_=format_) == 0
    spec = load_spec(Path("legal.yaml")).spec
    (task,) = spec.evaluation.tasks
    assert task.kind == "choice" and task.answer == "label" and task.options == [" binding", " open", " void"]
    assert spec.federation.clients == 4 and spec.federation.partition.kind == "natural"
    assert "{fair}" in spec.data.prompt and "firm" not in spec.data.prompt
    assert run(["lock", "legal.yaml", "--store", "store"]) == 0


def test_columns_with_odd_names(write: Write) -> None:
    write(**{"Text of it!": lambda n: f"text {n}", "Klausel-Ärger {x}": lambda n: f"more {n}"})
    assert new("--options", "yes,no") == 0
    columns = load_spec(Path("legal.yaml")).spec.data.columns
    assert columns["text_of_it"] == "Text of it!" and "Klausel-Ärger {x}" in columns.values()


@pytest.mark.parametrize(
    ("options", "more", "told"),
    [
        ("yes,maybe", {}, "no column of test.jsonl holds the options"),
        ("yes", {}, "no column of test.jsonl holds the options"),
        (None, {}, "which of `id`, `clause`, `fair` is the answer cannot be told"),
        (None, {"answer": lambda n: f"free text {n}"}, "these are no options to choose from"),
    ],
)
def test_what_cannot_be_told_is_refused(
    write: Write, capsys: pytest.CaptureFixture[str], options: str | None, more: dict[str, Any], told: str
) -> None:
    write(test=5, **more) if options is None and not more else write(**more)
    assert new(*(["--options", options] if options else [])) == 3
    assert told in capsys.readouterr().err and not Path("legal.yaml").exists()


def test_nothing_is_written_over_and_names_are_checked(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write()
    Path("legal.yaml").write_text("mine")
    assert new("--options", "yes,no") == 3
    assert Path("legal.yaml").read_text() == "mine" and "nothing is written over" in capsys.readouterr().err
    assert run(["new", "Legal Clauses", "--train", "train.jsonl", "--test", "test.jsonl"]) == 3
    assert run(["new", "other", "--train", "train.jsonl", "--test", "missing.jsonl"]) == 4
    assert run(["new", "other", "--train", "train.jsonl", "--test", "/etc/hostname"]) == 3
    assert run(["new", "other"]) == 2
    assert "on a terminal it asks" in capsys.readouterr().err


def test_on_a_terminal_it_asks(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    write()
    monkeypatch.setattr("sys.stdin", Terminal("train.jsonl\ntest.jsonl\nyes,no\n"))
    assert run(["new", "legal"]) == 0
    assert load_spec(Path("legal.yaml")).spec.metadata.name == "legal"


@pytest.mark.parametrize("name", sorted(builtin.specs()))
def test_an_entry_for_every_spec_is_valid_as_it_is(name: str, tmp_path: Path) -> None:
    out = tmp_path / "entry.yaml"
    assert run(["new", "entry", name, "--out", str(out)]) == 0
    spec = load_spec(builtin.specs()[name]).spec
    resolved = resolve_entry(spec, load_entry(out))
    plain = resolve_entry(spec, None)
    assert resolved.knobs == plain.knobs and resolved.model == plain.model and resolved.seed == plain.seed
    text = out.read_text()
    assert all(knob in text or knob == "model.base" for knob in spec.knobs)


def test_preview_shows_what_is_learnt_and_scored(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write()
    assert new("--options", "yes,no") == 0
    capsys.readouterr()
    assert run(["preview", "legal.yaml", "--rows", "1"]) == 0
    told = capsys.readouterr().out
    assert "<bos>Clause: Clause 0 may end." in told and "Answer:» yes<eos>«" in told
    assert "option 1 (right)" in told and "Answer:» no«" in told
    assert run(["preview", "legal.yaml", "--rows", "2", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["shown"]
    assert len(shown) == 2 + 2 * 2
    assert [piece["learnt"] for piece in shown[0]["pieces"]] == [False, True]


def test_a_minimal_spec_is_told_in_one_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text("ftbench: spec/v1\nmetadata: {name: tiny}\n")
    assert run(["validate", str(path)]) == 3
    told = capsys.readouterr().err
    assert told.count("FTB105") == 1 and "ftbench new NAME --train FILE --test FILE" in told


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        ("clause;fair\nA clause;yes\n", "yes,no", "parted by semicolons"),
        ("clause\tfair\nA clause\tyes\n", "yes,no", "parted by tabs"),
    ],
)
def test_a_table_with_other_marks_than_commas_is_told_so(
    rows: str,
    options: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("train.csv", "test.csv"):
        Path(name).write_text(rows)
    assert run(["new", "legal", "--train", "train.csv", "--test", "test.csv", "--options", options]) == 3
    assert said in capsys.readouterr().err


def test_truth_values_and_white_space_in_answers_are_told(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(answer=lambda n: n % 3 == 0)
    files = ["--train", "train.jsonl", "--test", "test.jsonl"]
    assert run(["new", "legal", *files, "--options", "true,false"]) == 3
    assert "truth values" in capsys.readouterr().err
    write(answer=lambda n: "yes " if n % 3 else "no")
    assert run(["new", "legal", *files, "--options", "yes,no"]) == 0
    assert "40 of 60, such as 'yes ', begin or end in white space" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["train.csv", "train.jsonl", "train.parquet", "model.gguf", "model/model.safetensors"])
def test_a_pointer_of_git_lfs_is_called_so(
    name: str, write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write()
    Path("model").mkdir()
    Path("model/config.json").write_text('{"model_type": "llama"}')
    Path(name).write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12\n")
    line = ["new", "legal", "--train", name, "--test", "test.jsonl"]
    if name.startswith("model"):
        line = ["data", "add", "--model", name.partition("/")[0], "--name", "me/x", "--store", str(tmp_path / "store")]
    assert run(line) in {3, 4}
    assert "pointer of Git LFS" in capsys.readouterr().err
