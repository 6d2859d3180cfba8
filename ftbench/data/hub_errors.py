"""What goes wrong with the hub, as diagnostics: which errors may pass by themselves, and how long to wait for them."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from ftbench import codes
from ftbench.diagnostics import Diagnostic
from ftbench.errors import MissingResource

LONGEST_WAIT = 120.0
"""Most seconds waited before another try, whatever the hub asks for."""

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What a system says when a file does not fit: no space, no quota, file too large."""

GATED_HINT = "accept the conditions on the repository's page, then set HF_TOKEN to a token of that account"


@dataclass(frozen=True, slots=True)
class Retry:
    """Another try may help."""

    seconds: float
    why: str
    error: MissingResource
    """What to raise if it was the last one."""


def translate(  # noqa: PLR0911 - one return for each kind of error
    error: Exception, what: str, attempt: int, token: bool
) -> MissingResource | Retry:
    """What an error of `huggingface_hub` means for the person who asked for `what`. Others come back as a failure of
    the hub (FTB345) with their name."""
    import httpx2
    from huggingface_hub import errors

    if isinstance(error, errors.LocalEntryNotFoundError):  # how a download hides the true reason
        if isinstance(error.__cause__, Exception):
            return translate(error.__cause__, what, attempt, token)
        return _missing(codes.UNREACHABLE, f"{what}: {_short(error)}", _OFFLINE_HINT)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return _missing(codes.UNREACHABLE, f"{what}: HF_HUB_OFFLINE forbids to ask", "unset HF_HUB_OFFLINE")
    if isinstance(error, errors.HfHubHTTPError):
        return _answered(error, what, attempt, token)
    if isinstance(error, errors.EntryNotFoundError):
        return _missing(codes.NO_FILE, f"{what} is not there", "")
    if isinstance(error, errors.FileMetadataError):
        return _missing(codes.HUB_FAILED, f"{what}: {_short(error)}", "look at HF_ENDPOINT and proxies")
    if isinstance(error, httpx2.TransportError):
        failure = _missing(codes.UNREACHABLE, f"{what} could not be reached: {_short(error)}", _OFFLINE_HINT)
        return Retry(wait(attempt), f"no connection ({type(error).__name__})", failure)
    if isinstance(error, OSError) and error.errno in FULL:
        message = f"{what}: {error.strerror}: nothing of it was kept"
        return _missing(codes.NO_ROOM, message, "make room, or name a store on another disk: --store DIR")
    if isinstance(error, OSError) and error.errno is not None:
        hint = "name a store that you may write to: --store DIR"
        return _missing(codes.NOT_WRITABLE, f"{what}: {error.strerror}: {error.filename or ''}", hint)
    if isinstance(error, OSError):  # a file that came short
        failure = _missing(codes.OTHER_FILE, f"{what}: {_short(error)}", "try again")
        return Retry(wait(attempt), "a file came incomplete", failure)
    return _missing(codes.HUB_FAILED, f"{what}: {type(error).__name__}: {_short(error)}", "try again later")


_OFFLINE_HINT = "check the connection, HF_ENDPOINT and proxies; what was there before is unchanged"


def _answered(error: Exception, what: str, attempt: int, token: bool) -> MissingResource | Retry:
    from huggingface_hub import errors

    assert isinstance(error, errors.HfHubHTTPError)
    status = error.response.status_code
    if isinstance(error, errors.GatedRepoError):
        whose = "the account of HF_TOKEN has not accepted its conditions" if token else "there is no HF_TOKEN"
        return _missing(codes.GATED, f"{what} is gated, and {whose}", GATED_HINT)
    if isinstance(error, errors.RevisionNotFoundError):
        hint = "the owner may have rewritten the repository; what is pinned is then only in the stores that have it"
        return _missing(codes.NO_REVISION, f"{what}: there is no such commit", hint)
    if isinstance(error, errors.EntryNotFoundError):
        return _missing(codes.NO_FILE, f"{what} is not there", "")
    if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 403):
        hint = "check the name; if it is private or gated, set HF_TOKEN to a token that may read it"
        return _missing(codes.NO_REPOSITORY, f"{what} is not on the hub, or not for you (HTTP {status})", hint)
    if status == 429:
        failure = _missing(codes.RATE_LIMITED, f"{what}: too many requests", "wait, or set HF_TOKEN for a higher limit")
        return Retry(wait(attempt, error.response.headers.get("Retry-After")), "the hub asks to wait", failure)
    failure = _missing(codes.HUB_FAILED, f"{what}: the hub answered HTTP {status}", "try again later")
    return Retry(wait(attempt), f"the hub answered HTTP {status}", failure) if status >= 500 else failure


def wait(attempt: int, asked: str | None = None) -> float:
    """Seconds before the next try: what the hub asked for (in seconds), else 1, 2, 4, …; at most LONGEST_WAIT."""
    if asked is not None and asked.isascii() and asked.isdigit():
        return min(float(asked), LONGEST_WAIT)
    return min(2.0 ** (attempt - 1), LONGEST_WAIT)


def _missing(code: str, message: str, hint: str) -> MissingResource:
    return MissingResource(Diagnostic(code, message, hint=hint))


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
