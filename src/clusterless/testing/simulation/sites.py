"""Names of the places in the protocol that call a store, from the key they call it with."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=65_536)
def site_of(store: str, call: str, key: str) -> str:
    """The call site: who calls what on which kind of key, for example ``boundary seal create``."""
    if store == "data":
        return f"data {call}"
    if store == "manifests":
        return f"{_manifest(key)} {call}"
    if key.startswith("arcs/"):
        return f"arc marker {call}"
    owner = "boundary" if "/boundary=" in key else "arc"
    return f"{owner} {_protocol(key)} {call}"


def _manifest(key: str) -> str:
    if key.startswith("replays/"):
        return "manifest of a replay" if key.endswith(".json") else "replays"
    if "/state=partial/" in key:
        return "partial manifest"
    return "manifest" if key.endswith(".json") else "manifests"


def _protocol(key: str) -> str:
    parts = key.split("/")
    last = parts[-1]
    if "/arrivals/" in key:
        return "arrival" if last else "arrivals"
    if "/late/" in key:
        return "late"
    if last.endswith(".json"):
        return last.removesuffix(".json").partition("=")[0]
    return "lot" if "/lot=" in key else "lots"


def subject_of(key: str, subject: tuple[str, str]) -> tuple[str, str]:
    """The component and lot that a key of the state bucket, or an alarm of the calling component, belongs to."""
    parts = key.split("/")
    if len(parts) < 5:
        name = key.partition("@")[0].rpartition("-")
        return (subject[0], name[0] or name[2]) if key and "=" not in key else subject
    lot = next((part[4:] for part in parts if part.startswith("lot=")), "")
    return (parts[3], lot) if lot and parts[0] in ("lots", "arcs") else subject
