"""A sweep as an array job of Slurm: a task a cell, several nodes on one folder, no network on them.

Slurm ends a task with SIGTERM some time before its limit: the cell ends in order, and the task is queued again and
goes on. A cell that is whole ends at once.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

SCRIPT = "sweep.sbatch"
BEFORE = 120
"""Seconds before the limit at which a task is asked to end."""

_TEXT = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --array={array}
#SBATCH --output={logs}/cell-%a.log
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@{before}
#SBATCH --requeue
{time}# Add what your cluster asks for: --partition, --account, --gres=gpu:1, --cpus-per-task, --mem, --time.
# {about}
set -u
export HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 TRANSFORMERS_OFFLINE=1
cd {cwd}
stopped= cell=
# Set before the cell begins: the signal may come at any moment.
trap 'stopped=1; [ -z "$cell" ] || kill -TERM "$cell"' TERM
{command} --cell "$SLURM_ARRAY_TASK_ID" &
cell=$!
[ -z "$stopped" ] || kill -TERM "$cell"
# The first wait is cut short by the signal; the second one gets the exit code.
wait "$cell"; code=$?
if [ -n "$stopped" ]; then
  wait "$cell"; code=$?
  # 0: it had just become whole.
  [ "$code" -eq 0 ] || scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
fi
exit "$code"
"""


def script(
    command: Sequence[str], numbers: Sequence[int], *, name: str, folder: Path, cwd: Path, seconds: float | None
) -> str:
    """The job script for the cells of these numbers; `seconds`: what one is reckoned to take, None where nobody knows.

    The time limit is twice that, in whole hours from one on.
    """
    hours = None if seconds is None else max(1, -(-int(2 * seconds) // 3600))
    known = "nothing is known yet of how long a cell takes: none of this sweep is whole"
    if seconds is not None:
        known = f"a cell takes about {seconds / 60:.0f} min, by those of this sweep that are whole"
    return _TEXT.format(
        name=f"ftbench-{name}",
        array=_ranges(numbers),
        logs=shlex.quote(str(folder / "logs")),
        before=BEFORE,
        time="" if hours is None else f"#SBATCH --time={hours}:00:00\n",
        about=f"{len(numbers)} cells; {known}.",
        cwd=shlex.quote(str(cwd)),
        command=shlex.join(command),
    )


def _ranges(numbers: Sequence[int]) -> str:
    """`1-3,7` for 1, 2, 3 and 7."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in found)
