"""What ``pulumi up`` has to register for a pipeline: resources, and the program's time and memory, for 1 to 1,000 arcs.

The program runs with the SDK's own mocks, without an engine and as a preview: its time is what it takes to declare, verify,
compile, pack and register. The baseline registers as many log groups, and does nothing else: what the SDK takes by itself.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Section
from benchmarks.measuring import Ground, Sample, run
from clusterless.providers.aws.names import Home

ACCOUNT, REGION = "123456789012", "us-east-1"
STEPS = (1, 10, 100, 1_000)
HANDLER = "def work(lot, out): ...\n"


def sections(quick: bool, say: Callable[[str], None]) -> list[Section]:
    steps = STEPS[:2] if quick else STEPS
    samples: dict[int, Sample] = {}
    plain: dict[int, Sample] = {}
    with Ground("graphs") as ground:
        folder = ground.new("handlers")
        (Path(folder) / "work.py").write_text(HANDLER, encoding="utf-8")
        provision(1, folder)  # resolves the store's client, once on a machine
        for arcs in steps:
            say(f"a deployment of {arcs:,} arcs")
            samples[arcs] = provision(arcs, folder)
            plain[arcs] = run("graphs:registered", resources=samples[arcs].told["resources"])
    return [_resources(samples), _program(samples, plain)]


def provision(arcs: int, folder: str) -> Sample:
    return run("graphs:provisioned", arcs=arcs, folder=folder)


def _resources(samples: dict[int, Sample]) -> Section:
    counts = {arcs: sample.told["resources"] for arcs, sample in samples.items()}
    one, ten = counts[1], counts[10]
    each = (ten - one) / 9
    types = Counter(samples[10].told["types"]) - Counter(samples[1].told["types"])
    note = ", ".join(f"{count // 9} {name}" for name, count in sorted(types.items()))
    figures = (
        Figure("an arc of one source", (each,), "resources", note=note),
        Figure("a pipeline of no arcs: placement, one boundary, records", (one - each,), "resources"),
        *(
            Figure(f"{arcs:,} arcs", (count,), "resources", times=(count / (one + (arcs - 1) * each),))
            for arcs, count in counts.items()
        ),
    )
    return Section("Resources", figures, "Baseline: as many as the first ten arcs foretell. Components are counted, each as one.")


def _program(samples: dict[int, Sample], plain: dict[int, Sample]) -> Section:
    figures: list[Figure] = []
    for arcs, sample in samples.items():
        its, count = plain[arcs], sample.told["resources"]
        mine, theirs = sample.seconds / count * 1000, its.seconds / count * 1000
        figures += [
            Figure(f"{arcs:,} arcs", (sample.seconds,), "s", times=(sample.seconds / its.seconds,)),
            Figure("  a resource", (mine,), "ms", note=f"{theirs:.1f} ms in the baseline"),
            Figure("  peak memory", (sample.peak,), "MiB", note=f"{its.peak:.0f} MiB in the baseline"),
        ]
    remark = "Baseline: as many log groups. With the SDK's mocks as the engine; importing the SDK comes before."
    return Section("The program of a deployment", tuple(figures), remark)


def provisioned(arcs: int, folder: str) -> dict[str, Any]:
    """Deploy arcs in a binary tree of datasets, as a preview, onto mocks."""
    import pulumi_aws.cloudwatch

    import clusterless.providers.aws.provision  # noqa: F401 - imported, so that what follows is the program's own
    from clusterless import Dataset, Pipeline, aws, provision
    from clusterless.arcs import FunctionArc
    from clusterless.boundaries import PutBoundary
    from clusterless.providers.aws.package import HOST, archive
    from tests.support.pulumi import run as deploy

    del pulumi_aws
    home = Home(ACCOUNT, REGION, "bench")
    config = {"clusterless:lookups": "false", "clusterless:rules": str(arcs + 300)}
    began = time.perf_counter()
    datasets = [Dataset(f"data-{n:04d}", "1", f"s3://lake-of-benchmarks/data/{n:04d}/") for n in range(arcs + 1)]
    components = [FunctionArc(f"arc-{n:04d}", "work:work", reads=datasets[n // 2], writes=datasets[n + 1]) for n in range(arcs)]
    landing = PutBoundary("landing", into=datasets[0], every="5m")
    place = aws(home.account, home.region, stage=home.stage)
    pipeline = Pipeline("bench", "1", placement=place, components=[landing, *components])

    def packed(config: Any, **options: Any) -> Any:
        return archive(config, **{**options, "architecture": HOST, "python": ""})

    graph = deploy(lambda: provision(pipeline, folder=folder, archive=packed), preview=True, config=config)
    seconds = time.perf_counter() - began
    types = Counter(node.token for node in graph)
    return {"seconds": seconds, "resources": types.total(), "types": dict(types)}


def registered(resources: int) -> dict[str, Any]:
    """As many resources of one small type."""
    from pulumi_aws import cloudwatch

    from tests.support.pulumi import run as deploy

    def program() -> None:
        for number in range(resources):
            cloudwatch.LogGroup(f"group-{number}", name=f"group-{number}", retention_in_days=7, tags={"of": "bench"})

    cloudwatch.LogGroup  # noqa: B018 - the SDK loads its modules on first use
    began = time.perf_counter()
    deploy(program, preview=True)
    return {"seconds": time.perf_counter() - began}
