"""What commands print with `--json`: every command's model is in here, and `cli/schemas.py` lists them all.

A document that ftbench reads back as well (a board, a sweep, a verdict) stands with the code that makes it.
"""
