"""The predecessor's plain resources as components: buckets, Glue databases and tables, event buses, compute environments.

They keep its names and behaviour: what is not to be removed with the project is left behind by ``destroy``, and each exports a
reference under which other projects know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Generic, TypeVar

import pulumi
from pulumi_aws import batch, cloudwatch, glue

from clusterless.model import resources as declared
from clusterless.model.components import Resource
from clusterless.model.naming import Names
from clusterless.model.placement import Placement, Project
from clusterless.model.refs import Ref
from clusterless.model.resources import Column
from clusterless.providers.aws.args import tags_of
from clusterless.providers.aws.buckets import Bucket, BucketArgs
from clusterless.providers.aws.component import Component
from clusterless.providers.aws.iam import Statement
from clusterless.providers.aws.names import Home
from clusterless.providers.aws.network import Network
from clusterless.providers.aws.settings import NAMESPACE, Settings
from clusterless.runtime.errors import InvalidInput

R = TypeVar("R", bound=Resource)
MOST_VCPUS = 4096


@dataclass(frozen=True)
class ResourceArgs(Generic[R]):
    """What a resource is made from."""

    declaration: R
    project: Project
    placement: Placement
    settings: Settings = field(default_factory=Settings)
    admits: tuple[Statement, ...] = ()
    """What a bucket's policy says of who else may put something there."""
    network: Network | None = None
    """What a compute environment is in, if it is not the settings'."""

    @cached_property
    def home(self) -> Home:
        return Home.of(self.placement)

    @cached_property
    def tags(self) -> dict[str, str]:
        own: Mapping[str, str] = getattr(self.declaration, "tags", {})
        return {**own, **tags_of(self.project.name, self.project.version, self.home.stage, self.settings)}

    def ref(self, qualifier: str) -> str:
        """The reference that the resource is exported under."""
        _, namespace, kind = self.declaration.type.split(":")
        project, stage = self.project, self.home.stage
        return str(Ref("aws", qualifier, project.name, project.version, namespace, kind, self.declaration.name, stage))


class ResourceComponent(Component):
    """A resource with the ARN by which others refer to it."""

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: ResourceArgs[R], opts: pulumi.ResourceOptions | None) -> None:
        super().__init__(name, opts)
        self.region = args.home.region

    def exported(self, args: ResourceArgs[R], arn: pulumi.Output[str]) -> None:
        self.arn = arn
        self.register_outputs({"arn": arn, "ref": args.ref("arn")})


