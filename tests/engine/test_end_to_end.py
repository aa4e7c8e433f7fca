"""What the real engine deployed carries the example: a real log's files, from several writers, while events are lost and doubled.

The functions are the packaged archives, run under Lambda's own runtime client, each with what its generated policy grants and
nothing else. What comes out, Parquet and all, is held, lot by lot and byte by byte, against what the local provider makes of the
same files.
"""

from __future__ import annotations

import importlib
import json
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from clusterless.model.compile import compile_pipeline
from clusterless.providers.aws.names import ComponentNames, Home
from clusterless.providers.local import LocalRunner, ReplayClock
from clusterless.providers.local.place import PRIVATE, write_secret
from clusterless.runtime.layout import ManifestKey, parse_manifest_key
from tests.engine.keyed import keyed
from tests.support.engine import Project
from tests.support.ministack import ACCOUNT, PATCHES, QUEUE, REGION, TLS, MiniStack

HERE = Path(__file__).resolve().parent
BUCKET, SECRET = "lake-of-tests", "a key of the tests"
HOURS, WRITERS = 65, 4
PATIENCE = 600
"""Seconds within which everything comes out, on a machine that has other things to do."""
DATASETS = ("access-logs", "access-logs-clean", "access-logs-rejects", "usage", "errors", "summary", "daily")
ARCS = ("clean", "usage", "errors", "summary", "daily")
PARQUET = ("usage", "summary", "daily")
"""Arcs that need pyarrow."""
PROGRAM = """
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "examples" / "access_logs"))

import clusterless
from clusterless.providers.aws.package import HOST, archive
from keyed import keyed
from pipeline import pipeline


def for_this_machine(config, **options):
    # On AWS functions run on another processor, and on another Python.
    return archive(config, **{**options, "architecture": HOST, "python": ""})


clusterless.provision(keyed(pipeline), archive=for_this_machine)
"""
Lots = dict[str, dict[str, list[bytes]]]
"""Dataset → lot → contents of its objects, sorted; none of an empty lot."""


