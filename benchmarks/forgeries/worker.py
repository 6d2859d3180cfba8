"""`python worker.py APP JOBS.json ANSWERS.json`: `ftbench.replay.worker` for many jobs in one process, which loads
PyTorch and the model once."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ftbench.replay.worker import redone

if __name__ == "__main__":
    app, jobs, answers = map(Path, sys.argv[1:])
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(app))
    answers.write_text(json.dumps([redone(app, job) for job in json.loads(jobs.read_bytes())]))
