"""Sphinx, for `make docs`. Built offline; the pages are those of the repository, read by MyST."""

project = "ftbench"
author = "The ftbench maintainers"
copyright = author
extensions = ["myst_parser"]
root_doc = "docs/index"
exclude_patterns: list[str] = []
myst_heading_anchors = 4
myst_enable_extensions: list[str] = []
suppress_warnings = ["misc.highlighting_failure"]  # `…` in what came back is no Python
html_theme = "furo"
html_title = "ftbench"
html_static_path = ["_static"]
html_css_files = ["keys.css"]  # what the keyboard has the focus on is seen
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_last_updated_fmt = None
highlight_language = "text"
nitpicky = True
