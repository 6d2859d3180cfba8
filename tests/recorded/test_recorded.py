"""Recorded answers in every form give the scores that the bundle has, or are refused as answers to other items."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "verify"))

import forge

from ftbench.data.store import Store
from ftbench.errors import FtbenchError, InvalidInput, MissingResource
from ftbench.recorded import formats, scoring
from ftbench.result import names
from ftbench.result.documents import Answer, Score
from ftbench.spec.pins import Pins
from ftbench.spec.tasks import CodeTask
from ftbench.spec.template import before, fill

Lines = list[dict[str, Any]]


@pytest.fixture(scope="module", autouse=True)
def programs() -> Iterator[None]:
    with forge.programs_run():
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> forge.World:
    return forge.make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def bundle(world: forge.World) -> forge.Forged:
    return forge.make(world)


def score(world: forge.World, path: Path, task: str | None = None, store: Store | None = None) -> Any:
    recorded = formats.read(path)
    chosen = scoring.task_named(world.spec, task, path)
    pins: Pins = world.compiled.plan.pins
    items = scoring.items_of(chosen, pins, store or world.store)
    return scoring.scored(recorded, chosen, items, world.spec.evaluation, path)


def jsonl(path: Path, lines: Lines) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def samples(bundle: forge.Forged, task: str = "jars") -> Lines:
    with bundle.copy().samples(task) as lines:
        return [dict(line) for line in lines]


def due(bundle: forge.Forged, task: str, model: str = "tuned") -> dict[str, Score]:
    result = json.loads(bundle.files[names.RESULT])["scores"]["tasks"][task]
    told = {result["scoring"]: result, **result["also"]}
    return {name: Score.model_validate(one[model]) for name, one in told.items()}


@pytest.mark.parametrize("task", ["jars", "shelves"])
def test_a_bundles_samples(world: forge.World, bundle: forge.Forged, tmp_path: Path, task: str) -> None:
    path = tmp_path / f"{task}.jsonl.gz"
    path.write_bytes(bundle.files[names.samples_name(task)])
    found = score(world, path)
    assert found["tuned"] == due(bundle, task) and found["untuned"] == due(bundle, task, "untuned")
    assert "centralised" in found


def test_programs_are_run(world: forge.World, bundle: forge.Forged, tmp_path: Path) -> None:
    lines = [{"index": line["index"], "text": line["tuned"]["text"]} for line in samples(bundle, "sums")]
    if "FTBENCH_TESTS_WITHOUT_SANDBOX" in os.environ:
        return
    found = score(world, jsonl(tmp_path / "sums.jsonl", lines))
    assert found["recorded"]["pass@1"].correct == due(bundle, "sums")["pass@1"].correct == forge.PROGRAMS // 2


def test_whole_programs_of_flowertunes_code_domain(world: forge.World, bundle: forge.Forged, tmp_path: Path) -> None:
    """bigcode-evaluation-harness keeps prompt and completion as one text, in a list for each problem."""
    task = scoring.task_named(world.spec, "sums", tmp_path)
    assert isinstance(task, CodeTask)
    items = scoring.items_of(task, world.compiled.plan.pins, world.store)
    given = [fill(before(task.program, "completion"), item.row) for item in items]
    whole = [[text + line["tuned"]["text"]] for text, line in zip(given, samples(bundle, "sums"), strict=True)]
    path = tmp_path / "generations_sums.json"

    def scored(programs: Any) -> Any:
        path.write_text(json.dumps(programs))
        return score(world, path, "sums")

    if "FTBENCH_TESTS_WITHOUT_SANDBOX" not in os.environ:
        assert scored(whole)["recorded"]["pass@1"].correct == due(bundle, "sums")["pass@1"].correct
    refused(lambda: scored(whole[:-1]), "FTB771")
    refused(lambda: scored([*whole[:-1], whole[-1] * 2]), "FTB770")
    refused(lambda: scored([*whole[:-1], []]), "FTB770")


def test_a_whole_program_begins_with_what_its_item_gives(world: forge.World, tmp_path: Path) -> None:
    task = scoring.task_named(world.spec, "sums", tmp_path)
    assert isinstance(task, CodeTask)
    task = task.model_copy(update={"program": "# {question}\n{completion}\n"})
    items = scoring.items_of(task, world.compiled.plan.pins, world.store)
    line = formats.Line(0, None, None, None, {})
    whole = [Answer(text=f"# {item.row['question']}\ndef f(): pass") for item in items]
    assert scoring._completion(task, line, items[0], whole[0], tmp_path).text == "def f(): pass"
    refused(lambda: scoring._completion(task, line, items[0], whole[1], tmp_path), "FTB771")


@pytest.mark.parametrize("texts", [False, True])
def test_lm_eval(world: forge.World, bundle: forge.Forged, tmp_path: Path, texts: bool) -> None:
    lines = []
    for line in samples(bundle):
        numbers = [[[value, False]] for value in line["tuned"]["loglikelihoods"]]
        doc = {key: line[key] for key in ("item", "target", "index")}
        told = [[line["tuned"]["text"]]] if texts else numbers
        lines.append({"doc_id": line["index"], "doc": doc, "target": "x", "resps": told, "filtered_resps": []})
    lines.reverse()  # lm-eval's order is its own
    found = score(world, jsonl(tmp_path / "samples_jars_2026-01-01.jsonl", lines))["recorded"]
    wanted = due(bundle, "jars")
    assert list(found) == (["generated", "flowertune"] if texts else ["likelihood"])
    assert all(one == wanted[name] for name, one in found.items())


@pytest.mark.parametrize("finance", [False, True])
def test_flowertune(world: forge.World, bundle: forge.Forged, tmp_path: Path, finance: bool) -> None:
    lines = []
    for line in samples(bundle):
        right = line["options"][line["target"]].strip()
        if finance:
            lines.append({"context": "…", "new_target": right, "new_out": line["tuned"]["text"]})
        else:
            lines.append({"prompt": "…", "gold": "ABCD"[line["target"]], "output": line["tuned"]["text"]})
    path = jsonl(tmp_path / "generation_jars_fl.jsonl", lines)
    found = score(world, path)["recorded"]
    wanted = due(bundle, "jars")
    assert found == {name: wanted[name] for name in ("generated", "flowertune")}
    assert (formats.LABELS in formats.read(path).notes) is finance


def test_plain(world: forge.World, bundle: forge.Forged, tmp_path: Path) -> None:
    both = [{key: line["tuned"][key] for key in ("text", "loglikelihoods")} for line in samples(bundle)]
    assert score(world, jsonl(tmp_path / "jars.jsonl", both))["recorded"] == due(bundle, "jars")
    (tmp_path / "jars.json").write_text(json.dumps(both))
    assert score(world, tmp_path / "jars.json")["recorded"] == due(bundle, "jars")


def refused(call: Any, code: str) -> None:
    with pytest.raises(FtbenchError) as error:
        call()
    assert error.value.diagnostics[0].code == code, error.value.diagnostics


def test_other_items_are_refused(world: forge.World, bundle: forge.Forged, tmp_path: Path) -> None:
    """As a cheat would have it: easier items, some left out, one twice, another order, another task's."""
    whole = [{"index": n, "gold": line["target"], "text": "x"} for n, line in enumerate(samples(bundle))]
    path = tmp_path / "jars.jsonl"
    targets = [line["gold"] for line in whole]
    other = next(n for n, target in enumerate(targets) if target != targets[0])
    swapped = [dict(line) for line in whole]
    swapped[0]["index"], swapped[other]["index"] = other, 0
    for lines in (
        whole[:-1],
        [*whole, whole[0]],
        [*whole[:-1], whole[0]],
        swapped,
        [{**line, "item": "0" * 64} for line in whole],
        [{**line, "index": line["index"] + 1} for line in whole],
    ):
        refused(lambda made=lines: score(world, jsonl(path, made)), "FTB771")
    elsewhere = [{"doc_id": line["index"], "doc": {"item": line["item"]}, "resps": [["x"]]} for line in samples(bundle)]
    refused(lambda: score(world, jsonl(path, elsewhere), "shelves"), "FTB771")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "FTB770"),
        ("[]", "FTB770"),
        ("{}", "FTB770"),
        ("[1]", "FTB770"),
        ('{"text": 1}', "FTB770"),
        ('{"text": "a", "passed": true}', "FTB770"),
        ('{"doc_id": 0, "resps": []}', "FTB770"),
        ('{"doc_id": "x", "resps": [["a"]]}', "FTB770"),
        ('{"text": NaN}', "FTB601"),
        ('{"loglikelihoods": ["many"]}', "FTB770"),
        ('{"loglikelihoods": 1}', "FTB770"),
        ('{"text": "a"}\n[1]', "FTB770"),
        ('{"doc_id": 0, "resps": "12"}', "FTB770"),
        ('{"doc_id": 0, "resps": [["1", "2"]]}', "FTB770"),
        ('{"doc_id": 0, "resps": [["1"], ["2"]]}', "FTB770"),
        ('{"doc_id": -1, "resps": [["1"]]}', "FTB770"),
    ],
)
def test_what_is_no_file_of_answers(world: forge.World, tmp_path: Path, text: str, code: str) -> None:
    path = tmp_path / "jars.jsonl"
    path.write_text(text)
    refused(lambda: score(world, path), code)


