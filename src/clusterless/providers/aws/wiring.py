"""What is put together for one component, computed from its spec: its configuration, what starts it, its limits. Pure.

Names and ARNs come from :mod:`~clusterless.providers.aws.names`; nothing here is looked up, so a preview shows exactly what a
deployment will make.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from clusterless.model.naming import shorten
from clusterless.providers.aws.config import AlarmConfig, FunctionConfig, JobConfig
from clusterless.providers.aws.names import ComponentNames, Home
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.frozen import replace
from clusterless.runtime.layout import MANIFEST_FILE, manifest_prefix
from clusterless.runtime.lots import Unit
from clusterless.runtime.policy import picked_roles
from clusterless.runtime.spec import ActivitySpec, ArcSpec, BoundarySpec, SourceSpec
from clusterless.runtime.uri import split

Spec: TypeAlias = BoundarySpec | ArcSpec | ActivitySpec
LONGEST_PATTERN = 2048
"""Characters of an event pattern that EventBridge takes."""
LONGEST_RUN = 900
"""Seconds that a function may run."""
BOUNDARY_TIMEOUT = 300
JOB_TIMEOUT = 300
"""Seconds that the function of an arc may take whose work is done elsewhere: it has it begun, and lists what it left."""
STATES = ("complete", "empty")


def names_of(spec: Spec, home: Home) -> ComponentNames:
    """Names of what a component has of its own."""
    sort = {BoundarySpec: "boundary", ArcSpec: "arc", ActivitySpec: "activity"}[type(spec)]
    return ComponentNames(home, spec.project, spec.version, sort, spec.name)


def is_job(spec: Spec) -> bool:
    """Whether a component's work outlives its function: a command, which runs in a container."""
    return isinstance(spec, ArcSpec) and spec.workload.get("kind") == "command"


def is_native(spec: Spec) -> bool:
    """Whether a component's work is a function of its own: a handler of another language."""
    return isinstance(spec, ArcSpec) and spec.workload.get("kind") == "native"


def function_config(spec: Spec, home: Home, secrets: Mapping[str, str] | None = None, *, divided: bool = False) -> FunctionConfig:
    """What a component's function is configured with. ``divided``: jobs have a container for each object of their lot.

    ``secrets`` says where declared secrets are; one that it does not name is in Secrets Manager, as
    ``clusterless/[stage/]project/name``.
    """
    names = names_of(spec, home)
    alarms = AlarmConfig(
        group=home.schedule_group,
        prefix=names.alarm_prefix,
        target=names.function_arn,
        role=names.alarm_role_arn,
        dead_letters=names.dead_letters_arn,
    )
    arc = spec if isinstance(spec, ArcSpec) else None
    return FunctionConfig(
        spec=_portable(spec),
        account=home.account,
        region=home.region,
        function=names.function,
        manifests=home.manifests,
        state=home.state,
        alarms=alarms,
        settles=dict(_settles(arc, home)) if arc else {},
        secrets={name: (secrets or {}).get(name) or _secret(spec, name, home) for name in (arc.secrets if arc else ())},
        job=JobConfig(names.job_queue_arn, names.job, divided) if is_job(spec) else None,
        handler=names.handler if is_native(spec) else None,
    )


def _portable(spec: Spec) -> Spec:
    """Without what is of this machine alone, so that the same declaration gives the same archive anywhere: the folder that an
    image is built from."""
    if not isinstance(spec, ArcSpec) or "directory" not in spec.workload:
        return spec
    return replace(spec, workload={name: value for name, value in spec.workload.items() if name != "directory"})


def _settles(arc: ArcSpec, home: Home) -> Iterator[tuple[str, str]]:
    """The producers that an arc may have to ask: those of a join's or window's members, absent when a run is due. An arc of one
    source has to, too: it may be asked for a lot itself, by whom reads its lots, in this project or another."""
    for source in arc.sources.values():
        if producer := source.producer:
            names = ComponentNames(home, producer.project, producer.version, producer.kind, producer.name)
            yield source.dataset.id, names.settle


def _secret(spec: Spec, name: str, home: Home) -> str:
    stage = f"{home.stage.lower()}/" if home.stage else ""
    return f"secretsmanager:clusterless/{stage}{spec.project}/{name}"


def timeout(spec: Spec) -> int:
    """Seconds the function may run: a boundary's marks are quick, an arc has what its runs are given and a minute to commit."""
    if isinstance(spec, BoundarySpec):
        return BOUNDARY_TIMEOUT
    if isinstance(spec, ActivitySpec):
        return min(LONGEST_RUN, math.ceil(spec.timeout))
    if is_job(spec) or is_native(spec):
        return JOB_TIMEOUT
    return min(LONGEST_RUN, handler_timeout(spec) + 60)


def handler_timeout(spec: ArcSpec) -> int:
    """Seconds that a function has for an arc's work. Raises :class:`InvalidInput` for more than there can be."""
    if spec.timeout > LONGEST_RUN:
        raise InvalidInput(
            f"runs of arc '{spec.name}' may take {spec.timeout:g} seconds, and a function on AWS ends after {LONGEST_RUN}",
            where=f"arcs.{spec.name}.timeout",
            fix=f"at most {LONGEST_RUN}; a container has no such limit",
        )
    return math.ceil(spec.timeout)


