"""The types of resources that this provider realises, a module for each service."""

from tests.support.aws_plugin.kinds import batch, cloudwatch, ec2, ecr, glue, iam, lambda_, s3, scheduler, sqs
from tests.support.aws_plugin.kinds.base import Cloud, Kind, Unrealised, Values, same_document

__all__ = [
    "Cloud",
    "Kind",
    "Unrealised",
    "Values",
    "batch",
    "cloudwatch",
    "ec2",
    "ecr",
    "glue",
    "iam",
    "lambda_",
    "s3",
    "same_document",
    "scheduler",
    "sqs",
]
