"""Answers that somebody recorded, here or with another tool, and their scores by the scorings of a spec."""
