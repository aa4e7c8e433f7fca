"""Write down in the metadata bucket what a pipeline is, so that reports find it without its file.

The records describe the newest declaration, so a changed one replaces the old. A store creates and deletes but never
overwrites; as nothing here is part of a protocol, deleting and creating anew will do, and who reads in between sees no record.

What contradicts them is refused: :func:`clusterless.model.registered.check_registered`.
"""

from __future__ import annotations

import json
from typing import Any

from clusterless.model.metadata import records_of
from clusterless.model.pipeline import Pipeline
from clusterless.model.registered import check_registered
from clusterless.runtime.site import certain
from clusterless.runtime.store import Created, Store


def register(pipeline: Pipeline, metadata: Store, base: str = "") -> list[str]:
    """Register a pipeline; the keys that were written anew. ``base``: URI prefix of the bucket, for the list of materials."""
    documents = records_of(pipeline, base)
    check_registered(metadata, pipeline)
    return [key for key, document in documents.items() if _put(metadata, key, _encode(document))]


def _encode(document: Any) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _put(metadata: Store, key: str, body: bytes) -> bool:
    """Have ``key`` hold ``body``; whether that took a change."""
    outcome = certain(metadata.create(key, body), key)
    if outcome is Created.OTHER:
        metadata.delete(key)
        certain(metadata.create(key, body), key)
    return outcome is not Created.MINE