@pytest.fixture
def example(root: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Loads modules of the project's copy of the example, which know one another by their bare names."""
    folder = root.folder / "examples" / "access_logs"
    for module in folder.glob("*.py"):  # another test's of the same name
        monkeypatch.delitem(sys.modules, module.stem, raising=False)
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(folder))
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture
def cloud() -> Iterator[MiniStack]:
    """With every policy enforced."""
    with MiniStack((*PATCHES, QUEUE, TLS), auth=True) as emulator:
        yield emulator


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_the_example_comes_out_as_it_does_locally(
    root: Project, cloud: MiniStack, example: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    uploads = example("uploads")
    files = uploads.uploads(uploads.read_log(hours=HOURS))
    assert len(files) >= 500
    cloud.client("secretsmanager").create_secret(Name="address-key", SecretString=SECRET)
    shutil.copy(HERE / "keyed.py", root.folder)
    root.write(PROGRAM)
    root.configure(account=ACCOUNT, region=REGION, root=f"s3://{BUCKET}/")
    root.pulumi("config", "set", "--path", "clusterless:secrets.address-key", "secretsmanager:address-key")
    for arc in PARQUET:
        root.pulumi("config", "set", "--path", f"clusterless:components.{arc}.requirements[0]", f"pyarrow=={version('pyarrow')}")
    expected = locally(example, files, tmp_path / "local")
    assert [name for name, lots in expected.items() if not any(lots.values())] == ["access-logs-rejects"]
    assert len(expected["daily"]) == 4
    root.deploy("up")
    lake = Deployed(cloud)
    shuffled = random.Random(1).sample(files, len(files))

    lake.put(shuffled[:200])
    lake.switch("landing", on=False)
    lake.switch("usage", on=False)
    lake.put(shuffled[200:300])  # nobody hears of these
    lake.switch("landing", on=True)
    lake.put(shuffled[300:])
    lake.announce(shuffled[150:250])  # of these once more, or for the first time
    lake.switch("usage", on=True)
    lake.until(expected)

    assert lake.overwritten() == []
    assert lake.dead() == {}


class Deployed:
    """The pipeline where the engine put it."""

    def __init__(self, cloud: MiniStack) -> None:
        self.home = Home(ACCOUNT, REGION, "dev")
        self.names = {
            name: ComponentNames(self.home, "access-logs", "20150501-00", "boundary" if name == "landing" else "arc", name)
            for name in ("landing", *ARCS)
        }
        self.s3, self.functions, self.events = (cloud.client(service) for service in ("s3", "lambda", "events"))
        self.cloud = cloud
        self._read: dict[tuple[str, str], bytes] = {}

    def put(self, files: list[Any]) -> None:
        with ThreadPoolExecutor(WRITERS) as writers:
            list(writers.map(lambda file: self.s3.put_object(Bucket=BUCKET, Key=file.key, Body=file.data), files))

    def switch(self, component: str, *, on: bool) -> None:
        for rule in self.events.list_rules()["Rules"]:
            if f"-{component}-" in rule["Name"]:
                (self.events.enable_rule if on else self.events.disable_rule)(Name=rule["Name"])

    def announce(self, files: list[Any]) -> None:
        """The events of these files, by hand: as S3 would send them, and once more."""
        for file in files * 2:
            detail = {"bucket": {"name": BUCKET}, "object": {"key": file.key}}
            event = {"id": f"again {file.key}", "source": "aws.s3", "detail-type": "Object Created", "detail": detail}
            name = self.names["landing"].function
            self.functions.invoke(FunctionName=name, Payload=json.dumps(event).encode(), InvocationType="Event")

    def reconcile(self, *, wait: bool) -> None:
        """Let each component look for what no event has told. ``wait``: for its end, which comes soon where nothing is found."""
        event = json.dumps({"clusterless": "reconcile"}).encode()
        for component, names in self.names.items():
            kind = "RequestResponse" if wait else "Event"
            answer = self.functions.invoke(FunctionName=names.function, Payload=event, InvocationType=kind)
            assert "FunctionError" not in answer, f"{component}: {answer['Payload'].read()}"

    def until(self, expected: Lots) -> None:
        """Wait for what is expected to come out; whenever nothing comes any more, look for what no event has told. To look once
        more changes nothing."""
        end, pause, before = time.monotonic() + PATIENCE, 1.0, [""]
        while True:
            now = self.everything()
            if now == before and (found := self.lots()) == expected:
                break
            assert time.monotonic() < end, f"{difference(expected, self.lots())}\n{self.cloud.said()[-3000:]}"
            if now == before:
                self.reconcile(wait=False)
            else:
                pause = 1.0
            time.sleep(pause)
            before, pause = now, min(2 * pause, 5)
        self.reconcile(wait=True)
        assert self.lots() == found

    def everything(self) -> list[str]:
        """All keys of the protocol."""
        return sorted(self.keys(self.home.state) + self.keys(self.home.manifests))

    def keys(self, bucket: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def read(self, bucket: str, key: str) -> bytes:
        """An object; none of those that are read here ever changes."""
        if (bucket, key) not in self._read:
            self._read[bucket, key] = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return self._read[bucket, key]

    def lots(self) -> Lots:
        manifests = self.home.manifests
        return contents(
            self.keys(manifests),
            lambda key: self.read(manifests, key),
            lambda uri: self.read(BUCKET, uri.removeprefix(f"s3://{BUCKET}/")),
        )

    def dead(self) -> dict[str, str]:
        """Messages among the dead letters, by component: one of each."""
        queues, found = self.cloud.client("sqs"), {}
        for component, names in self.names.items():
            url = queues.get_queue_url(QueueName=names.dead_letters)["QueueUrl"]
            for message in queues.receive_message(QueueUrl=url).get("Messages", []):
                found[component] = message["Body"]
        return found

    def overwritten(self) -> list[str]:
        """Keys of the protocol that were written more than once."""
        pages = [
            page
            for bucket in (self.home.state, self.home.manifests)
            for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
        ]
        keys = [it["Key"] for page in pages for it in (*page.get("Versions", []), *page.get("DeleteMarkers", []))]
        return sorted({key for key in keys if keys.count(key) > 1})


def contents(keys: list[str], manifest: Callable[[str], bytes], read: Callable[[str], bytes]) -> Lots:
    """What lies in the newest generation of each lot; nothing in one that is empty."""
    newest: dict[tuple[str, str], ManifestKey] = {}
    for key in keys:
        parsed = parse_manifest_key(key)
        if parsed and parsed.lot and parsed.state in ("complete", "empty"):
            place = (parsed.dataset, parsed.lot)
            newest[place] = max(parsed, newest.get(place, parsed), key=lambda it: it.generation)
    lots: Lots = {name: {} for name in DATASETS}
    for (dataset, lot), parsed in newest.items():
        uris = json.loads(manifest(parsed.key))["uris"] if parsed.state == "complete" else []
        lots[dataset][lot] = sorted(map(read, uris))
    return lots


def difference(expected: Lots, found: Lots) -> str:
    """Where what came out is not what was expected."""
    told = []
    for name, lots in expected.items():
        wrong = [lot for lot in sorted({*lots, *found[name]}) if lots.get(lot) != found[name].get(lot)]
        told.append(f"{name}: {len(lots)} lots expected, {len(wrong)} not as expected {wrong[:5]}")
    return "\n".join(told)


def locally(example: Callable[[str], ModuleType], files: list[Any], folder: Path) -> Lots:
    """What the local provider makes of the same files."""
    write_secret(folder / PRIVATE / "secrets" / "address-key", SECRET)
    pipeline = example("pipeline")
    spec = compile_pipeline(keyed(pipeline.pipeline), folder=Path(str(pipeline.__file__)).parent)
    with LocalRunner(spec, root=folder, clock=ReplayClock(files[0].modified), workers=2) as runner:
        for file in files:
            runner.advance(file.modified)
            runner.drop(file.key, file.data, modified=file.modified)
        runner.advance(files[-1].modified + 86_400)
        assert runner.drain().ok
        place = runner.place
        found = [entry.key for entry in place.manifests.list("")]
        return contents(
            found, lambda key: place.manifests.get(key) or b"", lambda uri: (folder / place.locate(uri)[1]).read_bytes()
        )