@dataclass(frozen=True)
class Rule:
    """A rule of EventBridge."""

    name: str
    suffix: str
    """What its resource is called after its component's name."""
    pattern: str
    bus: str | None = None
    """The bus it is on, if not the account's own."""

    def arn(self, home: Home) -> str:
        return home.arn("events", f"rule/{f'{self.bus}/' if self.bus else ''}{self.name}")


def rules(spec: Spec, home: Home, sender: str | None = None) -> list[Rule]:
    """The rules that start a component: one for what a boundary watches; one for all sources whose lots start an arc, and more
    only where their patterns are too long for one. ``sender``: the account of the watched bucket, if that is another one."""
    names = names_of(spec, home)
    if isinstance(spec, ActivitySpec):
        return []
    if isinstance(spec, BoundarySpec):
        if spec.kind != "put":
            return []
        told = _arrivals(spec) if sender is None else {"account": [sender], **_arrivals(spec)}
        return [Rule(names.rule(), "rule", _checked(told, spec), names.bus if sender else None)]
    read_beside = picked_roles(spec)
    sources = [it for role, it in spec.sources.items() if it.subscribe and role not in read_beside]
    patterns = list(_announcements(sources, spec, home))
    jobs = [Rule(names.job_rule, "rule-job", _checked(_endings(names), spec))] if is_job(spec) else []
    return [
        Rule(names.rule(), "rule", patterns[0]),
        *(Rule(names.rule(str(number)), f"rule-{number}", pattern) for number, pattern in enumerate(patterns[1:], 2)),
        *jobs,
    ]


def _endings(names: ComponentNames) -> dict[str, Any]:
    """The ends of an arc's jobs; of one that is divided the whole's, not its parts'."""
    whole = {"index": [{"exists": False}]}
    detail = {"jobQueue": [names.job_queue_arn], "status": ["SUCCEEDED", "FAILED"], "arrayProperties": whole}
    return {"source": ["aws.batch"], "detail-type": ["Batch Job State Change"], "detail": detail}


def _arrivals(spec: BoundarySpec) -> dict[str, Any]:
    bucket, prefix = watched(spec)
    return _created(bucket, [{"prefix": prefix}] if prefix else [])


def watched(spec: Spec) -> tuple[str, str]:
    """Bucket and prefix that a boundary watches."""
    assert isinstance(spec, BoundarySpec)
    _, bucket, prefix = split(spec.dataset.path)
    return bucket, prefix


def _announcements(sources: Sequence[SourceSpec], spec: ArcSpec, home: Home) -> Iterator[str]:
    """As few patterns as will do: alternatives of one are ORed."""
    keys: list[dict[str, str]] = []
    for source in sources:
        longer = [*keys, *_manifests(source)]
        if keys and len(compact(_created(home.manifests, longer))) > LONGEST_PATTERN:
            yield compact(_created(home.manifests, keys))
            longer = longer[len(keys) :]
        keys = longer
    yield _checked(_created(home.manifests, keys), spec)


def _manifests(source: SourceSpec) -> list[dict[str, str]]:
    """Manifests of complete and of empty lots: of first generations, and of replays, as a wildcard crosses ``/``."""
    name, version = source.dataset.name, source.dataset.version
    prefixes = [manifest_prefix(name, version, replays=replays) for replays in (False, True)]
    return [{"wildcard": f"{prefix}lot=*/state={state}/{MANIFEST_FILE}"} for prefix in prefixes for state in STATES]


def _created(bucket: str, keys: list[dict[str, str]]) -> dict[str, Any]:
    detail: dict[str, Any] = {"bucket": {"name": [bucket]}, **({"object": {"key": keys}} if keys else {})}
    return {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": detail}


def _checked(pattern: dict[str, Any], spec: Spec) -> str:
    text = compact(pattern)
    if len(text) > LONGEST_PATTERN:
        raise InvalidInput(
            f"the event pattern of '{spec.name}' has {len(text)} characters, and EventBridge takes {LONGEST_PATTERN}",
            fix="shorten the names of the dataset or its path",
        )
    return text


def compact(document: Any) -> str:
    """JSON as AWS gives it back, so that an unchanged document is seen to be unchanged."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def readable(document: Any) -> str:
    """A record as JSON for people."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def every(unit: Unit, component: str) -> str:
    """The schedule expression of a tick at the end of each interval of ``unit``, in UTC.

    A schedule counts minutes within an hour and hours within a day, so it can tell only units that divide one of them.
    """
    hours, minutes = divmod(unit.minutes, 60)
    if unit.minutes < 60 and 60 % unit.minutes == 0:
        return f"cron(0/{unit.minutes} * * * ? *)"
    if minutes == 0:
        return f"cron(0 {f'0/{hours}' if hours < 24 else 0} * * ? *)"
    raise InvalidInput(
        f"boundary '{component}' has lots of {unit}, and a schedule on AWS cannot tell that interval",
        fix="use minutes that divide an hour, or whole hours that divide a day",
    )


def statement_id(name: str) -> str:
    """An identifier of a statement in a function's policy."""
    return shorten(name.replace(".", "_"), 100)
