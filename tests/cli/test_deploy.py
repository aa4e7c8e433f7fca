"""Deploying at the command line: what is refused before anything is touched; and a pipeline's whole life on an emulated AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Answer, Cls
from tests.support.engine import Tools, required
from tests.support.ministack import ACCOUNT, REGION, MiniStack

SETTINGS = f"""\
provider = "aws"
account = "{ACCOUNT}"
region = "{REGION}"
root = "s3://lake-of-tests/"
"""
METADATA = f"dev-clusterless-metadata-{ACCOUNT}-{REGION}"
ALL = [f"dev-clusterless-{kind}-{ACCOUNT}-{REGION}" for kind in ("arc-state", "manifest", "metadata")]


# -- refused ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["bootstrap", "deploy", "diff", "destroy", "adopt"])
def test_a_folder_is_nothing_to_deploy_to(shop: Cls, command: str) -> None:
    answer = shop(command)
    assert (answer.code, answer.out) == (1, "")
    assert "error: nothing can be deployed to 'local'" in answer.err
    assert "deploy.toml" in answer.err


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('provider = "aws"\n', "deploy.toml: account\n  fix:   "),
        ('provider = "aws"\naccount = "123456789012"\n', "nothing says which AWS region it is to be deployed to"),
        (SETTINGS + "memory = 100\n", "deploy.toml: memory\n"),
        (SETTINGS + "memry = 512\n", "unknown field 'memry'"),
        (SETTINGS + "bootstrap = true\n", "deploy.toml: bootstrap\n  fix:   cls bootstrap"),
        (SETTINGS.replace('root = "s3://lake-of-tests/"\n', ""), 'write root = "s3://bucket/" into '),
        ("provider = aws\n", "is no TOML"),
        ('provider = "nowhere"\n', "nothing can be deployed to 'nowhere'"),
    ],
)
def test_mistakes_in_the_settings(shop: Cls, settings: str, said: str) -> None:
    Path("deploy.toml").write_text(settings)
    answer = shop("deploy")
    assert (answer.code, answer.out) == (1, "")
    assert said in answer.err


def test_a_settings_file_that_is_not_there(shop: Cls) -> None:
    assert "there is no such file" in shop("deploy", "--settings", "prod.toml").err


def test_without_the_packages(shop: Cls, monkeypatch: pytest.MonkeyPatch) -> None:
    from clusterless.providers.aws import provider

    Path("deploy.toml").write_text(SETTINGS)
    monkeypatch.setattr(provider, "find_spec", lambda name: None if name == "pulumi" else object())
    answer = shop("deploy")
    assert "packages that are not here: pulumi\n" in answer.err
    assert "pip install 'clusterless[aws]'" in answer.err


def test_without_credentials(shop: Cls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    Path("deploy.toml").write_text(SETTINGS)
    for command in ("deploy", "bootstrap"):
        answer = shop(command)
        assert answer.code == 1
        assert "aws sso login" in answer.err


# -- a life ----------------------------------------------------------------------------------------------------------------

Deployer = Callable[..., Answer]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    return Tools.lay_out(tmp_path_factory.mktemp("engine"), required())


@pytest.fixture(scope="module")
def cloud() -> Iterator[MiniStack]:
    with MiniStack() as running:
        yield running


@pytest.fixture
def deployer(tools: Tools, cloud: MiniStack, shop: Cls) -> Deployer:
    """The command line in a process of its own, in a repository with settings, at an account in which nothing is.

    State is kept where it is on AWS: in the metadata bucket. Only the emulator's address has to be said.
    """
    cloud.reset()
    Path("deploy.toml").write_text(SETTINGS)
    backend = f"s3://{METADATA}/pulumi?region={REGION}&endpoint={cloud.url}&s3ForcePathStyle=true&disableSSL=true"
    environment = {**tools.environment(Path("unused"), cloud.environment), "PULUMI_BACKEND_URL": backend}

    def run(*arguments: str, more: Mapping[str, str] | None = None) -> Answer:
        command = [sys.executable, "-m", "clusterless.cli", *arguments]
        done = subprocess.run(
            command, env={**environment, **(more or {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Answer(done.returncode, done.stdout, done.stderr)

    return run


def buckets(cloud: MiniStack) -> list[str]:
    return [it["Name"] for it in cloud.client("s3").list_buckets()["Buckets"]]


def record(cloud: MiniStack, key: str) -> Any:
    return json.loads(cloud.client("s3").get_object(Bucket=METADATA, Key=key)["Body"].read())


def steps(answer: Answer) -> dict[str, int]:
    found = [it["op"] for it in answer.json["steps"]]
    return {op: found.count(op) for op in sorted({*found})}


@pytest.mark.full
def test_a_placement_s_life(deployer: Deployer, cloud: MiniStack) -> None:
    """Bootstrapped by adopting the bucket of its own state; removed with that state moved away before; and once more."""
    unasked = deployer("bootstrap")
    assert unasked.code == 1
    assert "22 to create, 1 to take up" in unasked.out
    assert "nobody is here to be asked" in unasked.err
    assert buckets(cloud) == [METADATA], "what state is kept in has to be there for a plan"
    made = deployer("bootstrap", "--yes")
    assert made.code == 0, made.err
    assert "deployed in" in made.out
    assert sorted(buckets(cloud)) == ALL
    assert record(cloud, "owners/name=bootstrap/version=1/owner.json")["project"] == "clusterless-bootstrap"
    again = deployer("bootstrap", "--yes")
    assert (again.code, again.out) == (0, "nothing to change\n")

    left = deployer("bootstrap", "--destroy", "--yes", "-o", "json")
    assert left.code == 0, left.err
    assert steps(left) == {"delete": 5, "retain": 18}
    assert sorted(buckets(cloud)) == ALL
    assert not Path(".clusterless").exists() or not list(Path(".clusterless").iterdir())
    assert "nothing is deployed" in deployer("bootstrap", "--destroy", "--yes").err

    taken = deployer("bootstrap", "--yes", "-o", "json")
    assert taken.code == 0, taken.err
    assert steps(taken) == {"create": 20, "import": 3}
    Path("deploy.toml").write_text(SETTINGS + "removeAllOnDestroy = true\n")
    gone = deployer("bootstrap", "--destroy", "--yes", "-o", "json")
    assert gone.code == 0, gone.err
    assert steps(gone) == {"delete": 23}, "the plan tells what will be done, which the state does not know yet"
    assert buckets(cloud) == []


@pytest.mark.full
def test_a_pipeline_s_life(deployer: Deployer, cloud: MiniStack, tmp_path: Path) -> None:
    assert "fix:   cls bootstrap" in deployer("deploy", "--yes").err
    assert deployer("bootstrap", "--yes").code == 0

    shown = deployer("diff", "--check", "-o", "json")
    assert (shown.code, shown.json["done"]) == (1, False)
    made = deployer("deploy", "--yes", "-o", "json")
    assert made.code == 0, made.err
    assert {it["urn"] for it in made.json["steps"]} == {it["urn"] for it in shown.json["steps"]}
    assert made.json["outputs"]["functions"] == {
        "add-up": f"DEV-shop-add-up-func-1-{REGION}",
        "landing": f"DEV-shop-landing-int-1-{REGION}",
    }
    assert "create aws:lambda:Function shop-add-up-function" in made.err
    owner = record(cloud, "owners/name=shop/version=1/owner.json")
    assert (owner["project"], owner["stack"]) == ("shop", f"{REGION}.{ACCOUNT}.dev.1")
    assert deployer("diff", "--check").code == 0

    Path("deploy.toml").write_text(SETTINGS + "[components.add-up]\nmemory = 1024\n")
    changed = deployer("deploy", "--yes")
    assert changed.code == 0, changed.err
    assert "aws:lambda:Function  shop-add-up-function  memorySize: 512 → 1024" in changed.out

    elsewhere = {"PULUMI_BACKEND_URL": (tmp_path / "other").as_uri()}
    second = deployer("deploy", "--yes", more=elsewhere)
    assert second.code == 1
    assert "shop 1 is deployed by stack shop/" in second.err
    assert "cls adopt" in second.err
    (tmp_path / "other").mkdir()
    assert "holds nothing in this backend" in deployer("adopt", more=elsewhere).err
    assert "shop 1 is deployed there" in deployer("bootstrap", "--destroy", "--yes").err

    gone = deployer("destroy", "--yes")
    assert gone.code == 0, gone.err
    assert "5 left behind" in gone.out
    assert "lake-of-tests" in buckets(cloud)
    assert cloud.client("lambda").list_functions()["Functions"] == []
    assert "Contents" not in cloud.client("s3").list_objects_v2(Bucket=METADATA, Prefix="owners/name=shop/")
