"""Workloads are found by kind, and imported on use."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.work import NOTHING, Produced, Work
from clusterless.runtime.workloads import KINDS, Host, execute, workload_for
from tests.runtime.workloads.world import World


def of_a_third_party(work: Work, host: Host) -> dict[str, Produced]:
    assert host.limit(work) == 5
    return dict.fromkeys(work.sinks, NOTHING)


@pytest.mark.parametrize("kind", KINDS)
def test_our_kinds_are_there(kind: str) -> None:
    assert workload_for({"kind": kind}).__module__ == KINDS[kind].partition(":")[0]


def test_a_third_party_is_named_by_its_dotted_path() -> None:
    world = World()
    work = world.work({"kind": f"{__name__}:of_a_third_party"}, world.given({"a": "x"}))
    assert execute(work, timeout=5) == {"main": NOTHING}


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (
            "",
            r"no workload of kind '' here \(known are copy, function, command, native, glueAddPartitions; others are named",
        ),
        ("cop", "there is no workload of kind 'cop'"),
        ("no_such_package:run", "cannot be loaded: No module named 'no_such_package'.*install the package"),
        (f"{__name__}:missing", "cannot be loaded"),
    ],
)
def test_an_unknown_kind_is_told_which_there_are(kind: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        workload_for({"kind": kind})


def test_nothing_is_imported_before_it_is_used() -> None:
    text = "import sys, clusterless.runtime.workloads; print([m for m in sys.modules if 'subprocess' in m or 'workloads.' in m])"
    loaded = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "['clusterless.runtime.workloads.host']"


def test_a_functions_process_imports_no_declarations() -> None:
    text = "import sys, clusterless.runtime.workloads.child; print({'pydantic', 'obstore', 'asyncio'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout.strip() == "set()"
