"""Names are computed, short enough and distinct; a function's configuration survives its file."""

from __future__ import annotations

from itertools import product

import pytest

from clusterless import aws
from clusterless.providers.aws.config import AlarmConfig, FunctionConfig, JobConfig
from clusterless.providers.aws.names import ComponentNames, Home
from clusterless.runtime.errors import UnknownFormat
from clusterless.runtime.spec import ArcSpec, BoundarySpec, DatasetSpec, SourceSpec

DATASET = DatasetSpec("raw", "1", "s3://bucket/raw/")
HOME = Home.of(aws("086903124729", "us-east-2", stage="dev"))
ALARMS = AlarmConfig("group", "prefix", "arn:f", "arn:r", "arn:q")


def names(sort: str = "arc", name: str = "copy-a", project: str = "S3Simple", home: Home = HOME) -> ComponentNames:
    return ComponentNames(home, project, "20230101-00", sort, name)


def test_names_are_the_predecessor_s() -> None:
    assert names().function == "DEV-s3-simple-copy-a-func-20230101-00-us-east-2"
    assert names().rule() == "DEV-s3-simple-copy-a-20230101-00-rule"
    assert names("boundary", "ingress-put-listener").rule() == "DEV-s3-simple-ingress-put-listener-20230101-00-us-east-2"
    assert HOME.state == "dev-clusterless-arc-state-086903124729-us-east-2"


def test_no_name_is_too_long_and_no_two_are_alike() -> None:
    limits = {
        "function": 64,
        "role": 64,
        "handler": 64,
        "alarm_role": 64,
        "dead_letters": 80,
        "queue": 80,
        "schedule": 64,
        "alarm_prefix": 47,
    }
    homes = [Home("1" * 12, "ap-southeast-2", "production" * 3), Home("1" * 12, "ap-southeast-2", "production" * 3 + "x")]
    many = [
        names(sort, "component-" * 8 + tail, "project-" * 6, home)
        for sort, tail, home in product(("boundary", "arc"), "ab", homes)
    ]
    for what, limit in limits.items():
        assert all(len(getattr(it, what)) <= limit for it in many)
        kept = [it for it in many if it.sort == "boundary" or what not in ("queue", "schedule")]  # only boundaries have one
        assert len({getattr(it, what) for it in kept}) == len(kept), what
    assert len({it.rule(role) for it in many for role in ("main", "other" * 12)}) == 2 * len(many)


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_arns_name_the_region_s_partition(region: str, partition: str) -> None:
    home = Home("086903124729", region)
    assert home.arn("lambda", "function:f") == f"arn:{partition}:lambda:{region}:086903124729:function:f"
    assert home.arn("iam", "role/r", regional=False) == f"arn:{partition}:iam::086903124729:role/r"
    assert home.bucket_arn("b") == f"arn:{partition}:s3:::b"


def config(spec: ArcSpec | BoundarySpec, **fields: object) -> FunctionConfig:
    return FunctionConfig(spec, "086903124729", "us-east-2", "f", "manifests", "state", ALARMS, **fields)  # type: ignore[arg-type]


def test_a_configuration_survives_its_file() -> None:
    arc = ArcSpec("p", "1", "a", {"main": SourceSpec(DATASET, "PT5M")}, {"main": DATASET}, {"kind": "copy"}, secrets=("key",))
    for given in (
        config(arc, settles={"raw/1": "g"}, secrets={"key": "ssm:key"}, job=JobConfig("q", "d")),
        config(BoundarySpec("p", "1", "b", DATASET, "PT5M")),
    ):
        assert FunctionConfig.from_json(given.to_json()) == given
        assert FunctionConfig.from_json(given.to_json()).to_json() == given.to_json()


def test_another_format_is_refused() -> None:
    text = (
        config(BoundarySpec("p", "1", "b", DATASET, "PT5M")).to_json().replace('"format":1,"function"', '"format":2,"function"')
    )
    with pytest.raises(UnknownFormat, match="format 2"):
        FunctionConfig.from_json(text)
