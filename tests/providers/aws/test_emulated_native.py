"""An arc whose handler is a function in Node, on MiniStack: the documentation's example, with the real SDK, every role's policy
enforced, and its ends told by destinations."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from clusterless.providers.aws import iam, wiring
from clusterless.providers.aws.native import RUNTIMES
from clusterless.runtime.frozen import replace
from clusterless.runtime.layout import ArcKeys
from clusterless.runtime.records import Failed
from clusterless.runtime.spec import ArcSpec
from tests.house.pages import ROOT, blocks
from tests.providers.aws.deployed import HOME, Deployed
from tests.providers.aws.test_emulated import FIRST, RAW, arc, dataset, key
from tests.providers.aws.test_grants import without_one
from tests.support.engine import lacking
from tests.support.ministack import NODE, MiniStack

PAGE = ROOT / "docs" / "native-handlers.md"
GRANTS = """
import { createRequire } from "node:module";
import { GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { handler as shout } from "./shout.mjs";

const { GetSecretValueCommand, SecretsManagerClient } = createRequire(import.meta.url)("@aws-sdk/client-secrets-manager");
const s3 = new S3Client();
const place = (uri) => [new URL(uri).host, new URL(uri).pathname.slice(1)];

export async function handler(event) {
  const props = JSON.parse(event.CLS_ARC_PROPS_JSON);
  const [manifest] = JSON.parse(event.CLS_SOURCE_MANIFESTS).main;
  const [manifests, key] = place(manifest);
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: manifests, Key: key }));
  const [uri] = JSON.parse(await Body.transformToString()).uris;
  await shout(event);
  const secret = JSON.parse(event.CLS_SECRETS).word.replace("secretsmanager:", "");
  await new SecretsManagerClient().send(new GetSecretValueCommand({ SecretId: secret }));
  for (const folder of [manifest, uri, event.CLS_SINK_PATH, props.sourceManifestPaths.main.replace(/lot=.*/, "x")]) {
    const [bucket, path] = place(folder);
    await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: path.replace(/[^/]*$/, "") }));
  }
  const [bucket, path] = place(event.CLS_SINK_PATH);
  await s3.send(new GetObjectCommand({ Bucket: bucket, Key: `${path}${uri.split("/").pop()}` }));
}
"""
"""A handler that does all that its role may. Secrets Manager it asks by the emulator's own stub of the SDK's client."""
WORK = {"function": "index.handler", "runtime": "node22", "code": "shout", "workloadProps": {"mark": "!"}}
SHOUT = replace(arc("shout", dataset("raw"), "native", **WORK), attempts=2, timeout=20.0, lease=30.0, secrets=("word",))
NAMES = wiring.names_of(SHOUT, HOME)
CONFIG = wiring.function_config(SHOUT, HOME)
POISON = """
import { handler as shout } from "./shout.mjs";
import { read } from "./storage.mjs";

export async function handler(event) {
  for (const manifest of JSON.parse(event.CLS_SOURCE_MANIFESTS).main) {
    for (const uri of JSON.parse(await read(manifest)).uris) {
      if ((await read(uri)) === "poison") throw new TypeError("this lot is poison");
    }
  }
  await shout(event);
}
"""

if shutil.which("node") is None:
    pytest.skip("no node on PATH: handlers in JavaScript were not called", allow_module_level=True)


def example() -> dict[str, str]:
    """The files of the page's handler."""
    found = {Path(block.file).name: block.code for block in blocks(PAGE) if block.file.startswith("shout/")}
    assert sorted(found) == ["index.mjs", "storage.mjs"]
    return found


