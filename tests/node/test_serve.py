"""A node's life between two messages: what it was at when it was killed, a full disk, a SuperLink that forgot it."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest
from flwr.app import ConfigRecord, Message, Metadata, RecordDict
from flwr.app.message import make_message
from flwr.supercore.run import RunNotRunningException

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.node import serve
from ftbench.node.asked import Pending
from ftbench.node.journal import Journal
from ftbench.node.link import Asked, Refused

NODE = 7
APP = "a" * 64


class Link:
    """A SuperLink's side: messages that wait, and what was answered."""

    def __init__(self, messages: list[Message], node_id: int = NODE) -> None:
        self.node_id, self.waiting = node_id, messages
        self.answered: list[str] = []
        self.over = False

    def next(self) -> Asked | None:
        if not self.waiting:
            raise Refused(Diagnostic(codes.NODE_REFUSED, "as if the SuperLink had been started anew"))
        return self.again(self.waiting.pop(0))

    def again(self, message: Message) -> Asked:
        if self.over:
            raise RunNotRunningException
        return Asked(message, None, APP, {})

    def content(self, asked: Asked) -> Message:
        return asked.message

    def reply(self, asked: Message, content: RecordDict, seconds: float) -> int:
        self.answered.append(f"{asked.metadata.message_id}: {sorted(content)}")
        return 1

    def refuse(self, asked: Message, reason: str, code: int = 2) -> int:
        self.answered.append(f"{asked.metadata.message_id}: {reason}")
        return 1


def message(name: str) -> Message:
    return make_message(
        Metadata(
            run_id=5,
            message_id=name,
            src_node_id=1,
            dst_node_id=NODE,
            reply_to_message_id="",
            group_id="1",
            created_at=1.0,
            ttl=60.0,
            message_type="train",
        ),
        content=RecordDict({"config": ConfigRecord({"round": 1})}),
    )


class Killed(BaseException):
    """As SIGKILL: nothing of the process goes on."""


class Node(serve.Server):
    """A server with an app of the test's own; everything else is the node's."""

    def __init__(self, folder: Path, does: list[Any]) -> None:
        self.said: list[str] = []
        self.say = self.said.append
        self.allowed = {APP: object()}  # type: ignore[dict-item]
        self.journal, self.pending = Journal(folder), Pending(folder)
        self.does = does

    def _answer(self, *_: Any) -> RecordDict | str:
        done = self.does.pop(0)
        if isinstance(done, type):
            raise done
        return RecordDict({"config": ConfigRecord({"client-state": done})})

    def live(self, link: Link) -> None:
        """Until the SuperLink lets go of it, or it is killed."""
        with pytest.raises((Refused, Killed)):
            self._serve(link)  # type: ignore[arg-type]


def test_a_node_that_was_killed_answers_what_it_was_asked(tmp_path: Path) -> None:
    Node(tmp_path, [Killed]).live(Link([message("one")]))
    link = Link([message("two")])
    Node(tmp_path, ["", ""]).live(link)
    assert link.answered == ["one: ['config']", "two: ['config']"]


def test_a_message_that_kills_whoever_answers_it_is_tried_twice(tmp_path: Path) -> None:
    Node(tmp_path, [Killed]).live(Link([message("one")]))
    Node(tmp_path, [Killed]).live(Link([]))
    link = Link([message("two")])
    Node(tmp_path, [""]).live(link)
    assert link.answered == ["two: ['config']"]


def test_what_was_asked_of_another_node_or_run_is_let_go(tmp_path: Path) -> None:
    """A SuperLink that was started anew gives a node another id; a run that was stopped is over."""
    for link in (Link([], node_id=8), Link([])):
        link.over = link.node_id == NODE
        Node(tmp_path, [Killed]).live(Link([message("one")]))
        Node(tmp_path, []).live(link)
        assert link.answered == [] and not (tmp_path / "asked.pb").exists()


def test_nothing_is_left_of_a_message_that_was_answered(tmp_path: Path) -> None:
    node = Node(tmp_path, [""])
    node.live(Link([message("one")]))
    assert [path.name for path in tmp_path.iterdir()] == ["journal.jsonl"]


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "asked.pb")


def test_a_site_whose_disk_is_full_refuses_in_words_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link, node = Link([message("one"), message("two")]), Node(tmp_path, [""])
    with monkeypatch.context() as patched:
        patched.setattr("ftbench.node.asked.write_file", full)
        link.waiting, rest = link.waiting[:1], link.waiting[1:]
        node.live(link)
    assert link.answered == [f"one: FTB558 {codes.APP['FTB558']}: this site's folder takes no message"]
    assert "No space left on device" in node.said[0]
    link.waiting = rest
    node.live(link)
    assert link.answered[1] == "two: ['config']"
    lines = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    assert [("refused" in line, "left" in line) for line in lines] == [(True, False), (False, True)]


def test_a_journal_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(tmp_path, [""])
    monkeypatch.setattr(Journal, "note", full)
    link = Link([message("one")])
    node.live(link)
    assert link.answered == ["one: ['config']"]
    assert any("lacks this message: No space left on device" in text for text in node.said)
