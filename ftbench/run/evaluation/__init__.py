"""Scoring a run's adapter on the compiled tasks: lm-eval in processes of its own."""
