"""Deploying at the command line: what is refused before anything is touched; and a pipeline's whole life on an emulated AWS."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Answer, Cls
from tests.support.deployer import EMULATED, documented
from tests.support.engine import Tools, required
from tests.support.ministack import ACCOUNT, PATCHES, REGION, TLS, MiniStack

ROOT = Path(__file__).parents[2]
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


def test_a_region_that_is_none_is_seen_without_asking_anybody(shop: Cls) -> None:
    Path("deploy.toml").write_text(SETTINGS.replace(REGION, "us-esat-1"))
    answer = shop("verify", "--provider", "aws")
    assert answer.code == 1
    assert "AWS has no region 'us-esat-1'" in answer.err


def test_a_provider_that_is_named_goes_before_the_settings(shop: Cls, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("deploy.toml").write_text(SETTINGS.replace('provider = "aws"', 'provider = "nowhere"'))
    asked: list[str] = []
    monkeypatch.setattr("clusterless.providers.aws.existing.Existing.check_account", lambda self: asked.append("account"))
    monkeypatch.setattr("clusterless.providers.aws.existing.Existing.get", lambda self, key: None)
    answer = shop("deploy", "--provider", "aws")
    assert (asked, answer.code) == (["account"], 1)
    assert "the placement has no buckets for pipelines yet" in answer.err
    assert "nothing can be deployed to 'local'" in shop("deploy", "--provider", "local").err


def test_credentials_of_another_account(shop: Cls, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("deploy.toml").write_text(SETTINGS)
    monkeypatch.setattr("clusterless.providers.aws.asking.Asking.ask", lambda *arguments, **_: {"Account": "999999999999"})
    for command in ("deploy", "diff", "destroy", "bootstrap", "adopt"):
        answer = shop(command)
        assert (answer.code, answer.out) == (1, "")
        assert f"the credentials are of account 999999999999, and the pipeline's placement is {ACCOUNT}" in answer.err


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


@dataclass(frozen=True)
class Deployer:
    """``cls`` and ``pulumi`` as processes in an environment."""

    environment: Mapping[str, str]

    def __call__(self, *arguments: str, more: Mapping[str, str] | None = None) -> Answer:
        answer = self._run(sys.executable, "-m", "clusterless.cli", *arguments, more=more)
        assert "Traceback" not in answer.err, answer.err
        return answer

    def pulumi(self, *arguments: str, more: Mapping[str, str] | None = None) -> None:
        answer = self._run("pulumi", *arguments, "--non-interactive", more=more)
        assert answer.code == 0, answer.err

    def _run(self, *command: str, more: Mapping[str, str] | None) -> Answer:
        environment = {**self.environment, **(more or {})}
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=240
        )
        return Answer(done.returncode, done.stdout, done.stderr)


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

    return Deployer(environment)


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

    assert "shop 1 is deployed there" in deployer("bootstrap", "--destroy", "--yes").err

    gone = deployer("destroy", "--yes")
    assert gone.code == 0, gone.err
    assert "5 left behind" in gone.out
    assert "lake-of-tests" in buckets(cloud)
    assert cloud.client("lambda").list_functions()["Functions"] == []
    assert "Contents" not in cloud.client("s3").list_objects_v2(Bucket=METADATA, Prefix="owners/name=shop/")


@pytest.mark.full
def test_a_handler_that_cannot_be_imported_is_told_before_anything_is_deployed(deployer: Deployer, cloud: MiniStack) -> None:
    assert deployer("bootstrap", "--yes").code == 0
    handler = Path("adding.py")
    fine = handler.read_text()
    handler.write_text(fine.replace("import csv\n", "import csv\nimport rich\n"))
    refused = deployer("deploy", "--yes")
    assert (refused.code, refused.out) == (1, "")
    assert "the handler adding:add_up cannot be imported from its archive" in refused.err
    assert "where: arcs.add-up (adding.py:6)\n  fix:   add the package that has 'rich'" in refused.err
    assert cloud.client("lambda").list_functions()["Functions"] == []
    assert "lake-of-tests" not in buckets(cloud)
    handler.write_text(fine)
    assert deployer("deploy", "--yes").code == 0


@pytest.mark.full
def test_a_deployment_is_handed_over_with_its_state(deployer: Deployer, cloud: MiniStack, tmp_path: Path) -> None:
    assert deployer("bootstrap", "--yes").code == 0
    assert deployer("deploy", "--yes").code == 0
    elsewhere = {"PULUMI_BACKEND_URL": (tmp_path / "other").as_uri()}
    second = deployer("deploy", "--yes", more=elsewhere)
    assert second.code == 1
    assert "shop 1 is deployed by stack shop/" in second.err
    assert "cls adopt" in second.err
    (tmp_path / "other").mkdir()
    stack = f"organization/shop/{REGION}.{ACCOUNT}.dev.1"
    assert f"pulumi stack import --stack {stack} --file state.json" in deployer("adopt", more=elsewhere).err
    deployer.pulumi("stack", "export", "--stack", stack, "--file", "state.json")
    deployer.pulumi("stack", "import", "--stack", stack, "--file", "state.json", more=elsewhere)
    adopted = deployer("adopt", more=elsewhere)
    assert adopted.code == 0, adopted.err
    assert "is deployed from here now; before, it was by shop/" in adopted.out
    assert record(cloud, "owners/name=shop/version=1/owner.json")["backend"] == elsewhere["PULUMI_BACKEND_URL"]
    assert "is deployed by stack shop/" in deployer("deploy", "--yes").err

    assert deployer("destroy", "--yes", more=elsewhere).code == 0


@pytest.mark.full
def test_what_fails_in_the_middle_goes_on_where_it_failed(deployer: Deployer, cloud: MiniStack) -> None:
    assert deployer("bootstrap", "--yes").code == 0
    name = f"DEV-shop-add-up-func-1-{REGION}"
    roles = cloud.client("iam")
    roles.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    failed = deployer("deploy", "--yes", "-o", "json")
    assert failed.code == 1
    assert [it["name"] for it in failed.json["failures"]] == ["shop-add-up-role"]
    done = set(re.findall(r"^create \S+ (\S+)  [\d.]+ s$", failed.err, re.MULTILINE))
    assert "shop-root-bucket" in done
    assert "where: aws:iam:Role shop-add-up-role" in failed.err
    assert "what is done stays" in failed.err
    roles.delete_role(RoleName=name)
    mended = deployer("deploy", "--yes", "-o", "json")
    assert mended.code == 0, mended.err
    assert "shop-add-up-role" in {it["name"] for it in mended.json["steps"]}
    assert done.isdisjoint(it["name"] for it in mended.json["steps"]), "that was made before"


@pytest.mark.full
def test_with_a_key_nobody_is_asked_for_a_passphrase(deployer: Deployer, cloud: MiniStack) -> None:
    key = cloud.client("kms").create_key()["KeyMetadata"]["Arn"]
    Path("deploy.toml").write_text(SETTINGS + f'kmsKey = "{key}"\n')
    unasked = Deployer({name: value for name, value in deployer.environment.items() if name != "PULUMI_CONFIG_PASSPHRASE"})
    done = unasked("bootstrap", "--yes")
    assert done.code == 0, done.err
    again = unasked("bootstrap", "--yes")
    assert (again.code, again.out) == (0, "nothing to change\n"), again.err
    assert unasked("bootstrap", "--destroy", "--yes").code == 0


@pytest.fixture
def guarded(tools: Tools, shop: Cls) -> Iterator[tuple[MiniStack, dict[str, Any], Deployer]]:
    """An account that holds a user to its policy; that policy, as the documentation has it; the command line as this user."""
    Path("deploy.toml").write_text(SETTINGS)
    with MiniStack((*PATCHES, TLS), auth=True) as cloud:
        users = cloud.client("iam")
        users.create_user(UserName="deployer")
        key = users.create_access_key(UserName="deployer")["AccessKey"]
        own = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        environment = {**tools.environment(Path("unused"), {**cloud.environment, **own})}
        state = Path("state").resolve()
        state.mkdir()
        yield cloud, documented(), Deployer({**environment, "PULUMI_BACKEND_URL": state.as_uri()})


def grant(cloud: MiniStack, policy: Mapping[str, Any], without: str = "") -> None:
    left = [it for it in policy["Statement"] if it["Sid"] != without]
    document = json.dumps({**policy, "Statement": [*left, EMULATED]})
    cloud.client("iam").put_user_policy(UserName="deployer", PolicyName="deploying", PolicyDocument=document)


@pytest.mark.full
def test_the_documented_policy_is_enough_to_deploy_with(guarded: tuple[MiniStack, dict[str, Any], Deployer]) -> None:
    cloud, policy, deployer = guarded
    grant(cloud, policy)
    for command in (("bootstrap",), ("deploy",), ("destroy",), ("bootstrap", "--destroy")):
        answer = deployer(*command, "--yes")
        assert answer.code == 0, answer.err


@pytest.mark.full
def test_and_without_a_part_of_it_something_is_refused(guarded: tuple[MiniStack, dict[str, Any], Deployer]) -> None:
    cloud, policy, deployer = guarded
    grant(cloud, policy, without="Buckets")
    refused = deployer("bootstrap", "--yes")
    assert refused.code == 1
    assert "docs/aws.md" in refused.err
    grant(cloud, policy)
    assert deployer("bootstrap", "--yes").code == 0
    grant(cloud, policy, without="Roles")
    refused = deployer("deploy", "--yes")
    assert refused.code == 1
    assert "not authorized to perform: iam:CreateRole" in refused.err
    grant(cloud, policy)
    assert deployer("deploy", "--yes").code == 0
