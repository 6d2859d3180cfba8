"""Forgeries that pass every check up to RESCORED, and how often a spot-run catches each: see suite.py."""
