"""Property tests repeat exactly and have no deadline: a slow machine is no failure."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("ftbench-spec", deadline=None, derandomize=True, database=None)
settings.load_profile("ftbench-spec")
