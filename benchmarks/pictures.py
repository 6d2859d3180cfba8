"""A picture of each kind of page of a site, at three widths, light and dark: those of docs/site.md.

    python benchmarks/pictures.py SITE docs/site

Needs chromium. With Pillow installed the pictures have 256 colours and half the bytes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "site"))

from browser import Page, browser  # noqa: E402 - it lies with the tests

WIDTHS = (390, 1280, 1680)
HEIGHT = 940
SCALE = 0.6
GAP = 12


def kinds(site: Path) -> dict[str, Path]:
    """Name of a picture → the page, of the table with the most pages side by side."""
    table = max(site.glob("tables/*"), key=lambda one: len(list(one.glob("compare/*.html"))))
    found = {name: site / f"{name}.html" for name in ("resources", "refused", "published", "decisions")}
    return {
        "overview": site / "index.html",
        "table": table / "index.html",
        "entry": sorted(table.glob("entries/*/index.html"))[0],
        "samples": sorted(table.glob("entries/*/*/*/gained-1.html"))[0],
        "compare": sorted(table.glob("compare/*.html"))[0],
        "pairs": table / "pairs.html",
        **{name: path for name, path in found.items() if path.is_file()},
    }


def draw(page: Page, address: str, folder: Path, out: Path) -> None:
    """The page at each width beside each other."""
    shots = []
    for width in WIDTHS:
        page.size(width, HEIGHT, mobile=width < 600)
        page.open(address)
        page.picture(folder / f"{width}.png")
        shots.append(f'<img src="{width}.png" width="{width * SCALE:.0f}" height="{HEIGHT * SCALE:.0f}">')
    beside = f"body {{ margin: {GAP}px; display: flex; gap: {GAP}px; background: #808589 }}"
    (folder / "all.html").write_text(f"<!doctype html><style>{beside}</style>{''.join(shots)}", "utf-8")
    page.size(round(sum(WIDTHS) * SCALE) + (len(WIDTHS) + 1) * GAP, round(HEIGHT * SCALE) + 2 * GAP)
    page.open((folder / "all.html").as_uri())
    page.picture(out)
    reduce(out)


def reduce(path: Path) -> None:
    """256 colours, where Pillow is there."""
    try:
        from PIL import Image
    except ImportError:
        return
    Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)


def main(site: Path, out: Path) -> None:
    """All of them."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as made, browser(Path(made)) as page:
        for scheme in ("light", "dark"):
            page.scheme(scheme)
            for name, path in kinds(site).items():
                draw(page, path.as_uri(), Path(made), out / f"{name}-{scheme}.png")
                print(out / f"{name}-{scheme}.png", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
