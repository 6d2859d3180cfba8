"""No page has an error by axe-core, on a screen of each size, light and dark.

`make test-site` and `make test-slow` bring axe-core by npm; FTBENCH_AXE names the file of another copy.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from browser import browser
from site_world import Built
from test_browser import one_of_each

ROOT = Path(__file__).resolve().parents[2]
AXE = Path(os.environ.get("FTBENCH_AXE", ROOT / ".venv" / "axe" / "node_modules" / "axe-core" / "axe.min.js"))
RUN = """axe.run(document, {resultTypes: ['violations']}).then(found => JSON.stringify(
  found.violations.map(one => [one.id, one.impact, one.nodes.map(node => node.target.join(' ')).slice(0, 3)])))"""


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("FTBENCH_TESTS_WITHOUT_BROWSER") == "1", reason="no browser")
def test_no_error_of_accessibility(built: Built, tmp_path: Path) -> None:
    checker = AXE.read_text("utf-8")
    found = []
    with browser(tmp_path) as page:
        for width, scheme in ((360, "light"), (360, "dark"), (1440, "light"), (1440, "dark")):
            page.size(width, 900, mobile=width < 600)
            page.scheme(scheme)
            for path in one_of_each(built):
                page.open(path.as_uri())
                page.run(f"{checker}; 1")
                found += [(path.name, width, scheme, one) for one in json.loads(page.run(RUN))]
    assert found == []
