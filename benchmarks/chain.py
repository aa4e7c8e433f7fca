"""From events to manifests on the emulator: through rules, functions and alarms, each role's policy held.

When a manifest was created is read off the message that a rule of ours has sent for it, so that waiting takes no part in it.
"""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks.figures import Figure, Section
from benchmarks.measuring import SubjectFailed
from clusterless.providers.aws import wiring
from clusterless.runtime.layout import ManifestKey, parse_manifest_key
from clusterless.runtime.lots import parse_lot
from clusterless.runtime.manifest import Manifest, ManifestState, encode
from clusterless.runtime.spec import ArcSpec, BoundarySpec, DatasetSpec, ProducerSpec, SourceSpec
from tests.providers.aws.deployed import HOME, Deployed
from tests.support.ministack import PATCHES, QUEUE, MiniStack

LAKE, QUEUE_NAME = "lake", "manifests-of-benchmarks"
FIRST = parse_lot("20150517PT5M000")
WRITERS, EACH = 4, 5
"""Threads that put objects, and objects of a lot."""
PATIENCE = 60.0
"""Seconds without any news."""


def _dataset(name: str) -> DatasetSpec:
    return DatasetSpec(name, "1", f"s3://{LAKE}/{name}/")


LANDING = BoundarySpec(
    "p", "1", "landing", _dataset("raw"), "PT5M",
    lot_from="key", key_pattern=r"(?P<lot>\d{8}PT5M\d{3})", frequent=False, grace=0,
)  # fmt: skip
COPY = ArcSpec(
    "p", "1", "copy",
    {"main": SourceSpec(_dataset("raw"), "PT5M", producer=ProducerSpec("boundary", "p", "1", "landing"))},
    {"main": _dataset("copied")},
    {"kind": "copy"},
)  # fmt: skip
AGAIN = ArcSpec(
    "p", "1", "again",
    {"main": SourceSpec(_dataset("copied"), "PT5M", producer=ProducerSpec("arc", "p", "1", "copy"))},
    {"main": _dataset("again")},
    {"kind": "copy"},
)  # fmt: skip


class Told:
    """What a rule tells of manifests: a queue that every manifest's creation is sent to."""

    def __init__(self, deployed: Deployed) -> None:
        self._deployed, self._queues = deployed, deployed.queues
        self._url = self._queues.create_queue(QueueName=QUEUE_NAME)["QueueUrl"]
        arn = HOME.arn("sqs", QUEUE_NAME)
        detail = {"bucket": {"name": [HOME.manifests]}}
        pattern = wiring.compact({"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": detail})
        deployed.events.put_rule(Name=QUEUE_NAME, EventPattern=pattern)
        deployed.events.put_targets(Rule=QUEUE_NAME, Targets=[{"Id": "queue", "Arn": arn}])

    def manifests(self) -> Iterator[tuple[float, ManifestKey]]:
        """When each was created, in seconds since the epoch, and its key; raises if none is for a long time."""
        since = time.monotonic()
        while time.monotonic() < since + PATIENCE:
            answer = self._queues.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=10, WaitTimeSeconds=1, AttributeNames=["SentTimestamp"]
            )
            for message in answer.get("Messages", []):
                self._queues.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
                key = parse_manifest_key(json.loads(message["Body"])["detail"]["object"]["key"])
                if key is not None:
                    since = time.monotonic()
                    yield int(message["Attributes"]["SentTimestamp"]) / 1000, key
        raise SubjectFailed(f"no manifest for {PATIENCE:g} s: {self._deployed.cloud.said()[-3000:]}")


def sections(quick: bool, say: Callable[[str], None]) -> list[Section]:
    hops, lots = (5, 10) if quick else (50, 100)
    with MiniStack((*PATCHES, QUEUE), auth=True) as cloud:
        say("from event to manifest")
        deployed = Deployed(cloud, COPY, AGAIN)
        alone = _hops(deployed, Told(deployed), hops)
        cloud.reset()
        say("from objects to manifests")
        deployed = Deployed(cloud, LANDING, COPY, AGAIN)
        flowing = _flow(deployed, Told(deployed), lots)
    remark = (
        f"Functions have the emulator's four environments and this machine's processors to share. A lot's alarm is armed for a "
        f"whole second, two or more after its first object: that is waited for. {_objects(lots)} come from {WRITERS} threads."
    )
    return [Section("From events to manifests, on the emulator", (*alone, *flowing), remark)]


def _objects(lots: int) -> str:
    return f"{lots * EACH} objects of {lots} lots"


def _hops(deployed: Deployed, told: Told, hops: int) -> tuple[Figure, ...]:
    """One lot at a time, through two arcs in a row: each from the manifest before to its own."""
    first, second = [], []
    news = told.manifests()
    deployed.put("raw/one", b"x" * 1000)
    for number in range(hops + 2):  # the first starts cold
        lot = str(FIRST.shift(number))
        manifest = encode(Manifest(ManifestState.COMPLETE, lot, (f"s3://{LAKE}/raw/one",)))
        key = ManifestKey("raw", "1", lot, "complete").key
        deployed.s3.put_object(Bucket=HOME.manifests, Key=key, Body=manifest)
        at = {key.dataset: at for at, key in itertools.islice(news, 3)}
        first.append((at["copied"] - at["raw"]) * 1000)
        second.append((at["again"] - at["copied"]) * 1000)
    return (
        Figure("a lot at rest: from a manifest to the next arc's", tuple(first[2:]), "ms"),
        Figure("  and from that to the one after", tuple(second[2:]), "ms"),
    )


def _flow(deployed: Deployed, told: Told, lots: int) -> tuple[Figure, ...]:
    """All lots at once, from objects to the second arc."""
    keys = [f"raw/{FIRST.shift(lot)}/{number}" for number in range(EACH) for lot in range(lots)]
    with ThreadPoolExecutor(WRITERS) as writers:
        began = time.time()
        list(writers.map(lambda key: deployed.put(key, b"x" * 1000), keys))
        put = time.time()
    last = _until(deployed, told, "again", len(keys)) - put
    made = Counter(deployed.uris("again"))
    if len(made) != len(keys) or set(made.values()) != {1} or deployed.overwritten():
        raise SubjectFailed(f"{len(made)} of {len(keys)} objects came out: {made.most_common(3)}")
    return (
        Figure(f"{_objects(lots)}, two arcs: from the last put to the last manifest", (last,), "s"),
        Figure("  lots from the first put on", (lots / (put + last - began),), "lots/s"),
        Figure("  objects put", (len(keys) / (put - began),), "objects/s"),
    )


def _until(deployed: Deployed, told: Told, dataset: str, objects: int) -> float:
    """When the newest manifests of a dataset name that many objects."""
    newest: dict[str, ManifestKey] = {}
    count: dict[str, int] = {}
    for at, key in told.manifests():
        if key.dataset == dataset and key.lot and key.state == "complete":
            newest[key.lot] = max(key, newest.get(key.lot, key), key=lambda it: it.generation)
            count[key.lot] = len(json.loads(deployed.body(HOME.manifests, newest[key.lot].key))["uris"])
            if sum(count.values()) == objects:
                return at
    raise AssertionError("the queue's manifests have no end")
