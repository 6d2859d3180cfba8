"""The manifest binds every file of a bundle to its path, size and digest."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ftbench.result import names
from ftbench.result.documents import Manifest, ManifestFile
from ftbench.spec.canonical import pretty, sha256


def make(files: Mapping[str, bytes]) -> Manifest:
    """The manifest of these files; a manifest among them and its signature are left out."""
    listed = {name: files[name] for name in sorted(files) if name not in names.UNLISTED}
    return Manifest(files={n: ManifestFile(size=len(data), sha256=sha256(data)) for n, data in listed.items()})


def to_bytes(manifest: Manifest) -> bytes:
    """The bytes of `manifest.json`."""
    return pretty(manifest.model_dump(mode="json"))


def path_problems(manifest: Manifest, files: Collection[str]) -> list[str]:
    """Files that the manifest lists and the bundle lacks, and the other way about."""
    here = set(files) - set(names.UNLISTED)
    missing = [f"`{name}` is in the manifest and not in the bundle" for name in sorted(set(manifest.files) - here)]
    extra = [f"`{name}` is in the bundle and not in the manifest" for name in sorted(here - set(manifest.files))]
    return missing + extra


def content_problems(manifest: Manifest, files: Mapping[str, bytes]) -> list[str]:
    """Files whose size or digest is not what the manifest says."""
    problems = []
    for name, listed in sorted(manifest.files.items()):
        if name in files:
            size, digest = len(files[name]), sha256(files[name])
            if size != listed.size:
                problems.append(f"`{name}` has {size} bytes, the manifest says {listed.size}")
            elif digest != listed.sha256:
                problems.append(f"`{name}` has sha256 {digest[:12]}…, the manifest says {listed.sha256[:12]}…")
    return problems
