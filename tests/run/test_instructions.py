"""Which vector instructions a run says that its processor has."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftbench.run import environment


@pytest.mark.parametrize(
    ("flags", "told", "due"),
    [
        ("flags : sse avx avx2 avx512f", None, "avx512"),
        ("flags : sse avx avx2", None, "avx2"),
        ("flags : sse", None, "default"),
        ("flags : sse avx avx2 avx512f", "avx2", "avx2"),
        ("flags : sse avx avx2 avx512f", "nonsense", "avx512"),
        ("Features : asimd", None, None),
        (None, None, None),
    ],
)
def test_widest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str | None, told: str | None, due: str | None
) -> None:
    path = tmp_path / "cpuinfo"
    if flags is not None:
        path.write_text(f"processor : 0\n{flags}\n")
    monkeypatch.setattr(environment, "CPUINFO", path)
    monkeypatch.delenv("ATEN_CPU_CAPABILITY", raising=False)
    if told is not None:
        monkeypatch.setenv("ATEN_CPU_CAPABILITY", told)
    assert environment.instructions() == due
