"""What the engine says when it fails, in words that say what to do."""

from __future__ import annotations

import re
from dataclasses import replace

from clusterless.operations.deploying.steps import Failure, plain
from clusterless.operations.deploying.target import Target
from clusterless.runtime.errors import ClusterlessError, InvalidInput, StoreUnavailable

PASSPHRASE = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")
ADVICE = (
    # First: RequestLimitExceeded, of EC2, is no quota that has to be raised.
    (r"Throttl|TooManyRequests|RequestLimitExceeded|Rate ?[Ee]xceeded|SlowDown", "the cloud was asked too often: wait a little"),
    (
        r"quota|Limit ?Exceeded|limit exceeded|exceeds? the maximum number|TooManyBuckets|UnreservedConcurrentExecution",
        "a quota of the account is used up: have it raised, or remove what is not needed",
    ),
    (r"AccessDenied|not authorized to perform|\b403\b", "use credentials that may do this; docs/aws.md lists what it takes"),
    (
        r"BucketAlreadyExists|bucket name is not available",
        "the name belongs to somebody else, wherever they are: choose another",
    ),
    (
        r"AlreadyOwnedByYou",
        "it is yours already: say in the settings that it exists (existingBuckets), or take it over (adoptBuckets)",
    ),
    (
        r"AlreadyExists|already exists|ResourceConflict",
        "something of that name is there that this deployment has not made: remove it, or deploy under another name",
    ),
)
"""What clouds say, and what to do about it."""
_PREFIX = re.compile(r"^\s*((stdout|stderr|error):\s*)+")
_LOCK = re.compile(r"created by \S+ \(pid \d+\) at \S+")


class Interrupted(ClusterlessError):
    """Somebody asked to stop: what was begun is finished, the rest is not done."""


class Locked(ClusterlessError):
    """Somebody else deploys the same stack now, or ended without saying so."""


class Failed(ClusterlessError):
    """The engine could not do all of it; ``failures`` says what went wrong."""

    def __init__(self, what: str, failures: list[Failure], *, where: str = "", fix: str = "") -> None:
        super().__init__(what, where=where, fix=fix)
        self.failures = tuple(failures)


def advice(what: str) -> str:
    """What to do about what a cloud said; empty where that is not known."""
    return next((fix for pattern, fix in ADVICE if re.search(pattern, what)), "")


def explained(error: Exception, failures: list[Failure], target: Target) -> ClusterlessError:
    """What the engine said, in words that say what to do."""
    text = plain(str(error))
    if "currently locked" in text or "Another update is currently in progress" in text:
        lock = _LOCK.search(text)
        return Locked(
            f"it is being deployed already{f', by a process {lock[0]}' if lock else ''}",
            where=target.what,
            fix="wait for it to end; if it ended without removing its lock: cls deploy --recover",
        )
    if "incorrect passphrase" in text:
        return InvalidInput(
            "the state is encrypted with another passphrase", where=target.what, fix=f"set {PASSPHRASE[0]} to that one"
        )
    if "no resource plugin" in text or "could not find plugin" in text:
        line = next(it for it in text.splitlines() if "plugin" in it)
        return InvalidInput(line.strip(), fix="let Pulumi fetch it (it needs the network once), or: pulumi plugin install")
    if not failures:
        said = [line for line in text.splitlines() if "error:" in line]
        failures = [Failure("", "", _PREFIX.sub("", it)) for it in said] or [Failure("", "", text)]
    return Failed(
        f"{len(failures)} of its resources failed" if failures[0].type else failures[0].what,
        [replace(it, fix=advice(it.what)) for it in failures] if failures[0].type else [],
        where=target.what,
        fix="mend the cause and run it again: it goes on from there, and what is done stays",
    )


def unopened(error: Exception, backend: str) -> ClusterlessError:
    said = [_PREFIX.sub("", line) for line in plain(str(error)).splitlines() if "error:" in line]
    return StoreUnavailable(
        f"Pulumi cannot use its backend: {'; '.join(said) or error}",
        where=backend,
        fix="check the URL and that the credentials may read and write there; docs/aws.md lists what it takes",
    )
