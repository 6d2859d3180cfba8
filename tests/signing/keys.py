"""SSH keys of people who do not exist, and lists of them."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make_key(folder: Path, name: str, kind: str = "ed25519") -> Path:
    """A private key without a passphrase; the public one lies beside it."""
    path = folder / name
    size = ["-b", "2048"] if kind == "rsa" else []
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-C", name, "-f", str(path)], check=True, capture_output=True
    )
    return path


def public(key: Path) -> str:
    """Kind and key as a list of signers has them."""
    return " ".join(key.with_name(key.name + ".pub").read_text().split()[:2])


def signers(path: Path, *lines: tuple[str, str, Path]) -> Path:
    """A list of allowed signers: who, options, key."""
    path.write_text("".join(f"{who} {options} {public(key)}\n".replace("  ", " ") for who, options, key in lines))
    return path