def deploy_handler(made: Deployed, spec: ArcSpec, files: dict[str, str]) -> None:
    """What the component of such an arc makes beside a function."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    policy = iam.handler_policy(CONFIG, NAMES.handler_log_group)
    made.roles.create_role(RoleName=NAMES.handler, AssumeRolePolicyDocument=json.dumps(iam.function_trust()))
    made.grant(NAMES.handler, policy)
    made.functions.create_function(
        FunctionName=NAMES.handler,
        Runtime=RUNTIMES[str(spec.workload["runtime"])],
        Handler=str(spec.workload["function"]),
        Code={"ZipFile": packed.getvalue()},
        Timeout=wiring.handler_timeout(spec),
        Role=HOME.arn("iam", f"role/{NAMES.handler}", regional=False),
    )
    end = {"Destination": NAMES.function_arn}
    made.functions.put_function_event_invoke_config(
        FunctionName=NAMES.handler, MaximumRetryAttempts=0, DestinationConfig={"OnSuccess": end, "OnFailure": end}
    )
    for place in CONFIG.secrets.values():
        made.cloud.client("secretsmanager").create_secret(Name=place.partition(":")[2], SecretString="x")
    made.until(lambda: made.functions.get_function_configuration(FunctionName=NAMES.handler)["State"] == "Active")


@pytest.fixture(scope="module")
def cloud() -> Iterator[MiniStack]:
    if not NODE.is_dir():
        lacking("emulators", "the SDK of Lambda's Node runtime is not set up: run 'make emulators'")
    with MiniStack(auth=True, LAMBDA_ASYNC_RETRY_BASE_SECONDS="0.2") as emulator:
        yield emulator


@pytest.fixture
def deployed(cloud: MiniStack, request: pytest.FixtureRequest) -> Iterator[Deployed]:
    """With the example, behind a handler of the test's own."""
    made, files = Deployed(cloud, RAW, SHOUT), example()
    deploy_handler(made, SHOUT, {**files, "shout.mjs": files["index.mjs"], "index.mjs": request.param})
    yield made
    cloud.reset()


@pytest.mark.parametrize("deployed", [POISON], indirect=True, ids=["poison"])
def test_a_lot_is_handed_to_the_handler_and_committed_when_it_has_ended(deployed: Deployed) -> None:
    for name in ("a", "b", "c"):
        deployed.put(key(0, name), name.encode())
    deployed.until(lambda: len(deployed.uris("shout")) == len(deployed.uris("raw")) == 3)
    bodies = [deployed.body("lake", uri.removeprefix("s3://lake/")) for uri in sorted(deployed.uris("shout"))]
    assert bodies == [b"A!", b"B!", b"C!"]
    assert deployed.overwritten() == []
    assert [deployed.dead(spec) for spec in deployed.specs] == [[], []]


@pytest.mark.parametrize("deployed", [POISON], indirect=True, ids=["poison"])
def test_a_handler_that_throws_is_called_once_more_and_then_lies_with_the_dead_letters(deployed: Deployed) -> None:
    deployed.put(key(1, "a"), b"poison")
    letter = deployed.first_dead(SHOUT)
    record = letter["requestPayload"]
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert json.loads(record["requestPayload"]["CLS_ATTEMPT"])["attempt"] == "2"
    name = ArcKeys(SHOUT.project, SHOUT.version, SHOUT.name).failed(FIRST.shift(1), 1, 2)
    failed = Failed.decode(deployed.body(HOME.state, name), name)
    assert "this lot is poison" in failed.cause
    assert deployed.uris("shout") == {}


@pytest.mark.full
@pytest.mark.parametrize("deployed", [GRANTS], indirect=True, ids=["grants"])
def test_without_any_one_grant_the_handler_fails(deployed: Deployed) -> None:
    whole = iam.handler_policy(CONFIG, NAMES.handler_log_group)
    number = iter(range(1000))
    assert succeeds(deployed, next(number))
    unused = []
    for what, policy in without_one(whole):
        deployed.grant(NAMES.handler, policy)
        if succeeds(deployed, next(number)):
            unused.append(what)
        deployed.grant(NAMES.handler, whole)
    assert unused == [f"lambda:InvokeFunction {NAMES.function}"]  # by which Lambda tells its end: not enforced there
    assert succeeds(deployed, next(number))


def succeeds(deployed: Deployed, number: int) -> bool:
    """Whether a lot is handed over, and once more with a straggler: in a later generation, whose manifest lies elsewhere."""
    keys, lot = ArcKeys(SHOUT.project, SHOUT.version, SHOUT.name), FIRST.shift(number)
    for generation, name in enumerate(("a", "b"), 1):
        deployed.put(key(number, name), name.encode())
        good, bad = keys.commit(lot, generation), keys.failed(lot, generation, 1)
        deployed.until(partial(_any_there, deployed, (good, bad)))
        if _any_there(deployed, (bad,)):
            return False
    return True


def _any_there(deployed: Deployed, keys: tuple[str, ...]) -> bool:
    return any(name in deployed.keys(HOME.state, name) for name in keys)
