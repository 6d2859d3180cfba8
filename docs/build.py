"""Build the documentation as a site: `python docs/build.py OUT`. Offline; any warning is an error.

The repository's own pages are copied beside generated reference pages, so that their links hold there as they do here.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("docs", "results/README.md", "results/real-rows.md", "benchmarks/README.md", "README.md")
TOP = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "LICENSE")
REDIRECT = """<!doctype html>
<meta charset="utf-8">
<meta http-equiv="refresh" content="0; url=docs/index.html">
<title>ftbench</title>
"""


def source(folder: Path) -> None:
    """Fill `folder` with every page."""
    import reference

    ignored = shutil.ignore_patterns("*.py", "__pycache__", "board")
    for name in (*COPIED, *TOP):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=ignored)
        else:
            shutil.copy(ROOT / name, target)
    for path in (ROOT / "docs" / "tutorial").glob("*.py"):
        shutil.copy(path, folder / "docs" / "tutorial")
    (folder / "docs" / "diagnostics.md").unlink()
    for name, text in reference.pages():
        target = folder / "docs" / "reference" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def build(out: Path) -> int:
    """Make the site in `out`. Returns Sphinx's exit code: 0 where there was no warning."""
    from sphinx.cmd.build import build_main

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source(folder)
        options = [
            "-b",
            "html",
            "-W",
            "--keep-going",
            "-q",
            "-E",
            "-c",
            str(ROOT / "docs"),
            "-d",
            str(folder / ".trees"),
        ]
        code = build_main([*options, str(folder), str(out)])
    (out / "index.html").write_text(REDIRECT, encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "docs"))
    sys.exit(build(Path(sys.argv[1] if len(sys.argv) > 1 else "docs-site")))
