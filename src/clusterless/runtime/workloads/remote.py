"""A job that runs elsewhere, in a cloud's container service or in a function of another language: what it is told, what it left.

It is told what a command of this machine is told (:mod:`command`), with one difference: nobody stands between it and the storage.
CLS_SINK_PATH is its attempt's own folder in the dataset's storage, so what it writes need not be moved; partition folders come
below it. Sink manifests of its own go, by the template, into a private tree below ``staging`` that nobody watches: publishing
is creating, and that comes after the commit.

======================  ==============================================================================================
CLS_ARC_PROPS_JSON      the arc: sources, sinks and their ``pathURI``, manifest paths and templates, ``workloadProps``
CLS_LOT                 the lot's id
CLS_SINK_PATH           where to write, for the sink ``main`` or the only one; objects below it are the result
CLS_SINK_PATHS          JSON, sink role to such a place
CLS_SOURCE_MANIFESTS    JSON, source role to a list of manifests, one for each lot; where that would be too long for the
                        service, the URI of an object that holds it
CLS_SECRET_NAME         a declared secret, by the service's own way: DB_PASSWORD for ``db-password``
======================  ==============================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, BinaryIO

from clusterless.runtime.errors import CorruptObject, InvalidInput, WorkloadError
from clusterless.runtime.frozen import replace
from clusterless.runtime.layout import MANIFEST_FILE, ManifestKey, manifest_template
from clusterless.runtime.manifest import ManifestReader
from clusterless.runtime.site import certain
from clusterless.runtime.spec import DatasetSpec
from clusterless.runtime.store import Store
from clusterless.runtime.uri import encode_path, join, relative_to
from clusterless.runtime.work import PartialResult, Produced, Work
from clusterless.runtime.workloads.contract import arc_props, arguments, event, leading, machine
from clusterless.runtime.workloads.inputs import roles_of

LONGEST = 4096
"""Characters of CLS_SOURCE_MANIFESTS: services take about 8 KiB for everything that is told."""


def command(work: Work) -> list[str]:
    """The declared command, its paths filled in."""
    given = leading(work)
    told = event(work, given.manifest_uri, work.site.absolute(given.source.dataset.path))
    return arguments(work.spec.workload["command"], told, machine(work))


def environment(work: Work, staging: str) -> dict[str, str]:
    """A job's environment: what is declared, and what :func:`told` says."""
    return {**(work.spec.workload.get("environment") or {}), **told(work, staging)}


def told(work: Work, staging: str) -> dict[str, str]:
    """The variables that say what there is to do. ``staging`` is a URI prefix of this attempt alone."""
    sinks = {role: _folder(work, sink) for role, sink in work.sinks.items()}
    datasets = {role: replace(sink, path=sinks[role]) for role, sink in work.sinks.items()}
    props = arc_props(work.spec, datasets, work.site.manifest_base)
    props["sinkManifestTemplates"] = {
        role: f"{staging}{manifest_template(sink.name, sink.version)}" for role, sink in work.sinks.items()
    }
    manifests = {role: [given.manifest_uri for given in lots] for role, lots in roles_of(work.inputs).items()}
    return {
        "CLS_ARC_PROPS_JSON": _json(props),
        "CLS_LOT": str(work.lot),
        "CLS_SINK_PATH": sinks.get("main") or next(iter(sinks.values())),
        "CLS_SINK_PATHS": _json(sinks),
        "CLS_SOURCE_MANIFESTS": _or_uri(work, staging, _json(manifests)),
    }


def parts(work: Work) -> int:
    """How many objects the lot holds: what a job that works on one each is divided by."""
    return sum(1 for given in work.inputs for _ in given.uris())


def collected(work: Work, staging: str) -> Mapping[str, Produced]:
    """What a job that ended well left, by sink: what its manifest lists, or every object below its folder.

    Raises :class:`WorkloadError` for a manifest that cannot be meant, :class:`PartialResult` for one that says it is a part.
    """
    produced: dict[str, Produced] = {}
    partly: dict[str, str] = {}
    for role, sink in work.sinks.items():
        try:
            uris = tuple(sorted(set(_uris(work, role, sink, staging, partly))))
        except (InvalidInput, CorruptObject) as error:
            raise WorkloadError(error.what, where=error.where, fix=error.fix) from error
        produced[role] = Produced(uris, len(uris))
    if partly:
        told = "; ".join(f"sink {role!r}: {comment}" for role, comment in partly.items())
        short = PartialResult(f"the job wrote a partial manifest for {told}")
        short.produced = produced
        raise short
    return produced


def _uris(work: Work, role: str, sink: DatasetSpec, staging: str, partly: dict[str, str]) -> Iterator[str]:
    found = _manifest(work, sink, staging)
    if found is None:
        yield from _below(work, _folder(work, sink))
        return
    reader, state = found
    if reader.head.lot != str(work.lot):
        raise WorkloadError(f"the job wrote a manifest of lot {reader.head.lot} under the key of lot {work.lot}")
    if reader.head.state is not None and reader.head.state != state:
        raise WorkloadError(f"the job wrote a manifest that says {reader.head.state} under a key that says {state}")
    if state == "partial":
        partly[role] = reader.head.comment or "no reason given"
    for uri in reader.uris():
        if relative_to(sink.path, uri) is None:
            raise WorkloadError(
                f"the job lists an object outside of its sink {role!r}", where=uri, fix="write below CLS_SINK_PATH"
            )
        yield from [uri] if reader.head.uri_type == "identifier" else _below(work, uri)


def _manifest(work: Work, sink: DatasetSpec, staging: str) -> tuple[ManifestReader, str] | None:
    """The manifest of the first state there is one of; partial ones lie in a folder of some attempt."""
    for state in ("complete", "empty", "partial"):
        folder = ManifestKey(sink.name, sink.version, str(work.lot), state).key.removesuffix(MANIFEST_FILE)
        store, prefix = work.site.data(staging + folder)
        for entry in store.list(prefix):
            if entry.key.endswith(f"/{MANIFEST_FILE}"):
                return ManifestReader(partial(_opened, store, entry.key), entry.key), state
    return None


def _below(work: Work, place: str) -> Iterator[str]:
    store, prefix = work.site.data(place)
    for entry in store.list(prefix):
        if not entry.key.endswith("/"):  # what consoles make to show a folder
            yield place + encode_path(entry.key[len(prefix) :])


def _folder(work: Work, sink: DatasetSpec) -> str:
    return join(sink.path, work.folder)


def _or_uri(work: Work, staging: str, text: str) -> str:
    if len(text) <= LONGEST:
        return text
    uri = f"{staging}sources.json"
    store, key = work.site.data(uri)
    certain(store.create(key, text.encode()), key)
    return uri


def _opened(store: Store, key: str) -> BinaryIO:
    stream = store.open(key)
    if stream is None:
        raise FileNotFoundError(key)
    return stream


def _json(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
