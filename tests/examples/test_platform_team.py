"""A package of somebody else's: built, put beside ours, and found by its entry points alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterless import Dataset, Pipeline, aws, local
from clusterless.arcs import CopyArc
from clusterless.boundaries import PutBoundary
from clusterless.model import kinds
from clusterless.model.problems import ProjectErrors
from clusterless.model.verify import verify
from clusterless.providers.aws import provider as of_aws
from clusterless.providers.aws.config import FILE, FunctionConfig
from clusterless.providers.local.provider import provider as of_folders
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.spec import ArcSpec
from tests.providers.aws.declared import ACCOUNT, REGION, deployed, statements
from tests.support.platform_team import built
from tests.support.pulumi import Graph

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234"
BUCKET = "acme-partner-feed"
ORDERS = Dataset("orders", "1", "s3://lake/orders/")
FEED = Dataset("partner-feed", "1", f"s3://{BUCKET}/")
PIPELINE = """
from acme_exports import EncryptedExport
from clusterless import Dataset, Pipeline, local
from clusterless.boundaries import PutBoundary

orders = Dataset("orders", "1", "orders/")
feed = Dataset("partner-feed", "1", "s3://acme-partner-feed/")
pipeline = Pipeline("shop", "1", placement=local("./lake"), components=[
    PutBoundary("landing", into=orders, every="5m"),
    EncryptedExport("export", reads=orders, writes=feed),
])
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("platform"))


def forget() -> None:
    """What is remembered of entry points."""
    for remembered in (kinds._registered, kinds.kind, of_aws.components):
        remembered.cache_clear()


@pytest.fixture
def installed(package: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(package))
    forget()
    yield
    forget()
    for name in [it for it in sys.modules if it.partition(".")[0] == "acme_exports"]:
        del sys.modules[name]


def export(name: str = "export", *, reads: Dataset = ORDERS, writes: Dataset = FEED, **options: Any) -> Any:
    from acme_exports import EncryptedExport

    return EncryptedExport(name, reads=reads, writes=writes, **options)


def shop(*arcs: Any, **place: Any) -> Pipeline:
    placement = local("./lake") if place.get("local") else aws(ACCOUNT, REGION, stage="dev")
    return Pipeline("shop", "1", placement=placement, components=[PutBoundary("landing", into=ORDERS, every="5m"), *arcs])


def graph(pipeline: Pipeline, *, preview: bool = False, key: str = KEY, config: dict[str, str] | None = None) -> Graph:
    return deployed(pipeline, preview=preview, config=config, more={"acme:exportKey": key} if key else {})


@pytest.mark.usefixtures("installed")
def test_it_is_read_from_a_project_file_and_verified_for_both_providers() -> None:
    made = shop(export())
    assert Pipeline.from_json(made.to_json()) == made
    assert json.loads(made.to_json())["arcs"][0]["type"] == "acme:exports:encryptedExport"
    assert verify(made, of_aws.capabilities()) == []
    told = verify(shop(export(), local=True), of_folders.capabilities)
    assert {(it.severity, it.code) for it in told} == {("warning", "bucket")}, "a bucket is a folder there"


def test_without_the_package_its_name_is_unknown(tmp_path: Path) -> None:
    document = {"project": {"name": "shop", "version": "1"}, "arcs": [{"type": "acme:exports:encryptedExport", "name": "export"}]}
    with pytest.raises(InvalidInput, match="unknown type 'acme:exports:encryptedExport'"):
        Pipeline.from_json(json.dumps(document))


@pytest.mark.usefixtures("installed")
def test_an_export_into_the_lake_is_refused_where_it_is_declared() -> None:
    with pytest.raises(ProjectErrors, match=r"in a bucket of its own; this one writes feeds/.*s3://acme-partner-feed/"):
        export(writes=Dataset("partner-feed", "1", "feeds/"))


def test_a_user_declares_it_in_a_line_and_runs_it_in_a_folder(package: Path, tmp_path: Path) -> None:
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    arrived = tmp_path / "lake" / "orders"
    arrived.mkdir(parents=True)
    (arrived / "1.csv").write_text("a,b\n")
    environment = {**os.environ, "PYTHONPATH": str(package)}
    command = [sys.executable, "-m", "clusterless.cli", "local", "run"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "lake" / BUCKET / "1.csv").read_text() == "a,b\n"


