"""Arcs whose handler is of another language: a second function, on the runtime of that language.

The first function claims a lot, calls the second and is done; Lambda tells it how the call ended, and it commits. ::

    function ──asynchronous call──▶ handler's function, in a role of its own
       ▲                                  │ its end, well or badly: a destination
       └──────────────────────────────────┘

The handler's role may read what its lots hold and write below its sinks; of the protocol it sees the manifests of its sources.
What a stack sets for the arc (memory, concurrency) is the handler's.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

import pulumi
from pulumi_aws import cloudwatch, lambda_, s3

from clusterless.providers.aws import iam as policies
from clusterless.providers.aws import wiring
from clusterless.providers.aws.archive import LONGEST_UNPACKED, LONGEST_UPLOAD, Archive
from clusterless.providers.aws.arcs import Arc
from clusterless.providers.aws.args import FunctionArgs, own_tags
from clusterless.providers.aws.code import asset_archive
from clusterless.providers.aws.component import SIX_HOURS
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.spec import ArcSpec
from clusterless.runtime.workloads.native import module_of

RUNTIMES: Mapping[str, str] = {"node22": "nodejs22.x", "node24": "nodejs24.x", "java21": "java21", "java25": "java25"}
"""Lambda's names of the runtimes that can be declared."""
LONGEST_ENVIRONMENT = 4096
"""Bytes of all of a function's variables together, with their names."""
SHORTEST_WAIT = 60
"""Seconds that Lambda lets an asynchronous call wait for its turn at least."""
_VARIABLE = re.compile(r"(?!AWS_|LAMBDA_)[A-Za-z][A-Za-z0-9_]+")
"""A variable that may be set: Lambda sets its own, ``AWS_…`` and ``LAMBDA_…``, and allows few of them to be."""


@dataclass(frozen=True)
class Code:
    """A handler's code: the files of a folder, or a file that is deployed as it is."""

    files: Archive | None
    file: Path | None

    @property
    def asset(self) -> pulumi.Archive:
        return asset_archive(self.files.files) if self.files else pulumi.FileArchive(str(self.file))

    @property
    def is_large(self) -> bool:
        """Whether it has to lie in S3 to be deployed from there."""
        return self.files.is_large if self.files else self._file.stat().st_size > LONGEST_UPLOAD

    @property
    def digest(self) -> str:
        """A hash of its contents."""
        if self.files:
            return self.files.digest
        with self._file.open("rb") as stream:
            return file_digest(stream, "sha256").hexdigest()

    @property
    def _file(self) -> Path:
        assert self.file is not None, "code is a folder or a file"
        return self.file


def code_of(args: FunctionArgs) -> Code:
    """The code that an arc's handler is deployed as. Raises :class:`InvalidInput` for what is not there, or holds no handler."""
    assert isinstance(args.spec, ArcSpec), "boundaries have no handlers"
    work, where = args.spec.workload, f"arcs.{args.spec.name}.workload"
    path = (args.folder or Path()) / str(work["code"])
    java = str(work["runtime"]).startswith("java")
    wanted = "a jar or zip file" if java else "a folder, or a zip file of one"
    if path.is_dir() and not java:
        files = [it for it in sorted(path.rglob("*")) if it.is_file() and _shown(it, path)]
        names, size = {it.relative_to(path).as_posix(): it for it in files}, sum(it.stat().st_size for it in files)
        code = Code(Archive(dict(names)), None)
    elif path.is_file() and path.suffix in (".jar", ".zip") and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            entries = packed.infolist()
        names, size = {it.filename: path for it in entries}, sum(it.file_size for it in entries)
        code = Code(None, path.absolute())
    else:
        found = "is not there" if not path.exists() else f"is not {wanted}"
        raise InvalidInput(f"the code of arc '{args.spec.name}' {found}", where=str(path), fix=f"set {where}.code to {wanted}")
    _check_handler(names, str(work["function"]), str(path), java=java)
    if size > LONGEST_UNPACKED:
        what = f"the code of '{args.spec.name}' has {size >> 20} MiB unpacked, and Lambda takes {LONGEST_UNPACKED >> 20} MiB"
        raise InvalidInput(what, where=str(path), fix="leave out what the handler does not need, or run a container")
    return code


