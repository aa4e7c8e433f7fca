"""Deploying from the outside, without a Pulumi program of the user's: what ``cls deploy`` and ``cls bootstrap`` deploy on AWS.

Three things that a program cannot do for itself are done with boto3: to look whose credentials these are, to write down the owner
before anything is changed, and to make the bucket that the state is kept in, which the bootstrap's stack then adopts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from clusterless.model.metadata import PROJECTS, parse_project_key
from clusterless.model.naming import StoreKind, shorten
from clusterless.model.pipeline import Pipeline
from clusterless.model.problems import Problem
from clusterless.model.registered import externals
from clusterless.model.verify import verify
from clusterless.providers.aws.asking import Asking
from clusterless.providers.aws.deployment import DeploymentArgs, completed, refuse
from clusterless.providers.aws.existing import Existing, Owner, owner_document, owner_key
from clusterless.providers.aws.names import Home
from clusterless.providers.aws.outside import Outside
from clusterless.providers.aws.packing import UNREACHABLE
from clusterless.providers.aws.provider import capabilities
from clusterless.providers.aws.settings import NAMESPACE, Settings, from_config
from clusterless.providers.aws.trial import UNTRIED
from clusterless.runtime.errors import ClusterlessError, InvalidInput

LONGEST = 100
"""Longest name of a Pulumi project or stack."""
NO_STAGE = "_"
BOOTSTRAP = "clusterless-bootstrap"
"""Pulumi project of bootstraps."""


class Owners:
    """Who deploys one project version at a placement; see :class:`clusterless.operations.deploying.target.Owners`."""

    def __init__(self, home: Home, name: str, version: str, project: str, stack: str, asking: Asking) -> None:
        self._home, self._name, self._version, self._asking = home, name, version, asking
        self._project, self._stack = project, stack

    def owner(self, backend: str) -> Owner:
        return Owner(backend, "", self._project, self._stack)

    def check(self, backend: str) -> None:
        Existing(self._home).check_owner(self._name, self._version, self.owner(backend))

    def claim(self, backend: str) -> None:
        if not self._put(backend, IfNoneMatch="*"):
            self.check(backend)

    def take(self, backend: str) -> str:
        reply = self._asking.ask("s3", "get_object", **self._object)
        if reply is None:
            self.claim(backend)
            return "nobody"
        before = json.loads(reply["Body"].read())
        if not self._put(backend, IfMatch=reply["ETag"]):
            raise ClusterlessError("the owner changed in this moment", where=self._where, fix="look who it is, and try again")
        return str(Owner(*(str(before.get(part) or "") for part in Owner("", "", "", "").data())))

    def release(self, backend: str) -> None:
        reply = self._asking.ask("s3", "get_object", **self._object)
        found = json.loads(reply["Body"].read()) if reply else {}
        if all(found.get(part) == value for part, value in self.owner(backend).data().items()):
            self._asking.ask("s3", "delete_object", **self._object)

    @property
    def _object(self) -> dict[str, str]:
        return {"Bucket": self._home.metadata, "Key": owner_key(self._name, self._version)}

    @property
    def _where(self) -> str:
        return f"s3://{self._object['Bucket']}/{self._object['Key']}"

    def _put(self, backend: str, **condition: str) -> bool:
        """Whether the condition held."""
        body = owner_document(self.owner(backend)).encode()
        try:
            reply = self._asking.ask("s3", "put_object", **self._object, Body=body, ContentType="application/json", **condition)
        except ClusterlessError as error:
            if _code(error) in ("PreconditionFailed", "ConditionalRequestConflict"):
                return False
            raise
        if reply is None:
            raise InvalidInput("there is no such bucket", where=self._where, fix="cls bootstrap")
        return True


def _code(error: ClusterlessError) -> str:
    """AWS's own name for what went wrong."""
    response = getattr(error.__cause__, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


class PipelineTarget:
    """A pipeline; see :class:`clusterless.operations.deploying.target.Target`.

    ``values``: settings, by the keys of a stack's configuration. Raises :class:`~clusterless.ClusterlessError` for what is wrong
    with them, and for what AWS cannot do of the pipeline.
    """

    def __init__(self, pipeline: Pipeline, values: Mapping[str, Any], folder: Path, asking: Asking | None = None) -> None:
        self._settings = settings_of(values)
        self._pipeline, self._folder = pipeline, folder
        placed = completed(self._settings.placed(pipeline), self._settings)
        refuse(verify(placed, capabilities(self._settings.rules)))
        at = placed.placement
        self._home = Home.of(at)
        self.what = f"{pipeline.project.name} {pipeline.project.version} at {at}"
        self.project = shorten(pipeline.project.name, LONGEST)
        self.stack = _stack(self._home, pipeline.project.version)
        self.backend, self.secrets_provider = _backend(self._home), _key(self._home, self._settings)
        self.config = {**_others(values), "aws:region": at.region}
        self._asking = asking or Asking(at.region)
        names = (pipeline.project.name, pipeline.project.version, self.project, self.stack)
        self.owners = Owners(self._home, *names, self._asking)

    def check(self) -> None:
        Existing(self._home).check_account()

    def prepare(self) -> None:
        from clusterless.providers.aws.bootstrap import SCOPE, SINCE, VERSION

        Existing(self._home).check_bootstrap(SCOPE, VERSION, SINCE, self.what)

    def program(self, backend: str) -> Callable[[], None]:
        from clusterless.providers.aws.provision import provision

        owner = self.owners.owner(backend)
        return lambda: void(provision(self._pipeline, settings=self._settings, folder=self._folder, owner=owner))

    def final_program(self, backend: str) -> None:
        """Resources of a pipeline know from the beginning whether they are to be left behind."""

    def inhabitants(self) -> Sequence[str]:
        return ()


class BootstrapTarget:
    """What the placement of a pipeline has once: its buckets, its group of schedules, and the state of what is deployed there."""

    def __init__(self, pipeline: Pipeline, values: Mapping[str, Any], asking: Asking | None = None) -> None:
        from clusterless.providers.aws.bootstrap import SCOPE, VERSION

        self._settings = from_config(_ours(values))
        bare = pipeline.model_copy(update={"boundaries": (), "arcs": ()})  # their paths are none of its business
        self._placement = self._settings.placed(bare).placement
        self._home = Home.of(self._placement)
        self.what = f"the bootstrap of {self._placement}"
        self.project, self.stack = BOOTSTRAP, _stack(self._home, VERSION)
        self.backend, self.secrets_provider = _backend(self._home), _key(self._home, self._settings)
        self.config = {"aws:region": self._home.region}
        self._asking = asking or Asking(self._home.region)
        self.owners = Owners(self._home, SCOPE, VERSION, self.project, self.stack, self._asking)

    def check(self) -> None:
        Existing(self._home).check_account()

    def prepare(self) -> None:
        """Make the metadata bucket, private, where it is not there: state is kept in it, and the stack adopts it. Buckets that an
        earlier bootstrap left behind are tagged as they will be, as only what is as declared can be adopted."""
        from clusterless.providers.aws.bootstrap import RECORD

        if Existing(self._home).get(RECORD) is not None:
            return
        if self._home.metadata not in self._there:
            self._create(self._home.metadata)
            del self._there
        for bucket in self._there:
            self._asking.ask("s3", "put_bucket_tagging", Bucket=bucket, Tagging={"TagSet": self._tags}, **self._guard)

    def program(self, backend: str) -> Callable[[], None]:
        return self._program(backend, remove=False)

    def final_program(self, backend: str) -> Callable[[], None] | None:
        return self._program(backend, remove=True) if self._settings.remove_all_on_destroy else None

    def inhabitants(self) -> Sequence[str]:
        found = Outside(self._placement.data(defaults=True), self._asking).bucket(self._home.metadata).list(PROJECTS)
        named = filter(None, (parse_project_key(it.key) for it in found))
        return [f"{name} {version}" for name, version in named]

    # -- how ---------------------------------------------------------------------------------------------------------------

    @property
    def _guard(self) -> dict[str, str]:
        """What has S3 refuse a bucket of somebody else's."""
        return {"ExpectedBucketOwner": self._home.account}

    @cached_property
    def _there(self) -> list[str]:
        """Those of the placement's buckets that are there."""
        names = [self._home.bucket(kind) for kind in StoreKind]
        return [it for it in names if Existing(self._home).is_there(it)]

    @property
    def _tags(self) -> list[dict[str, str]]:
        from clusterless.providers.aws.bootstrap import BootstrapArgs

        tags = BootstrapArgs(self._placement, self._settings).tags
        return [{"Key": name, "Value": value} for name, value in sorted(tags.items())]

    def _create(self, bucket: str) -> None:
        where = {"CreateBucketConfiguration": {"LocationConstraint": self._home.region}}
        self._asking.ask("s3", "create_bucket", Bucket=bucket, **({} if self._home.region == "us-east-1" else where))
        flags = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        access = dict.fromkeys(flags, True)
        self._asking.ask("s3", "put_public_access_block", Bucket=bucket, PublicAccessBlockConfiguration=access, **self._guard)

    def _program(self, backend: str, *, remove: bool) -> Callable[[], None]:
        from pulumi import ResourceOptions, export
        from pulumi_aws import s3

        from clusterless.providers.aws.bootstrap import SCOPE, VERSION, Bootstrap, BootstrapArgs

        adopted = {"adopt_buckets": tuple(self._there), "remove_all_on_destroy": remove}
        args = BootstrapArgs(self._placement, self._settings.model_copy(update=adopted))
        owner = owner_document(self.owners.owner(backend))

        def program() -> None:
            made = Bootstrap(SCOPE, args)
            s3.BucketObjectv2(
                f"{SCOPE}-owner",
                bucket=made.metadata_bucket,
                key=owner_key(SCOPE, VERSION),
                content=owner,
                content_type="application/json",
                region=args.home.region,
                opts=ResourceOptions(parent=made, delete_before_replace=True),
            )
            for name in ("metadata_bucket", "state_bucket", "manifest_bucket"):
                export(name, getattr(made, name))

        return program


def settings_of(values: Mapping[str, Any]) -> Settings:
    """Settings of a pipeline's deployment, of which its placement's buckets are no part."""
    if "bootstrap" in values:
        raise InvalidInput(
            "what a placement has once is deployed by a command of its own",
            where="clusterless:bootstrap",
            fix="cls bootstrap",
        )
    return from_config({**_ours(values), "bootstrap": False})


def _is_others(key: str) -> bool:
    """Whether a setting is of another namespace: kinds that other packages bring have their own, as in a stack's settings."""
    return ":" in key and not key.startswith(f"{NAMESPACE}:")


def _ours(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if not _is_others(key)}


def _others(values: Mapping[str, Any]) -> dict[str, str]:
    """As Pulumi keeps them: texts, and all else as JSON."""
    found = {key: value for key, value in values.items() if _is_others(key)}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in found.items()}