VALUES: list[Any] = [None, True, 0, -1, 1.5, 2**52, "", "x", "A", [], [0], {}, {"a": 1}]


@pytest.mark.parametrize(
    ("whole", "names"),
    [
        ({"text": "x"}, ["index", "item", "gold", "target", "text", "loglikelihoods"]),
        ({"prompt": "p", "gold": "A", "output": "x"}, ["gold", "output"]),
        ({"context": "c", "new_target": "A", "new_out": "x"}, ["new_target", "new_out"]),
        ({"doc_id": 0, "doc": {}, "resps": [["x"]]}, ["doc_id", "doc", "resps"]),
        ({"doc_id": 0, "doc": {"item": "x", "target": 0}, "resps": [["x"]]}, ["doc.item", "doc.target"]),
    ],
)
def test_a_field_of_any_type_is_no_traceback(
    world: forge.World, tmp_path: Path, whole: dict[str, Any], names: list[str]
) -> None:
    """Tools of others give any JSON type to a name that is known here: it is refused, or tells nothing."""
    path = tmp_path / "jars.jsonl"
    for name in names:
        for value in VALUES:
            line = json.loads(json.dumps(whole))
            (line["doc"] if name.startswith("doc.") else line)[name.removeprefix("doc.")] = value
            with pytest.raises(InvalidInput) as error:  # one line is never all of the items
                score(world, jsonl(path, [line]))
            assert error.value.diagnostics[0].code in ("FTB770", "FTB771"), (name, value)