class S3Bucket(ResourceComponent):
    """A bucket: private, encrypted, TLS only; it announces its objects unless that is declined."""

    bucket: pulumi.Output[str]

    def __init__(self, name: str, args: ResourceArgs[declared.S3Bucket], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        what = args.declaration
        bucket = BucketArgs(
            what.bucket_name,
            args.home,
            args.settings,
            args.tags,
            versioned=what.versioned,
            announces=what.enable_event_bridge,
            remove=what.remove_on_destroy,
            admits=args.admits,
        )
        found = Bucket(self, "bucket", bucket)
        self.ready = [found.ready]
        self.bucket = found.made.bucket
        self.exported(args, found.made.arn)


class EventBus(ResourceComponent):
    """An event bus of one's own."""

    def __init__(self, name: str, args: ResourceArgs[declared.EventBus], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        made = cloudwatch.EventBus(
            self.child("bus"),
            name=args.declaration.event_bus_name,
            region=self.region,
            tags=args.tags,
            opts=self.options(),
        )
        self.exported(args, made.arn)


class GlueDatabase(ResourceComponent):
    """A database of the Glue catalogue."""

    database: pulumi.Output[str]

    def __init__(self, name: str, args: ResourceArgs[declared.GlueDatabase], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        made = glue.CatalogDatabase(
            self.child("database"),
            name=args.declaration.database_name.lower(),  # as Glue keeps it; the provider refuses capitals
            region=self.region,
            tags=args.tags,
            opts=self.options(retain_on_delete=not _removed(args)),
        )
        self.database = made.name
        self.exported(args, made.arn)


def _removed(args: ResourceArgs[declared.GlueDatabase] | ResourceArgs[declared.GlueTable]) -> bool:
    return args.declaration.remove_on_destroy or args.settings.remove_all_on_destroy


@dataclass(frozen=True)
class GlueTableArgs(ResourceArgs[declared.GlueTable]):
    """What a table is made from; ``database`` is the name of the one it lies in."""

    database: pulumi.Input[str] = ""


@dataclass(frozen=True)
class Format:
    """How a data format is read: Hadoop's classes, as Glue's documentation gives them."""

    input: str
    output: str
    serde: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    classification: str | None = None


_TEXT = ("org.apache.hadoop.mapred.TextInputFormat", "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat")
_CSV = "org.apache.hadoop.hive.serde2.OpenCSVSerde"
FORMATS = {
    "parquet": Format(
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        classification="parquet",
    ),
    "orc": Format(
        "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
        "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
        "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
        classification="orc",
    ),
    "json": Format(*_TEXT, "org.openx.data.jsonserde.JsonSerDe", classification="json"),
    "csv": Format(*_TEXT, _CSV, {"separatorChar": ","}, classification="csv"),
    "tsv": Format(*_TEXT, "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe", {"field.delim": "\t"}, classification="csv"),
    "cloudtrail_logs": Format(
        "com.amazon.emr.cloudtrail.CloudTrailInputFormat", _TEXT[1], "com.amazon.emr.hive.serde.CloudTrailSerde"
    ),
    "apache_logs": Format(
        *_TEXT,
        "org.apache.hadoop.hive.serde2.RegexSerDe",
        {
            "input.regex": r'([^ ]*) ([^ ]*) ([^ ]*) (-|\[[^\]]*\]) ([^ "]*|"[^"]*") (-|[0-9]*) (-|[0-9]*)'
            r'(?: ([^ "]*|".*") ([^ "]*|".*"))?'
        },
    ),
}


class GlueTable(ResourceComponent):
    """A table of the Glue catalogue. Arcs add its partitions."""

    def __init__(self, name: str, args: GlueTableArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args, opts)
        what = args.declaration
        form = FORMATS[_format(what)]
        descriptor: glue.CatalogTableStorageDescriptorArgsDict = {
            "location": _folder(what.path),
            "columns": [_storage_column(it) for it in what.table_schema.columns],
            "input_format": form.input,
            "output_format": form.output,
            "ser_de_info": {"serialization_library": form.serde, "parameters": dict(form.parameters)},
        }
        made = glue.CatalogTable(
            self.child("table"),
            name=what.table_name.lower(),
            database_name=args.database,
            description=what.description,
            table_type="EXTERNAL_TABLE",
            parameters={"EXTERNAL": "TRUE", **({"classification": form.classification} if form.classification else {})},
            partition_keys=[_column(it) for it in what.table_schema.partitions],
            storage_descriptor=descriptor,
            region=self.region,
            opts=self.options(retain_on_delete=not _removed(args)),
        )
        self.ready = [made]
        self.exported(args, made.arn)


def _format(table: declared.GlueTable) -> str:
    found = table.table_schema.data_format
    if found is None:
        raise InvalidInput(
            f"table '{table.name}' does not say what its data is",
            where=f"resources.{table.name}.schema.dataFormat",
            fix=f"one of {', '.join(FORMATS)}",
        )
    return found.lower()


def _folder(path: str) -> str:
    return path if path.endswith("/") else path + "/"


def _column(column: Column) -> glue.CatalogTablePartitionKeyArgsDict:
    found: glue.CatalogTablePartitionKeyArgsDict = {"name": column.name, "type": column.type}
    if column.comment:
        found["comment"] = column.comment
    return found


def _storage_column(column: Column) -> glue.CatalogTableStorageDescriptorColumnArgsDict:
    found: glue.CatalogTableStorageDescriptorColumnArgsDict = {"name": column.name, "type": column.type}
    if column.comment:
        found["comment"] = column.comment
    return found


class ComputeEnvironment(ResourceComponent):
    """A Fargate environment of AWS Batch, in the settings' network or one made for it. It costs nothing while no job runs."""

    def __init__(
        self, name: str, args: ResourceArgs[declared.ComputeEnvironment], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(name, args, opts)
        settings, project, network = args.settings, args.project, args.network
        if network is None and not (settings.subnets and settings.security_groups):
            raise InvalidInput(
                f"compute environment '{args.declaration.name}' needs a network to run containers in",
                where=f"{NAMESPACE}:subnets",
                fix=f"set {NAMESPACE}:subnets and {NAMESPACE}:securityGroups to ids of an existing VPC's",
            )
        names = Names(project.name, project.version, args.home.region, args.home.stage)
        made = batch.ComputeEnvironment(
            self.child("environment"),
            name=names.compute_environment(args.declaration.compute_environment_name),
            type="MANAGED",
            state="ENABLED",
            compute_resources={
                "type": "FARGATE",
                "max_vcpus": MOST_VCPUS,
                "subnets": [network.subnet] if network else list(settings.subnets),
                "security_group_ids": [network.security_group] if network else list(settings.security_groups),
            },
            region=self.region,
            tags=args.tags,
            opts=self.options(depends_on=network.ready if network else []),
        )
        self.ready = [made]
        self.exported(args, made.arn)
