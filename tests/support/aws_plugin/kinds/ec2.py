"""Networks: what containers run in where none is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.aws_plugin.calls import Request
from tests.support.aws_plugin.kinds.base import Cloud, Kind, Tagging, Values, from_pairs, pairs

ALL_WAYS = {"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}
"""What a security group lets out when it is made: the only rule that is realised."""


@dataclass(frozen=True)
class Tags(Tagging):
    """EC2 tags several resources at once, and takes what is to be dropped as it gives it."""

    def change(self, target: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Request]:
        if gone := {name: value for name, value in old.items() if name not in new}:
            yield Request("ec2", "DeleteTags", {"Resources": [target], "Tags": pairs(gone)})
        if added := {name: value for name, value in new.items() if old.get(name) != value}:
            yield Request("ec2", "CreateTags", {"Resources": [target], "Tags": pairs(added)})


TAGGING = Tags("ec2", "CreateTags", "DeleteTags", "DescribeTags", "Resources")


@dataclass
class Part(Kind):
    """A kind with an id that EC2 draws."""

    sort: str = ""
    """What it is called in specifications of tags: ``internet-gateway``."""
    called: str = ""
    """And in names of operations: ``InternetGateway``."""
    ident: str = ""
    """Member that holds its id."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Property → parameter of the creation."""

    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        made = {parameter: new[name] for name, parameter in self.parameters.items() if new.get(name) is not None}
        if new.get("tagsAll"):
            made["TagSpecifications"] = [{"ResourceType": self.sort, "Tags": pairs(new["tagsAll"])}]
        return [Request("ec2", f"Create{self.called}", made)]

    def identify(self, new: Values, reply: Any) -> str:
        return str(reply.get(self.called, reply)[self.ident])

    def change(self, cloud: Cloud, ident: str, old: Values, new: Values) -> list[Request]:
        return []  # all but its tags is fixed

    def target(self, ident: str, known: Values) -> str:
        return ident

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        reply = cloud.ask("ec2", f"Describe{self.called}s", **{f"{self.ident}s": [ident]})
        [found, *_] = (reply or {}).get(f"{self.called}s") or [None]
        if found is None:
            return None
        values = {name: found.get(parameter) for name, parameter in self.parameters.items()}
        arn = cloud.arn("ec2", f"{self.sort}/{ident}")
        return values | {"arn": arn, "tagsAll": from_pairs(found.get("Tags"))} | self.further(cloud, ident, found)

    def further(self, cloud: Cloud, ident: str, found: Any) -> Values:
        """Properties and outputs that are not called like parameters."""
        return {}

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        cloud.ask("ec2", f"Delete{self.called}", **{self.ident: ident})


@dataclass
class Vpc(Part):
    def further(self, cloud: Cloud, ident: str, found: Any) -> Values:
        filters = [{"Name": "vpc-id", "Values": [ident]}]
        tables = cloud.call("ec2", "DescribeRouteTables", Filters=filters)["RouteTables"]
        [main] = [it["RouteTableId"] for it in tables if any(with_.get("Main") for with_ in it["Associations"])]
        return {"mainRouteTableId": main, "defaultRouteTableId": main}


@dataclass
class Group(Part):
    def check(self, new: Values) -> Iterator[tuple[str, str]]:
        if [{name: value for name, value in it.items() if value is not None} for it in new.get("egress") or []] != [ALL_WAYS]:
            yield "egress", "is realised for all ways out alone"

    def further(self, cloud: Cloud, ident: str, found: Any) -> Values:
        open_ways = [it for it in found["IpPermissionsEgress"] if it["IpProtocol"] == "-1"]
        return {"egress": [ALL_WAYS] if open_ways else None}


@dataclass
class Attachment(Kind):
    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        return [Request("ec2", "AttachInternetGateway", self._named(new))]

    def _named(self, known: Values) -> Values:
        return {"InternetGatewayId": known["internetGatewayId"], "VpcId": known["vpcId"]}

    def identify(self, new: Values, reply: Any) -> str:
        return f"{new['internetGatewayId']}:{new['vpcId']}"

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        gateway, vpc = ident.split(":")
        reply = cloud.ask("ec2", "DescribeInternetGateways", InternetGatewayIds=[gateway])
        there = [of["VpcId"] for it in (reply or {}).get("InternetGateways", []) for of in it["Attachments"]]
        return {"internetGatewayId": gateway, "vpcId": vpc} if vpc in there else None

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        cloud.ask("ec2", "DetachInternetGateway", **self._named(known))


@dataclass
class Route(Kind):
    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        named = {"RouteTableId": new["routeTableId"], "DestinationCidrBlock": new["destinationCidrBlock"]}
        return [Request("ec2", "CreateRoute", named | {"GatewayId": new["gatewayId"]})]

    def identify(self, new: Values, reply: Any) -> str:
        return f"{new['routeTableId']}_{new['destinationCidrBlock']}"

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        table, destination = ident.split("_")
        reply = cloud.ask("ec2", "DescribeRouteTables", RouteTableIds=[table])
        routes = [route for it in (reply or {}).get("RouteTables", []) for route in it["Routes"]]
        found = [it for it in routes if it.get("DestinationCidrBlock") == destination]
        return (
            {"routeTableId": table, "destinationCidrBlock": destination, "gatewayId": found[0].get("GatewayId")}
            if found
            else None
        )

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        table, destination = ident.split("_")
        cloud.ask("ec2", "DeleteRoute", RouteTableId=table, DestinationCidrBlock=destination)


Vpc(
    "aws:ec2/vpc:Vpc", frozenset({"cidrBlock"}), frozenset({"cidrBlock"}), tagging=TAGGING,
    sort="vpc", called="Vpc", ident="VpcId", parameters={"cidrBlock": "CidrBlock"},
)  # fmt: skip
Part(
    "aws:ec2/subnet:Subnet", frozenset({"vpcId", "cidrBlock"}), frozenset({"vpcId", "cidrBlock"}), tagging=TAGGING,
    sort="subnet", called="Subnet", ident="SubnetId", parameters={"vpcId": "VpcId", "cidrBlock": "CidrBlock"},
)  # fmt: skip
Part(
    "aws:ec2/internetGateway:InternetGateway", frozenset(), tagging=TAGGING,
    sort="internet-gateway", called="InternetGateway", ident="InternetGatewayId",
)  # fmt: skip
Group(
    "aws:ec2/securityGroup:SecurityGroup", frozenset({"name", "description", "vpcId", "egress"}),
    frozenset({"name", "description", "vpcId", "egress"}), name="name", tagging=TAGGING,
    sort="security-group", called="SecurityGroup", ident="GroupId",
    parameters={"name": "GroupName", "description": "Description", "vpcId": "VpcId"},
)  # fmt: skip
Attachment(
    "aws:ec2/internetGatewayAttachment:InternetGatewayAttachment", frozenset({"internetGatewayId", "vpcId"}),
    frozenset({"internetGatewayId", "vpcId"}),
)  # fmt: skip
Route(
    "aws:ec2/route:Route", frozenset({"routeTableId", "destinationCidrBlock", "gatewayId"}),
    frozenset({"routeTableId", "destinationCidrBlock", "gatewayId"}),
)  # fmt: skip
