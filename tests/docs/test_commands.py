"""Every command in the documentation is carried out, or says why not; none names what ftbench does not take."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pages
import pytest
import typed

OWN = {
    "docs/tutorial.md": "tests/e2e/test_tutorial.py",
    "docs/deployment.md": "tests/run/test_deployment.py",
    "docs/walkthroughs/flowertune.md": "tests/flowertune/test_walkthrough.py",
}
"""Pages whose commands build on one another → the test that carries them out in their order."""

ALL = [block for page in pages.pages() for block in pages.blocks(page)]
SHELLS = [block for block in ALL if block.language == "sh"]
PROGRAMS = [block for block in ALL if block.language == "python"]
HOW = re.compile(r"|slow|not-run: .{5,}")
LANGUAGES = {"sh", "console", "yaml", "json", "python", "text", "", "{toctree}"}
COMMAND = re.compile(r"^ *(?:\$ )?(ftbench|pip|make|apt-get|ssh-keygen|flwr|python3?) ", re.MULTILINE)
PROSE = re.compile(r"(?<!`)`(ftbench [^`\n]+)`(?!`)")


def own(block: pages.Block) -> str | None:
    return OWN.get(block.page.relative_to(pages.ROOT).as_posix())


def test_there_are_some() -> None:
    assert len(SHELLS) > 20 and sum(block.how == "" and own(block) is None for block in SHELLS) > 5


@pytest.mark.parametrize("block", ALL, ids=str)
def test_each_block_says_what_it_is(block: pages.Block) -> None:
    assert block.language in LANGUAGES, f"{block}: {block.info}"
    if block.language == "sh" and own(block) is None:
        assert HOW.fullmatch(block.how), f"{block}: `{block.info}` is neither `sh`, `sh slow` nor `sh not-run: REASON`"
    if block.language == "python":
        assert HOW.fullmatch(block.how), (
            f"{block}: `{block.info}` is no `python`, `python slow`, `python not-run: REASON`"
        )
    if block.language == "console" and own(block) is None:
        assert block.page.parent.name == "walkthroughs", f"{block} is held to nothing that comes back"
    if block.language in {"", "text"}:
        assert not COMMAND.search(block.text), f"{block} has commands and no language"


@pytest.mark.parametrize("page", pages.pages(), ids=lambda page: page.relative_to(pages.ROOT).as_posix())
def test_no_command_hides_in_an_indented_block(page: Path) -> None:
    text = pages.FENCE.sub("", page.read_text(encoding="utf-8"))
    assert not re.findall(r"^(?: {4}|\t)(?:\$ )?(?:ftbench|pip|make|apt-get|ssh-keygen) .*", text, re.MULTILINE)


def test_their_words_are_those_of_ftbench() -> None:
    """In blocks, carried out or not, and in running text."""
    wrong = []
    for block in SHELLS:
        lines = [line for line in pages.commands(block.text) if line.startswith("ftbench ") and "<<" not in line]
        wrong += [f"{block}: {line}: {found}" for line in lines if (found := typed.wrong(line.partition(" | ")[0]))]
    for page in pages.pages():
        if page.name == "CHANGELOG.md":  # tells of what was
            continue
        for quoted in PROSE.findall(page.read_text(encoding="utf-8")):
            if found := typed.wrong(quoted.partition(" | ")[0]):
                wrong.append(f"{page.relative_to(pages.ROOT)}: `{quoted}`: {found}")
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder in which a checkout's folders are found by the names that the pages use."""
    folder = tmp_path / "here"
    folder.mkdir()
    for name in ("specs", "entries", "generated", "results", "docs", "ftbench", "schemas"):
        (folder / name).symlink_to(pages.ROOT / name)
    return folder


def carry_out(block: pages.Block, here: Path) -> None:
    for command in pages.commands(block.text):
        code, came = pages.run(re.sub(r"\s+# .*", "", command), here)
        wanted = 1 if "# exits with 1" in command else 0
        assert code == wanted, f"{block}: {command}\nexit code {code}\n{came}"


@pytest.mark.parametrize("block", [one for one in SHELLS if one.how == "" and own(one) is None], ids=str)
def test_it_does_what_it_says(block: pages.Block, here: Path) -> None:
    carry_out(block, here)


def carry_out_program(block: pages.Block, here: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", block.text], cwd=here, env=pages.environment(here), check=False, timeout=900, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, f"{block}\n{done.stdout}"


@pytest.mark.parametrize("block", [one for one in PROGRAMS if one.how == ""], ids=str)
def test_a_program_does_what_it_says(block: pages.Block, here: Path) -> None:
    carry_out_program(block, here)


@pytest.mark.slow
@pytest.mark.parametrize("block", [one for one in PROGRAMS if one.how == "slow"], ids=str)
def test_a_program_does_what_it_says_slowly(block: pages.Block, here: Path) -> None:
    carry_out_program(block, here)


@pytest.mark.slow
@pytest.mark.parametrize("block", [one for one in SHELLS if one.how == "slow" and own(one) is None], ids=str)
def test_it_does_what_it_says_slowly(block: pages.Block, here: Path) -> None:
    carry_out(block, here)


def test_pages_with_a_test_of_their_own_have_it() -> None:
    for page, test in OWN.items():
        assert (pages.ROOT / page).is_file() and Path(page).name in (pages.ROOT / test).read_text()