@pytest.mark.usefixtures("installed")
class TestOnAws:
    def test_it_is_a_component_like_ours_with_a_bucket_of_its_own(self) -> None:
        made = graph(shop(export()))
        component = made.one("shop-export")
        assert (component.token, component.parent) == ("EncryptedExport", made.one("shop").urn)
        assert made.one("shop-export-bucket").parent == component.urn
        assert made.one("shop-export-bucket-bucket").inputs["bucket"] == BUCKET
        config = FunctionConfig.from_json(made.one("shop-export-function").inputs["code"].assets[FILE].text)
        assert isinstance(config.spec, ArcSpec)
        assert config.spec.workload["kind"] == "copy"

    def test_is_shown_by_a_preview_as_it_is_deployed(self) -> None:
        shown, made = graph(shop(export()), preview=True), graph(shop(export()))
        assert set(shown.nodes) == set(made.nodes)
        assert shown.one("shop-export-key-policy").inputs["policy"] == made.one("shop-export-key-policy").inputs["policy"]

    def test_its_bucket_is_encrypted_with_the_platform_s_key_and_others_are_not(self) -> None:
        made = graph(shop(export()))
        keys = {
            node.name: node.inputs["rules"][0]["applyServerSideEncryptionByDefault"].get("kmsMasterKeyId")
            for node in made.of("BucketServerSideEncryptionConfiguration")
        }
        assert {name for name, key in keys.items() if key == KEY} == {"shop-export-bucket-bucket-encryption"}
        assert len(keys) == 1 + 3

    def test_its_function_may_use_the_key_for_that_bucket_alone(self) -> None:
        made = graph(shop(export()))
        (granted,) = statements(made.one("shop-export-key-policy"), "kms:GenerateDataKey")
        assert granted["Resource"] == KEY
        assert granted["Condition"]["StringEquals"] == {
            "kms:ViaService": f"s3.{REGION}.amazonaws.com",
            "kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{BUCKET}",
        }
        holders = [node.name for node in made.of("RolePolicy") if KEY in node.inputs["policy"]]
        assert holders == ["shop-export-key-policy"]

    def test_nothing_starts_it_before_all_that_is_there(self) -> None:
        made = graph(shop(export()))
        target = made.one("shop-export-rule-target")
        for what in ("bucket-bucket-encryption", "bucket-bucket-access", "bucket-bucket-policy", "key-policy"):
            assert made.depends(target, made.one(f"shop-export-{what}")), what

    def test_everything_of_it_is_tagged_and_nothing_else(self) -> None:
        copy = CopyArc("copy", reads=ORDERS, writes=Dataset("copied", "1", "s3://lake/copied/"))
        made = graph(shop(export(classification="internal"), copy))
        tagged = {it.name: it.inputs["tags"].get("acme:classification") for it in made if it.inputs.get("tags")}
        assert {name for name, value in tagged.items() if value == "internal"} == {
            name for name in tagged if name.startswith("shop-export-")
        }

    @pytest.mark.parametrize(("asked", "given"), [(None, 2), (1, 1), (50, 2)])
    def test_its_budget_can_be_narrowed_and_not_widened(self, asked: int | None, given: int) -> None:
        settings = {"components": json.dumps({"export": {"concurrency": asked, "memory": 4096}})} if asked else {}
        function = graph(shop(export()), config=settings).one("shop-export-function").inputs
        assert (function["reservedConcurrentExecutions"], function["memorySize"], function["timeout"]) == (given, 1024, 360)

    @pytest.mark.parametrize("key", ["", "1234", f"arn:aws:iam::{ACCOUNT}:role/r"])
    def test_without_a_key_it_is_refused(self, key: str) -> None:
        with pytest.raises(InvalidInput, match="exports are encrypted") as told:
            graph(shop(export()), key=key)
        assert (told.value.where, "pulumi config set" in told.value.fix) == ("acme:exportKey", True)
