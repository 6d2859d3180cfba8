"""`node.toml`: what a site says of itself. Paths in it are relative to its own folder."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, ValidationError

from ftbench import codes
from ftbench.data.store import Store
from ftbench.diagnostics import Diagnostic, Place
from ftbench.errors import InvalidInput
from ftbench.spec.primitives import Block

FILE = "node.toml"


def _dashed(name: str) -> str:
    return name.replace("_", "-")


class NodeSettings(Block):
    """A site's node."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=_dashed, populate_by_name=True)

    format: Literal["ftbench/node/v1"] = "ftbench/node/v1"
    """Format of this file."""
    superlink: Annotated[str, Field(pattern=r"^[^\s/]+:\d+$")]
    """Where the SuperLink is: HOST:PORT."""
    root_certificates: str = "ca.pem"
    """Certificate of the authority that the SuperLink's is signed by."""
    key: str = "node.key"
    """The site's own private key, on a NIST curve."""
    partition: Annotated[int, Field(ge=0)]
    """Which client this is, from 0."""
    clients: Annotated[int, Field(ge=1)]
    """Number of clients."""
    rows: str = "rows.jsonl"
    """The site's own rows, as it locked them; the salt lies beside them."""
    store: str = "store"
    """Folder with the base model; several are joined by `:`."""
    state: str = "state"
    """Folder that the node may write to: what a client keeps from round to round, and the log."""
    apps: str = "apps"
    """Folder of compiled benchmarks: what this site runs, and nothing else."""
    signers: str | None = None
    """OpenSSH's file of allowed signers: a compiled benchmark then needs the signature of one of them beside its lock;
    null: what lies in `apps` is allowed because it lies there."""
    sealed: bool = True
    """Whether the app runs in a sandbox without a network. False only where there is no bubblewrap."""
    secret_noise: bool = False
    """Whether noise of local privacy is drawn from this machine's own randomness, and not from the run's seed."""


class Node:
    """A site's folder with its settings."""

    def __init__(self, folder: Path, settings: NodeSettings) -> None:
        self.folder = folder.absolute()
        self.settings = settings

    def path(self, name: str) -> Path:
        """A path of the settings, absolute."""
        return self.folder / Path(name).expanduser()

    @property
    def stores(self) -> list[Path]:
        """Folders of the store, and ftbench's own."""
        own = [str(self.path(part)) for part in self.settings.store.split(":") if part]
        return Store.default(":".join(own)).roots


def read(folder: Path) -> Node:
    """The node of a site's folder. Raises InvalidInput (FTB518)."""
    path = folder / FILE
    try:
        return Node(folder, NodeSettings.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))))
    except OSError as error:
        hint = "give the folder that `ftbench site-kit join` made"
        raise InvalidInput(Diagnostic(codes.NODE_FOLDER, f"{error.strerror}", Place(str(path)), hint)) from error
    except ValidationError as error:
        found = [
            Diagnostic(codes.NODE_FOLDER, f"{'.'.join(map(str, one['loc']))}: {one['msg']}", Place(str(path)))
            for one in error.errors()
        ]
        raise InvalidInput(found) from error
    except ValueError as error:
        raise InvalidInput(Diagnostic(codes.NODE_FOLDER, f"this is no TOML: {error}", Place(str(path)))) from error
