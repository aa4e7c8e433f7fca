"""A program in YAML that deploys a pipeline through our plugin, as the example in `examples/yaml_program` is."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import ROOT, Project, Tools, lacking
from tests.support.ministack import ACCOUNT, REGION, MiniStack
from tests.support.platform_team import built

EXAMPLE = ROOT / "examples" / "yaml_program"
FILE = "${pulumi.cwd}/project.json"
PIPELINE = f"""
from acme_exports import EncryptedExport
from clusterless import Dataset, Pipeline, aws
from clusterless.arcs import FunctionArc
from clusterless.boundaries import PutBoundary
from clusterless.model.resources import S3Bucket
from work import tidy

orders = Dataset("orders", "1", "s3://lake-of-orders/raw/")
clean = Dataset("clean", "1", "s3://lake-of-orders/clean/")
feed = Dataset("partner-feed", "1", "s3://acme-partner-feed/")
pipeline = Pipeline("shop", "1", placement=aws("{ACCOUNT}", "{REGION}", stage="dev"), components=[
    S3Bucket(name="lake", bucket_name="lake-of-orders"),
    PutBoundary("landing", into=orders, every="5m"),
    FunctionArc("clean", tidy, reads=orders, writes=clean),
    EncryptedExport("export", reads=clean, writes=feed),
])
"""


@pytest.fixture
def program(tools: Tools, cloud: MiniStack, tmp_path: Path) -> Project:
    """The example, as a copy that may be changed; the plugin's environment is this one."""
    if not shutil.which("pulumi-language-yaml", path=tools.environment(tmp_path, {})["PATH"]):
        lacking("engine", "the engine has no language host for YAML: run 'make engine'")
    state, work = tmp_path / "state", tmp_path / "program"
    state.mkdir()
    shutil.copytree(EXAMPLE, work)
    (work / "plugin" / "venv").symlink_to(sys.prefix)
    project = Project(tools, work, state, cloud.environment)
    project.pulumi("stack", "init", "dev")
    project.configure(account=ACCOUNT, region=REGION)
    return project


def test_what_installs_a_program_fills_its_plugin_s_environment(program: Project) -> None:
    """And asks nobody for a plugin of that name."""
    assert "dependencies are installed by whoever runs the tests" in program.pulumi("install")


def outputs(program: Project) -> Any:
    return json.loads(program.pulumi("stack", "output", "--json"))


@pytest.mark.full
def test_a_pipeline_is_deployed_changed_and_removed_without_a_line_of_python(program: Project, cloud: MiniStack) -> None:
    planned = program.deploy("preview").changes
    assert set(planned) == {"create"}
    assert program.deploy("up").changes == planned
    copy, landing = f"DEV-mirror-copy-func-1-{REGION}", f"DEV-mirror-landing-int-1-{REGION}"
    assert outputs(program) == {
        "functions": {"copy": copy, "landing": landing},
        "datasets": {"copies/1": "s3://mirror-of-uploads/copies/", "uploads/1": "s3://mirror-of-uploads/inbox/"},
    }
    deployed = {it["FunctionName"]: it["MemorySize"] for it in cloud.client("lambda").list_functions()["Functions"]}
    assert deployed == {copy: 512, landing: 512}
    assert program.deploy("preview").changes == {"same": planned["create"]}

    program.pulumi("config", "set", "memory", "1024")
    assert program.deploy("up").steps == [("update", "mirror-copy-function"), ("update", "mirror-landing-function")]

    program.deploy("destroy")
    assert program.resources() == []


@pytest.mark.full
def test_a_platform_team_s_arc_is_deployed_like_ours(program: Project, cloud: MiniStack, tmp_path: Path) -> None:
    """From a pipeline in Python, beside which its functions lie; the plugin's environment has the package."""
    key, bucket = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234", "acme-partner-feed"
    program.variables["PYTHONPATH"] = str(built(tmp_path))
    (program.folder / "pipeline.py").write_text(PIPELINE)
    (program.folder / "work.py").write_text("def tidy(lot, out):\n    pass\n")
    text = (program.folder / "Pulumi.yaml").read_text()
    (program.folder / "Pulumi.yaml").write_text(text.replace("project.json", "pipeline.py"))
    assert "nothing says with which key" in program.deploy("preview", fails=True).output

    program.pulumi("config", "set", "acme:exportKey", key)
    made = program.deploy("up").changes
    assert set(outputs(program)["functions"]) == {"landing", "clean", "export"}
    (rule,) = cloud.client("s3").get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    assert program.deploy("preview").changes == {"same": made["create"]}
    program.deploy("destroy")
    assert bucket in {it["Name"] for it in cloud.client("s3").list_buckets()["Buckets"]}, "what was handed out is left behind"


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        (FILE, "project.json", "the path 'project.json' is relative"),
        (FILE, "${pulumi.cwd}/shop.json", "there is no file"),
        ("memory: ${memory}", "memory: 64", "clusterless:memory: found 64"),
        ("memory: ${memory}", "memry: 512", "did you mean 'memory'?"),
        ("file:", "path:", "Missing required property 'file'"),
    ],
)
def test_a_mistake_is_told_by_a_preview(program: Project, was: str, now: str, told: str) -> None:
    text = (program.folder / "Pulumi.yaml").read_text()
    assert was in text
    (program.folder / "Pulumi.yaml").write_text(text.replace(was, now))
    output = program.deploy("preview", fails=True).output
    assert told in output
    assert 'File "' not in output, "no trace of our code"
