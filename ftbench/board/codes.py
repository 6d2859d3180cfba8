"""Diagnostic codes of the leaderboard."""

from __future__ import annotations

from ftbench.diagnostics import register

NO_BUNDLES = "FTB701"
UNREADABLE = "FTB702"
BELOW_LEVEL = "FTB703"
NO_RESULT = "FTB704"
SMOKE = "FTB705"

register(
    {
        NO_BUNDLES: "there is no result bundle in the folders given",
        UNREADABLE: "a result bundle cannot be opened",
        BELOW_LEVEL: "a result bundle is below the level that the leaderboard requires",
        NO_RESULT: "a result bundle holds no result or entry that could be read",
        SMOKE: "the result of a shortened trial run is never ranked",
    }
)
