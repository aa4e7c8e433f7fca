"""Settings: read from a stack's configuration, checked with the key named, and put to a pipeline."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic.alias_generators import to_camel

from clusterless.model.base import Model
from clusterless.model.problems import ProjectErrors
from clusterless.providers.aws.settings import ComponentSettings, Settings, from_config, rooted
from clusterless.runtime.errors import InvalidInput
from tests.providers.aws.declared import ACCOUNT, PLACE, pipeline


def test_text_becomes_what_it_says() -> None:
    found = from_config({"memory": "1024", "lookups": "false", "tags": '{"team": "logs"}', "account": ACCOUNT})
    assert found == Settings(memory=1024, lookups=False, tags={"team": "logs"}, account=ACCOUNT)
    assert from_config({}) == Settings()


@pytest.mark.parametrize(
    ("key", "value", "what", "fix"),
    [
        ("memroy", "512", "unknown field 'memroy'", "did you mean 'memory'?"),
        ("memory", "64", "greater than or equal to 128", ""),
        ("memory", "much", "found 'much', expected a whole number", ""),
        ("account", "12", "'12' is no AWS account", "twelve digits"),
        ("logRetentionDays", "31", "cannot be kept for 31 days", "30 can be had"),
        ("permissionsBoundary", "admin", "'admin' is no ARN of iam", "arn:aws:iam:"),
        ("kmsKey", "arn:aws:iam::086903124729:role/r", "is no ARN of kms", "arn:aws:kms:"),
        ("kmsKey", "arn:aws:kms:us-east-2:086903124729:alias/lake", "granted nothing", "describe-key"),
        ("root", "my-lake/raw", "is no place in S3", "s3://bucket/"),
        ("root", "s3://My_Lake/", "cannot be a bucket's name", "a-z"),
        ("existingBuckets", '["Up"]', "cannot be a bucket's name", "a-z"),
        ("tags", '{"team"', "is no JSON", "--path"),
        ("architecture", "arm", "expected 'arm64' or 'x86_64'", "did you mean 'arm64'?"),
        ("secrets", '{"key": "vault:key"}', "vault:key", ""),
        ("provider", "gcp", "found 'gcp', expected 'aws'", ""),
    ],
)
def test_what_is_wrong_is_told_with_its_key(key: str, value: str, what: str, fix: str) -> None:
    with pytest.raises(ProjectErrors) as caught:
        from_config({key: value})
    (problem,) = caught.value.problems
    assert problem.where.startswith("clusterless:")
    assert key in str(problem) or problem.where == "clusterless:"
    assert what in problem.what
    assert fix in problem.fix


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ProjectErrors) as caught:
        from_config({"memory": "1", "components": '{"copy": {"memory": 1}}'})
    assert [it.where for it in caught.value.problems] == ["clusterless:memory", "clusterless:components.copy.memory"]


def test_a_component_s_own_go_before_the_rest() -> None:
    found = Settings(memory=1024, requirements=["a"], components={"copy": {"requirements": ["b"], "concurrency": 2}}).of("copy")
    assert found == ComponentSettings(memory=1024, architecture="arm64", concurrency=2, requirements=("a", "b"), files=())


@pytest.mark.parametrize("of", [Settings, ComponentSettings])
def test_what_can_be_set_is_told_in_the_docs(of: type[Model]) -> None:
    docs = Path(__file__).parents[3] / "docs"
    text = "".join((docs / page).read_text(encoding="utf-8") for page in ("aws.md", "aws-at-work.md", "native-handlers.md"))
    keys = [to_camel(name) for name in of.model_fields if name != "components"]  # below which the other class' are
    assert [key for key in keys if not re.search(rf"`(components\.NAME)?\.?{key}`|^{key} = ", text, re.MULTILINE)] == []


def test_paths_that_say_where_they_lie_stay() -> None:
    assert rooted(pipeline(), "s3://elsewhere/") == pipeline()
    assert Settings(stage="prod").placed(pipeline()).placement == PLACE.model_copy(update={"stage": "prod"})


def test_a_relative_path_needs_a_root() -> None:
    of = pipeline()
    landing = of.boundaries[0]
    moved = of.model_copy(update={"boundaries": (landing.model_copy(update={"dataset": landing.dataset.at("raw/")}),)})
    with pytest.raises(InvalidInput, match="'raw/' is relative") as caught:
        rooted(moved, None)
    assert "clusterless:root" in caught.value.fix
    assert rooted(moved, "s3://lake/deep/").boundaries[0].dataset.path == "s3://lake/deep/raw/"