def examine(pipeline: Pipeline, values: Mapping[str, Any], folder: Path, *, imports: bool = True) -> list[Problem]:
    """All that is wrong with a pipeline as it would be deployed. AWS is asked for nothing but datasets of other projects.

    Its functions are packed for that, and with ``imports`` their handlers imported. Where packages cannot be had now, that is a
    warning. Raises :class:`~clusterless.ClusterlessError` for settings that lead nowhere.
    """
    settings = settings_of({**values, **({} if imports else {"importHandlers": False})})
    placed = completed(settings.placed(pipeline), settings)
    there = Existing(Home.of(placed.placement))
    if find_spec("boto3") is not None:
        there.check_region()
    known = externals(placed, there)
    found = verify(placed, capabilities(settings.rules), external=known)
    if any(it.severity == "error" for it in found):
        return found
    if any(it.code == "external" for it in found):
        return [*found, Problem("warning", "", "its functions were not looked at, as not all they read is known", "", UNTRIED)]
    missing = [name for name in ("pulumi", "pulumi_aws") if find_spec(name) is None]
    if missing:
        what = f"its functions were not looked at: packages that deploying needs are not here ({', '.join(missing)})"
        return [*found, Problem("warning", "", what, "pip install 'clusterless[aws]'", UNTRIED)]
    nobody = Owner("", "", "", "")  # nothing is deployed: whose it would be is not asked
    args = DeploymentArgs(placed, settings, folder.resolve(), known, nobody)
    return [*found, *(replace(it, severity="warning") if it.code == UNREACHABLE else it for it in args.problems)]


def void(_: object) -> None:
    """Programs return nothing."""


def _stack(home: Home, version: str) -> str:
    """One stack for each placement and version; none of the first three holds a dot."""
    return shorten(".".join((home.region, home.account, home.stage or NO_STAGE, version)), LONGEST)


def _backend(home: Home) -> str:
    return f"s3://{home.metadata}/pulumi?region={home.region}"


def _key(home: Home, settings: Settings) -> str | None:
    return f"awskms:///{settings.kms_key}?region={home.region}" if settings.kms_key else None
