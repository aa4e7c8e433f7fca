"""A placement as the original Clusterless leaves it: keys and documents of its three buckets, by kind of bucket.

Nothing of ours writes it: it is spelt out from its formats, so that what reads it is held against them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ACCOUNT, REGION, STAGE = "086903124729", "us-east-2", "dev"
LOTS = [f"20230227PT5M{number:03}" for number in (285, 286, 287)]
PROJECT = Path(__file__).resolve().parents[1] / "vectors" / "projects" / "s3-simple.json"


def bucket(kind: str, account: str = ACCOUNT, region: str = REGION) -> str:
    return f"{STAGE}-clusterless-{kind}-{account}-{region}"


def tree(data: str = "s3://bucket/", account: str = ACCOUNT, region: str = REGION) -> dict[str, dict[str, bytes]]:
    """Bucket → key → body. Of three lots, the first went through, the second was empty, and the third failed in the arc.
    ``data``: the URI prefix that the project's data lies below."""
    project = json.loads(PROJECT.read_text().replace("s3://clusterless-simple-test-086903124729-us-east-2/", data))
    name, version = project["project"]["name"], project["project"]["version"]
    boundary, [arc] = project["boundaries"][0]["dataset"], project["arcs"]
    sink = arc["sinks"]["main"]
    metadata: dict[str, Any] = {
        "metadata.json": {"createDateTime": "2023-02-27T00:00:00.000Z", "exports": {}, "version": "1"},
        f"projects/name={name}/version={version}/project.json": project,
        f"arcs/project={name}/version={version}/arc={arc['name']}/arc.json": arc,
    }
    for dataset in (boundary, sink):
        key = f"datasets/name={dataset['name']}/version={dataset['version']}/dataset.json"
        of = {"name": dataset["name"], "version": dataset["version"], "pathURI": dataset["pathURI"]}
        metadata[key] = {"owner": {"name": name, "version": version}, "dataset": of}
    base = f"s3://{bucket('metadata', account, region)}/"
    metadata[f"materials/name={name}/version={version}/materials.json"] = [base + key for key in metadata if "/" in key]

    manifests = {
        _manifest(boundary, LOTS[0], "complete"): _document(boundary, LOTS[0], "complete", "a b.txt"),
        _manifest(boundary, LOTS[1], "empty"): _document(boundary, LOTS[1], "empty"),
        _manifest(boundary, LOTS[2], "complete"): _document(boundary, LOTS[2], "complete", "c.txt"),
        _manifest(sink, LOTS[0], "complete"): _document(sink, LOTS[0], "complete", "a b.txt"),
        _manifest(sink, LOTS[1], "empty"): _document(sink, LOTS[1], "empty"),
        _manifest(sink, LOTS[2], "partial", "attempt=8f9d-0/"): _document(sink, LOTS[2], "partial", comment="copied 0 of 1"),
    }
    states = {LOTS[0]: ("complete", b""), LOTS[1]: ("complete", b""), LOTS[2]: ("partial", b'{"Error":"E","Cause":"{}"}\n')}
    folder = f"arcs/project={name}/version={version}/arc={arc['name']}"
    return {
        bucket("metadata", account, region): {key: _encoded(document) for key, document in metadata.items()},
        bucket("manifest", account, region): {key: _encoded(document) for key, document in manifests.items()},
        bucket("arc-state", account, region): {f"{folder}/lot={lot}/{state}.arc": body for lot, (state, body) in states.items()},
    }


def _manifest(dataset: dict[str, str], lot: str, state: str, attempt: str = "") -> str:
    return f"datasets/name={dataset['name']}/version={dataset['version']}/lot={lot}/state={state}/{attempt}manifest.json"


def _document(dataset: dict[str, str], lot: str, state: str, *names: str, comment: str | None = None) -> dict[str, Any]:
    uris = [dataset["pathURI"] + name.replace(" ", "%20") for name in names]
    return {"state": state, "comment": comment, "lotId": lot, "uriType": "identifier", "uris": uris}


def _encoded(document: Any) -> bytes:
    return json.dumps(document).encode()
