"""``aws:core`` resources: plain resources of the cloud, field for field as the predecessor has them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from clusterless.model.base import Model, Text, in_any_case, refused
from clusterless.model.components import Resource
from clusterless.model.naming import BUCKET, bucket_problem
from clusterless.model.problems import nearest

FORMATS = ("parquet", "orc", "json", "csv", "tsv", "cloudtrail_logs", "apache_logs")
FormatSchema = WithJsonSchema({"type": "string", "pattern": f"^(?:{in_any_case(*FORMATS)})$"})


def _bucket(value: str) -> str:
    if problem := bucket_problem(value):
        raise refused(f"{value!r} cannot be a bucket's name: {problem}", "use 3 to 63 of a-z, 0-9, '.' and '-'")
    return value


def _format(value: str) -> str:
    if value.lower() not in FORMATS:
        raise refused(f"{value!r} is no data format", nearest(value, FORMATS))
    return value


class S3Bucket(Resource):
    """A bucket: private, encrypted, TLS only."""

    type: Literal["aws:core:s3Bucket"] = "aws:core:s3Bucket"
    bucket_name: Annotated[str, AfterValidator(_bucket), WithJsonSchema({"type": "string", "pattern": f"^{BUCKET}$"})]
    versioned: bool = False
    enable_event_bridge: bool = True
    """Announce new objects, as boundaries with infrequent arrivals need."""
    remove_on_destroy: bool = False
    """Delete the bucket *and its objects* with the project."""
    tags: dict[str, str] = Field(default_factory=dict)


class ComputeEnvironment(Resource):
    """An AWS Batch environment on Fargate."""

    type: Literal["aws:core:computeEnvironment"] = "aws:core:computeEnvironment"
    compute_environment_name: Text


class EventBus(Resource):
    """An event bus of one's own."""

    type: Literal["aws:core:eventBus"] = "aws:core:eventBus"
    event_bus_name: Text


class GlueDatabase(Resource):
    """A database of the Glue catalogue."""

    type: Literal["aws:core:glueDatabase"] = "aws:core:glueDatabase"
    database_name: Text
    remove_on_destroy: bool = False
    tags: dict[str, str] = Field(default_factory=dict)


class Column(Model):
    """A column of a table."""

    name: Text
    type: Text
    """Handed to Glue verbatim."""
    comment: str | None = None


class TableSchema(Model):
    """Columns, partition keys and data format of a table."""

    columns: tuple[Column, ...] = ()
    partitions: tuple[Column, ...] = ()
    data_format: Annotated[str, AfterValidator(_format), FormatSchema] | None = None


class GlueTable(Resource):
    """A table of the Glue catalogue."""

    type: Literal["aws:core:glueTable"] = "aws:core:glueTable"
    database_ref: Text
    """Name of a ``glueDatabase`` resource of the project."""
    table_name: Text
    description: str | None = None
    table_schema: TableSchema = Field(default_factory=TableSchema, alias="schema")
    path: Annotated[Text, Field(alias="pathURI")]
    remove_on_destroy: bool = False
    tags: dict[str, str] = Field(default_factory=dict)
