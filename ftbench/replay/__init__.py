"""Doing part of a run again, from outside: cli → replay → {run, verify}. Verification judges what comes out."""
