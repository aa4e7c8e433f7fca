"""A network for containers, where the settings name none: one public subnet in a VPC of its own.

::

    VPC ── subnet ── (its main table) ── route ─▶ gateway ─▶ storage, registries        all ways out, none in

None of it costs anything while no container runs; then a public address does. There is one subnet, in a zone that AWS picks. Who
wants more of a network names an existing one.
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_aws import ec2

from clusterless.providers.aws.component import Component
from clusterless.providers.aws.names import Home

RANGE = "10.14.0.0/16"
"""The predecessor's. Nothing else is connected to it."""
SUBNET = "10.14.0.0/19"
ANYWHERE = "0.0.0.0/0"


class Network(Component):
    """The VPC, and what it takes to reach storage and registries from it."""

    subnet: pulumi.Output[str]
    security_group: pulumi.Output[str]

    def __init__(self, name: str, home: Home, tags: Mapping[str, str], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.region, self._tags = home.region, {**tags, "Name": name}
        vpc = ec2.Vpc(self.child("vpc"), cidr_block=RANGE, region=self.region, tags=self._tags, opts=self.options())
        self.ready = [self._way_out(vpc)]
        self.subnet = ec2.Subnet(
            self.child("subnet"), vpc_id=vpc.id, cidr_block=SUBNET, region=self.region, tags=self._tags, opts=self.options()
        ).id
        self.security_group = self._group(vpc).id
        self.register_outputs({"subnet": self.subnet, "securityGroup": self.security_group})

    def _way_out(self, vpc: ec2.Vpc) -> pulumi.Resource:
        gateway = ec2.InternetGateway(self.child("gateway"), region=self.region, tags=self._tags, opts=self.options())
        attached = ec2.InternetGatewayAttachment(
            self.child("attachment"), internet_gateway_id=gateway.id, vpc_id=vpc.id, region=self.region, opts=self.options()
        )
        return ec2.Route(
            self.child("route"),
            route_table_id=vpc.main_route_table_id,
            destination_cidr_block=ANYWHERE,
            gateway_id=gateway.id,
            region=self.region,
            opts=self.options(depends_on=[attached]),
        )

    def _group(self, vpc: ec2.Vpc) -> ec2.SecurityGroup:
        everything: ec2.SecurityGroupEgressArgsDict = {
            "protocol": "-1",
            "from_port": 0,
            "to_port": 0,
            "cidr_blocks": [ANYWHERE],
        }
        return ec2.SecurityGroup(
            self.child("group"),
            name=self.name,
            description="Containers: all ways out, none in",
            vpc_id=vpc.id,
            egress=[everything],
            region=self.region,
            tags=self._tags,
            opts=self.options(),
        )
