"""The site as files: the same bytes, links that lead somewhere, nothing from outside that is more than text."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from site_world import SECRET, Built
from test_browser import one_of_each

from ftbench.cli.main import run

VOID = {"meta", "link", "br", "img", "input"}
ALLOWED = {"href", "src"}


class Reader(HTMLParser):
    """What a page links, its ids, its elements, and whether every element is closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        self.links += [value for name in ALLOWED if (value := found.get(name))]
        self.ids += [value for value in [found.get("id")] if value]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(path: Path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text("utf-8"))
    reader.close()
    assert not reader.open, path
    return reader


@pytest.fixture(scope="module")
def pages(built: Built) -> dict[Path, Reader]:
    return {path: read(path) for path in sorted(built.root.rglob("*.html"))}


def test_every_kind_of_page_is_there(built: Built, pages: dict[Path, Reader]) -> None:
    names = {path.relative_to(built.root).as_posix() for path in pages}
    assert {"index.html", "resources.html", "refused.html", "published.html", "decisions.html"} <= names
    table = built.tables("forged-world").relative_to(built.root).as_posix()
    assert {f"{table}/index.html", f"{table}/pairs.html"} <= names
    assert any(re.fullmatch(rf"{table}/entries/\w+/index.html", name) for name in names)
    for view in ("all", "gained", "lost", "unparsable", "clusters"):
        assert any(f"/jars/{view}-1.html" in name for name in names), view
    assert any("/compare/" in name for name in names)


def test_every_link_leads_somewhere(built: Built, pages: dict[Path, Reader]) -> None:
    for path, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), path
        for link in page.links:
            if link.startswith("https://"):
                assert link == "https://example.org/x", link
                continue
            name, _, mark = link.partition("#")
            there = (path.parent / name).resolve() if name else path
            assert there.is_relative_to(built.root.resolve()) or not name, link
            assert there.is_file(), f"{path}: {link}"
            if mark:
                assert mark in pages[there].ids if there in pages else mark in read(there).ids, f"{path}: {link}"


def test_every_page_is_reached(built: Built, pages: dict[Path, Reader]) -> None:
    """By links, from the overview on: a page that no menu and no other page names is there for nobody."""
    met, waiting = set(), [built.root / "index.html"]
    while waiting:
        path = waiting.pop()
        if path not in met and path in pages:
            met.add(path)
            waiting += [
                (path.parent / link.partition("#")[0]).resolve() for link in pages[path].links if link[0] != "#"
            ]
    assert set(pages) - met == set()


def test_every_kind_is_looked_at_in_a_browser(built: Built) -> None:
    assert set(built.root.glob("*.html")) <= set(one_of_each(built))


def test_texts_from_outside_are_text(pages: dict[Path, Reader]) -> None:
    for path, page in pages.items():
        scripts = [about for tag, about in page.tags if tag == "script"]
        assert [one.get("src", "").endswith("assets/site.js") for one in scripts] == [True], path
        assert not [tag for tag, _ in page.tags if tag in ("img", "iframe", "object", "form", "base")], path
        assert not [name for _, about in page.tags for name in about if name.startswith("on") or name == "style"], path
        assert "\u202e" not in "".join(page.text), "a control character turns no line around"
        policies = [about["content"] for tag, about in page.tags if about.get("http-equiv")]
        assert policies and "default-src 'none'" in str(policies[0])


def test_hostile_texts_are_shown(built: Built, pages: dict[Path, Reader]) -> None:
    overview = "".join(pages[built.root / "index.html"].text)
    assert "<script>document.title='owned'</script>" in overview and "\\u202e" in overview
    published = "".join(pages[built.root / "published.html"].text)
    assert "javascript:alert(1)" in published and "other prompts and conditions" in published


def test_text_that_may_not_be_passed_on_is_on_no_page(built: Built) -> None:
    closed = built.tables("closed-world")
    found = list(closed.rglob("*"))
    assert any(path.match("*/jars/all-1.html") for path in found)
    for path in built.root.rglob("*"):
        if path.is_file():
            assert SECRET not in path.read_text("utf-8"), path
    for path in (*closed.rglob("jars/*.html"), *closed.rglob("sums/*.html")):
        text = path.read_text("utf-8")
        assert "withheld" in text and " which one?" not in text and "wrote" not in text.replace("models wrote", "")


def test_versions_are_told_apart_in_words(built: Built, pages: dict[Path, Reader]) -> None:
    text = " ".join("".join(pages[built.root / "index.html"].text).split())
    assert re.search(r"forged-world: 0\.1\.0 \(\w{12}\) → 0\.2\.0 \(\w{12}\)", text)
    assert "federation.rounds was 4, is 6 (score-affecting)" in text


def test_what_is_not_ranked_has_its_reason(built: Built, pages: dict[Path, Reader]) -> None:
    text = "".join(pages[built.root / "refused.html"].text)
    for told in ("gone", "FTB711", "asked for", "tampered", "FTB707", "broken.zip", "FTB703"):
        assert told in text, told
    decided = "".join(pages[built.root / "decisions.html"].text)
    assert "owned" in decided and "val@example.org" in decided and "refused" in decided
    assert "rank=5" not in "".join(pages[built.tables("forged-world") / "index.html"].text)


def test_a_bundle_that_changes_after_its_verdict_is_shown_no_more(built: Built, tmp_path: Path) -> None:
    from ftbench.board.collect import known_plans
    from ftbench.board.gather import gather
    from ftbench.data.store import Store
    from ftbench.site.context import Context

    shutil.copytree(built.bundles / "rank2", tmp_path / "rank2")
    compiled = built.bundles.parent / "first" / "benchmarks"
    store = Store([built.bundles.parent / "first" / "store"])
    found = gather([tmp_path], store=store, benchmarks=[compiled], plans=known_plans([compiled]), required="RESCORED")
    context = Context(found, "changed")
    (row,) = found.board.tables[0].rows
    assert context.documents(row.bundles[0]).samples
    samples = tmp_path / "rank2" / "samples" / "jars.jsonl.gz"
    samples.write_bytes((built.bundles / "tampered" / "samples" / "jars.jsonl.gz").read_bytes())
    assert not context.documents(row.bundles[0]).samples, "its manifest is the same, its samples are not"


def test_the_same_bytes_in_two_places(built: Built, tmp_path: Path) -> None:
    elsewhere, there = tmp_path / "a" / "bundles", tmp_path / "b" / "pages"
    shutil.copytree(built.bundles, elsewhere)
    shutil.copytree(built.root, there)
    (there / "index.html").write_text("an older site")
    before = there.stat().st_ino
    words = [str(elsewhere) if word == str(built.bundles) else word for word in built.words]
    assert run([*words, "--out", str(there)]) == 0
    assert there.stat().st_ino != before, "an older site is replaced as a whole"
    one, other = (json.loads((root / "site.json").read_bytes()) for root in (built.root, there))
    assert one == other
    assert len(one["files"]) == sum(path.is_file() for path in there.rglob("*")) - 1


def test_what_is_no_site_is_never_replaced(built: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    assert run([*built.words, "--out", str(tmp_path)]) == 3
    assert "FTB712" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
