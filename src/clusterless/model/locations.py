"""Where data lies, in one normal form: a prefix that ends in ``/``.

Local paths are relative to the placement's root, so a lake can be moved. The URI of any cloud's bucket works there too, and is a
folder of the same name: ``s3://lake/raw/`` is ``lake/raw/``. So a project that was written for a cloud runs on a disk as it is,
on data that was put there; no bucket is touched, and verification says so. A cloud needs the full URI, in its own scheme.
"""

from __future__ import annotations

import re

from clusterless.runtime.errors import InvalidInput

SCHEMES = {"aws": "s3", "gcp": "gs", "azure": "az"}
"""The scheme of each cloud's buckets (containers)."""
TABLE = "glue"
"""The scheme of a table of the Glue catalogue, which holds no objects itself."""
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.DOTALL)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f{}\\]")


def location(path: str, provider: str) -> str:
    """``path`` in its normal form for ``provider``. Raises :class:`InvalidInput` for what cannot hold data there."""
    if unsafe := _UNSAFE.search(path):
        raise InvalidInput(
            f"the path {path!r} holds {unsafe[0]!r}", fix="paths hold no control characters, braces or backslashes"
        )
    match = _SCHEME.fullmatch(path)
    if not match and (written := _SCHEME.fullmatch(path.lower())):
        raise InvalidInput(f"the path {path!r} has a scheme in capitals", fix=f"write {written[1]}://")
    if provider == "local":
        return _local(path, match)
    ours = SCHEMES.get(provider, "scheme")
    if not match:
        raise InvalidInput(
            f"the path {path!r} is relative, and {provider} does not know to what",
            fix=f"give the full URI: {ours}://bucket/{path.lstrip('/')}",
        )
    if provider in SCHEMES and match[1] not in (ours, TABLE):
        raise InvalidInput(
            f"the path {path!r} leads to none of {provider}'s buckets", fix=f"write {ours}://{match[2] or 'bucket/'}"
        )
    host, _, key = match[2].partition("/")
    if not host and is_data(path):
        raise InvalidInput(f"the path {path!r} names no bucket", fix=f"{match[1]}://bucket/{key}")
    return f"{match[1]}://{host}/{_folders(key, path)}"


def _local(path: str, match: re.Match[str] | None) -> str:
    if path.startswith(("/", "~")) or (match and match[1] == "file"):
        raise InvalidInput(
            f"the path {path!r} leads out of the placement's root", fix="make it relative to the root; link other folders into it"
        )
    if match and match[1] not in (*SCHEMES.values(), TABLE):
        raise InvalidInput(f"no folder stands for the path {path!r}", fix=f"write one below the root: {match[2] or 'raw/'}")
    inside = _folders(match[2] if match else path, path)
    if not inside:
        raise InvalidInput(f"the path {path!r} is the placement's root itself", fix="use a folder below it")
    return inside


def _folders(text: str, path: str) -> str:
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise InvalidInput(f"the path {path!r} holds '..'", fix="write where it leads")
    return "".join(f"{part}/" for part in parts)


def names_bucket(path: str) -> bool:
    """Whether a path is the URI of a cloud's bucket."""
    return path.startswith(tuple(f"{scheme}://" for scheme in SCHEMES.values()))


def is_data(path: str) -> bool:
    """Whether objects lie at a path or location; a table's holds none."""
    return not path.startswith(f"{TABLE}://")