def _shown(path: Path, folder: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _check_handler(names: Collection[str], handler: str, where: str, *, java: bool) -> None:
    if not java:
        module_of(names.__contains__, handler, where)
        return
    entry = f"{handler.partition('::')[0].replace('.', '/')}.class"
    if entry not in names and not any(re.fullmatch(r"lib/[^/]+\.jar", name) for name in names):
        raise InvalidInput(f"the code has no class of the handler {handler!r}", where=where, fix=f"looked for {entry}")


def check(args: FunctionArgs) -> None:
    """Raise what keeps an arc's handler from being deployed, before anything is registered."""
    assert isinstance(args.spec, ArcSpec), "boundaries have no handlers"
    spec, where = args.spec, f"arcs.{args.spec.name}"
    wiring.handler_timeout(spec)
    code_of(args)
    policies.handler_policy(args.config, args.names.handler_log_group, kms_key=args.settings.kms_key)
    variables = spec.workload.get("environment") or {}
    for name in variables:
        if not _VARIABLE.fullmatch(name):
            raise InvalidInput(
                f"a function cannot be given the variable {name!r}",
                where=f"{where}.workload.environment",
                fix="two or more ASCII letters, digits and '_', beginning with a letter, and not with AWS_ or LAMBDA_",
            )
    if (size := sum(len(f"{name}{value}".encode()) for name, value in variables.items())) > LONGEST_ENVIRONMENT:
        raise InvalidInput(
            f"the environment of arc '{spec.name}' has {size} bytes, and Lambda takes {LONGEST_ENVIRONMENT}",
            where=f"{where}.workload.environment",
            fix="put what is long into the code, or into a file that the handler reads",
        )


class NativeArc(Arc):
    """Hands each lot to a handler in Node or Java."""

    workload = "native"

    def __init__(self, name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check(args)
        super().__init__(name, args, opts)

    def connect(self) -> None:
        """The handler comes before the rules that have it called."""
        args = self.args
        logs = cloudwatch.LogGroup(
            self.child("handler-logs"),
            name=args.names.handler_log_group,
            retention_in_days=args.settings.log_retention_days,
            region=self.region,
            tags=args.tags,
            opts=self.options(),
        )
        role = self._make_role("handler-role", args.names.handler, policies.function_trust())
        policy = policies.handler_policy(args.config, args.names.handler_log_group, kms_key=args.settings.kms_key)
        granted = self._policy("handler-policy", role, policy)
        self.handler = self._handler(role.arn, [logs, granted])
        self.before_events += [self.handler, self._ends(granted)]
        super().connect()

    def _handler(self, role: pulumi.Input[str], after: list[pulumi.Resource]) -> lambda_.Function:
        args, code = self.args, code_of(self.args)
        assert isinstance(args.spec, ArcSpec), "boundaries have no handlers"
        work, variables = args.spec.workload, args.spec.workload.get("environment")
        stored = self._stored_code(code) if code.is_large else None
        return lambda_.Function(
            self.child("handler"),
            name=args.names.handler,
            code=None if stored else code.asset,
            s3_bucket=stored.bucket if stored else None,
            s3_key=stored.key if stored else None,
            handler=str(work["function"]),
            runtime=RUNTIMES[str(work["runtime"])],
            architectures=[args.processor],
            role=role,
            memory_size=args.memory or args.own.memory,
            timeout=wiring.handler_timeout(args.spec),
            environment={"variables": dict(variables)} if variables else None,
            reserved_concurrent_executions=args.own.concurrency,
            tracing_config={"mode": "PassThrough"},
            logging_config={"log_format": "Text", "log_group": args.names.handler_log_group},
            region=self.region,
            tags=args.tags,
            opts=self.options(depends_on=after),
        )

    def _stored_code(self, code: Code) -> s3.BucketObjectv2:
        args = self.args
        return s3.BucketObjectv2(
            self.child("handler-code"),
            bucket=args.home.metadata,
            key=f"code/{args.names.handler}/{code.digest}.zip",
            source=code.asset,
            region=self.region,
            tags=own_tags(args.spec.project, args.spec.version, args.home.stage),
            opts=self.options(depends_on=self.after),
        )

    def _ends(self, granted: pulumi.Resource) -> lambda_.FunctionEventInvokeConfig:
        """Both ends of a call go to the function that claims. Lambda checks, when this is made, that the handler's role may call
        it. A call that could not end within its attempt's lease any more is not begun."""
        spec = self.args.spec
        assert isinstance(spec, ArcSpec), "boundaries have no handlers"
        return lambda_.FunctionEventInvokeConfig(
            self.child("handler-ends"),
            function_name=self.handler.name,
            maximum_retry_attempts=0,
            maximum_event_age_in_seconds=min(SIX_HOURS, max(SHORTEST_WAIT, int(spec.lease - spec.timeout))),
            destination_config={
                "on_success": {"destination": self.function.arn},
                "on_failure": {"destination": self.function.arn},
            },
            region=self.region,
            opts=self.options(depends_on=[granted]),
        )