def test_right_answers_of_another_type(world: forge.World, bundle: forge.Forged, tmp_path: Path) -> None:
    """Told of every item, where the items themselves are looked at."""
    path, whole = tmp_path / "jars.jsonl", samples(bundle)
    for value in ([0], 1.5, True, {"a": 1}):
        plain = [{"gold": value, "text": "x"} for _ in whole]
        refused(lambda made=plain: score(world, jsonl(path, made)), "FTB770")
        theirs = [{"doc_id": n, "doc": {"target": value}, "resps": [["x"]]} for n, _ in enumerate(whole)]
        assert score(world, jsonl(path, theirs))


def test_which_task(world: forge.World, tmp_path: Path) -> None:
    for name, task in (("a.jsonl", None), ("jars-and-shelves.jsonl", None), ("a.jsonl", "jar")):
        refused(lambda n=name, t=task: scoring.task_named(world.spec, t, Path(n)), "FTB685")
    assert scoring.task_named(world.spec, None, Path("x_shelves_y.jsonl")).name == "shelves"


def test_items_that_are_not_here(world: forge.World, bundle: forge.Forged, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "jars.jsonl", [{"text": "x"}])
    with pytest.raises(MissingResource):
        score(world, path, store=Store([tmp_path / "empty"]))
    with pytest.raises(InvalidInput):
        formats.read(tmp_path / "none")


def test_why_answers_do_not_read_is_one_line(world: forge.World, tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text(
        '{"doc_id": 0, "doc": {}, "target": "0", "arguments": [["q", "a"]], "resps": [[["NaN", "False"]]]}\n'
    )
    with pytest.raises(InvalidInput) as error:
        score(world, path, "jars")
    message = error.value.diagnostics[0].message
    assert "loglikelihoods.0: Input should be a finite number" in message
    assert "\n" not in message and "https" not in message


def test_one_scoring_may_be_asked_for(world: forge.World) -> None:
    task = world.spec.evaluation.tasks[0]
    assert scoring.only(task, ()) == task
    assert scoring.only(task, (task.scoring[-1],)).scoring == [task.scoring[-1]]
    with pytest.raises(InvalidInput, match="FTB685"):
        scoring.only(task, ("nothing",))
