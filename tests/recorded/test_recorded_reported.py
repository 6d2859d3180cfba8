"""Files of answers as others have reported them to be read wrongly; beside each the thread where it was told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftbench.errors import InvalidInput
from ftbench.recorded import formats
from ftbench.result.documents import Answer


def read(folder: Path, *lines: dict[str, Any], begin: bytes = b"") -> formats.Recorded:
    path = folder / "samples_jars.jsonl"
    path.write_bytes(begin + "".join(json.dumps(line) + "\n" for line in lines).encode())
    return formats.read(path)


def told(folder: Path, *lines: dict[str, Any]) -> str:
    with pytest.raises(InvalidInput) as error:
        read(folder, *lines)
    assert [one.code for one in error.value.diagnostics] == ["FTB770"]
    return error.value.diagnostics[0].message


def test_a_line_for_every_filter_is_one_answer(tmp_path: Path) -> None:
    """EleutherAI/lm-evaluation-harness#1687, #2025: gsm8k has two filters, its file every item twice."""
    lines = [
        {"doc_id": number, "resps": [[f"text {number}"]], "filtered_resps": [name], "filter": name}
        for name in ("strict-match", "flexible-extract")
        for number in range(3)
    ]
    found = read(tmp_path, *lines).lines
    assert [line.index for line in found] == [0, 1, 2]
    assert [line.answers["recorded"].text for line in found] == ["text 0", "text 1", "text 2"]
    # The same filter twice, or another answer, is a second answer: `scored` refuses it.
    assert len(read(tmp_path, *lines, lines[0]).lines) == 4
    assert len(read(tmp_path, *lines, {**lines[3], "resps": [["other"]]}).lines) == 4


def test_several_answers_to_one_item_are_called_so(tmp_path: Path) -> None:
    """EleutherAI/lm-evaluation-harness#1232: `repeats` of two or more."""
    assert "2 answers to one item (`repeats`)" in told(tmp_path, {"doc_id": 0, "resps": [["a", "b"]]})


def test_answers_without_their_inner_list_are_read(tmp_path: Path) -> None:
    """EvolvingLMMs-Lab/lmms-eval#1103 writes one list less; lm-eval its numbers as texts."""
    one, two = read(
        tmp_path,
        {"doc_id": 0, "resps": ["a"]},
        {"doc_id": 1, "resps": [[["-1.5", "False"]], [["-2.5", "True"]]]},
    ).lines
    assert one.answers["recorded"] == Answer(text="a")
    assert two.answers["recorded"] == Answer(loglikelihoods=[-1.5, -2.5])
    (alone,) = read(tmp_path, {"doc_id": 0, "resps": [[["-1.5", "False"]]]}).lines
    assert alone.answers["recorded"] == Answer(loglikelihoods=[-1.5])


def test_a_byte_order_mark_begins_no_answer(tmp_path: Path) -> None:
    """huggingface/datasets#8241, UKGovernmentBEIS/inspect_ai#5474."""
    assert read(tmp_path, {"text": "a"}, begin=b"\xef\xbb\xbf").lines[0].answers["recorded"].text == "a"


@pytest.mark.parametrize("begin", [b"PK\x03\x04\x14\x00", b"\x28\xb5\x2f\xfd\x04\x00"])
def test_a_log_of_inspect_is_called_compressed(tmp_path: Path, begin: bytes) -> None:
    """UKGovernmentBEIS/inspect_ai#4553: an .eval file is a zip whose members are packed by zstd."""
    with pytest.raises(InvalidInput, match="is compressed, by") as error:
        read(tmp_path, {"text": "a"}, begin=begin)
    assert "inspect log dump" in error.value.diagnostics[0].hint


@pytest.mark.parametrize("number", [0.7, "3", True, -1, [0]])
@pytest.mark.parametrize("line", [{"doc_id": 0, "resps": [["a"]]}, {"index": 0, "text": "a"}])
def test_an_item_s_number_is_not_made_of_something_else(tmp_path: Path, line: dict[str, Any], number: Any) -> None:
    """UKGovernmentBEIS/inspect_ai#2827: ids of another type in JSON than in memory. 0.7 was item 0, true item 1."""
    key = "doc_id" if "doc_id" in line else "index"
    assert "a whole one from 0" in told(tmp_path, {**line, key: number})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"text": "a", "gold": ["x"]}, "the right answer is"),
        ({"text": "a", "gold": True}, "the right answer is"),
        ({"prompt": "p", "gold": {"a": 1}, "output": "o"}, "the right answer is"),
        ({"text": "a", "item": 5}, "`item` is the digest"),
        ({"loglikelihoods": "123"}, "a list with a number for each option"),
        ({"loglikelihoods": []}, "a list with a number for each option"),
        ({"loglikelihoods": [True, False]}, "a log-likelihood is a number"),
        ({"loglikelihoods": ["-1", "-2"]}, "a log-likelihood is a number"),
        ({"doc_id": 0, "resps": []}, "neither one text nor a pair"),
        ({"doc_id": 0, "resps": [[None]]}, "neither one text nor a pair"),
        ({"doc_id": 0, "resps": [[[None, False]]]}, "a log-likelihood is a number"),
    ],
)
def test_what_is_no_answer_is_told_in_words(tmp_path: Path, line: dict[str, Any], words: str) -> None:
    """Found beside them: a list as the right answer ended in a traceback, `"123"` was three log-likelihoods."""
    assert words in told(tmp_path, line)
