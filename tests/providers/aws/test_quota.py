"""The quota of rules: what is counted is what is registered."""

from __future__ import annotations

import pytest

from clusterless import Dataset
from clusterless.arcs import CommandArc, CopyArc
from clusterless.model.graph import External
from clusterless.model.problems import ProjectErrors
from clusterless.providers.aws.provider import capabilities
from tests.providers.aws.declared import RAW, deployed, pipeline

NETWORK = {"subnets": '["subnet-1"]', "securityGroups": '["sg-1"]'}
MANY = {f"r{number:02d}": Dataset(f"a-dataset-of-another-team-{number:02d}", "20230101", "s3://b/") for number in range(6)}
BOX = CommandArc("box", ["tool"], reads=RAW, writes=Dataset("boxed", "1", "s3://lake/boxed/"), image="team/tool:1")


def test_a_provider_s_figures_are_what_its_components_register() -> None:
    of = pipeline(BOX)
    graph = deployed(of, config=NETWORK)
    for component in (*of.boundaries, *of.arcs):
        registered = [node for node in graph.of("EventRule") if node.name.startswith(f"S3Simple-{component.name}-rule")]
        assert len(registered) == capabilities().rules_of.get(component.type, 1), component.type


@pytest.mark.parametrize("quota", [6, 5])
def test_the_second_rule_of_a_container_counts(quota: int) -> None:
    """A boundary, a schedule without one, three arcs, and a container with two."""
    config = {**NETWORK, "rules": str(quota)}
    if quota == 6:
        assert len(deployed(pipeline(BOX), config=config).of("EventRule")) == 6
        return
    with pytest.raises(ProjectErrors, match="the pipeline has 6 rules, and the account's quota is 5"):
        deployed(pipeline(BOX), config=config)


def test_rules_of_an_arc_with_many_sources_count() -> None:
    """That it has several is not known before their patterns are written."""
    wide = CopyArc("wide", reads=MANY, writes={role: Dataset(f"of-{role}", "1", f"s3://lake/{role}/") for role in MANY})
    external = {it.id: External("s3://b/", "PT5M") for it in MANY.values()}
    graph = deployed(pipeline(wide), external=external)
    count = len(graph.of("EventRule"))
    assert count > 4 + 1
    with pytest.raises(ProjectErrors, match=f"the pipeline has {count} rules, and the account's quota is {count - 1}"):
        deployed(pipeline(wide), external=external, config={"rules": str(count - 1)})
