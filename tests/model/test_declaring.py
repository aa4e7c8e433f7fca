"""What a pipeline author writes in Python, and what it means."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from clusterless import Dataset, Pipeline, Source, aws, azure, gcp, local
from clusterless.arcs import CommandArc, CopyArc, FunctionArc, latest, window
from clusterless.boundaries import PutBoundary, S3PutListenerBoundary, ScheduleBoundary
from clusterless.model.problems import ProjectErrors
from clusterless.runtime.errors import InvalidInput
from tests.model.pipelines import LOCAL, OUT, RAW, landing, made, tokenise


def test_a_pipeline_in_a_few_lines() -> None:
    raw = Dataset("access-logs", version="20150501", path="logs/raw/")
    clean = Dataset("access-logs-clean", version="20150501", path="logs/clean/")
    pipeline = Pipeline(
        "access-logs",
        "20150501-00",
        placement=local("./lake", stage="dev"),
        components=[
            PutBoundary("landing", watches="inbox/", into=raw, every="5m"),
            FunctionArc("clean", tokenise, reads=raw, writes=clean),
        ],
    )
    assert [component.name for component in pipeline.components] == ["landing", "clean"]
    assert pipeline.boundaries[0].dataset.path == "inbox/", "data is listed where it arrived"
    assert pipeline.arcs[0].sources == {"main": Source(raw)}
    assert pipeline.arcs[0].sinks == {"main": clean}
    assert Pipeline.from_json(pipeline.to_json()) == pipeline


def test_components_are_sorted_into_their_lists_and_keep_their_order() -> None:
    pipeline = made(CopyArc("b", reads=RAW, writes=OUT), landing(), CopyArc("a", reads=RAW, writes=OUT))
    assert [arc.name for arc in pipeline.arcs] == ["b", "a"]
    assert [boundary.name for boundary in pipeline.boundaries] == ["landing"]


def test_roles_are_named_by_a_mapping() -> None:
    arc = FunctionArc(
        "join", tokenise, reads={"left": RAW, "right": OUT.readonly()}, writes={"both": Dataset("both", "1", "both/")}
    )
    assert list(arc.sources) == ["left", "right"]
    assert list(arc.subscribed) == ["left"]
    assert list(arc.sinks) == ["both"]


def test_a_source_that_starts_nothing() -> None:
    assert RAW.readonly() == Source(RAW, subscribe=False)


def test_a_declaration_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        RAW.name = "other"  # type: ignore[misc]


def test_moving_a_pipeline_is_another_placement_and_nothing_else() -> None:
    here = made(landing())
    there = here.at(aws(account="123456789012", region="us-east-2"))
    assert there.placement.provider == "aws"
    assert there.boundaries == here.boundaries
    assert here.placement == LOCAL


def test_placements() -> None:
    assert local("lake").data() == {"provider": "local", "account": "local", "region": "disk", "root": "lake"}
    assert aws("1", "us-east-2", stage="dev").data() == {"provider": "aws", "stage": "dev", "account": "1", "region": "us-east-2"}
    assert gcp(project="p", region="r").account == "p"
    assert azure(subscription="s", region="r").account == "s"
    assert str(local("lake", stage="dev")) == "local/dev/local/disk"


def test_a_window_slides_by_its_size_unless_told_otherwise() -> None:
    assert window(288).data() == {"kind": "window", "size": 288}
    assert window(12, 1).slide == 1
    assert latest("orders").driver == "orders"


def test_all_mistakes_of_a_component_are_told_at_once_in_pythons_words() -> None:
    with pytest.raises(ProjectErrors) as caught:
        FunctionArc("cl/ean", tokenise, reads=RAW, writes=OUT, attempts=0, run_when_empti=True)  # type: ignore[call-arg]
    assert [problem.where for problem in caught.value.problems] == [
        "FunctionArc('cl/ean').name",
        "FunctionArc('cl/ean').attempts",
        "FunctionArc('cl/ean').run_when_empti",
    ]
    assert caught.value.problems[2].fix == "did you mean 'run_when_empty'?"


ANY: Any = SimpleNamespace(
    PutBoundary=PutBoundary, S3PutListenerBoundary=S3PutListenerBoundary, ScheduleBoundary=ScheduleBoundary, CopyArc=CopyArc,
    FunctionArc=FunctionArc, CommandArc=CommandArc, window=window,
)  # fmt: skip
"""As an author without a type checker has them: it would find most of these mistakes first."""


@pytest.mark.parametrize(
    ("make", "where", "words"),
    [
        (lambda: landing(every="7m"), "PutBoundary('landing').every", "does not divide a day"),
        (lambda: ANY.PutBoundary("in", into="raw", every="5m"), "PutBoundary('in').into", "expected a Dataset"),
        (lambda: ANY.PutBoundary("in", into=RAW, every="5m", key_pattern="x"), "PutBoundary('in')", "use lot_from='key'"),
        (lambda: ANY.S3PutListenerBoundary("in", into=RAW, every="5m"), "S3PutListenerBoundary('in').every", "'Twelfths'"),
        (lambda: ANY.ScheduleBoundary("in", into=RAW, every="5"), "ScheduleBoundary('in').every", "unknown lot unit"),
        (lambda: ANY.CopyArc("c", reads={"a=b": RAW}, writes=OUT), "CopyArc('c').reads.a=b", "cannot be a name"),
        (lambda: ANY.CopyArc("c", reads=RAW, writes={"x": Dataset("o", "1")}), "CopyArc('c').writes.x", "path='…/'"),
        (lambda: ANY.CopyArc("c", reads=RAW, writes=OUT, filter="*.gz"), "CopyArc('c').filter", "expected a PathFilter"),
        (lambda: ANY.CopyArc("c", reads=RAW, writes=OUT, policy="latest"), "CopyArc('c').policy", "latest(ROLE) or window(LOTS)"),
        (lambda: ANY.CopyArc("c", reads=RAW, writes=OUT, fliter=1), "CopyArc('c').fliter", "did you mean 'filter'?"),
        (lambda: ANY.CopyArc("c", reads=RAW, writes=OUT, lotUnit=1), "CopyArc('c').lotUnit", "may_fail, name, ordered"),
        (lambda: ANY.FunctionArc("f", tokenise, reads=RAW, writes=OUT, isolation="vm"), "FunctionArc('f').isolation", "'thread'"),
        (
            lambda: ANY.CommandArc("r", ["sh"], reads=RAW, writes=OUT, environment={"A": 1}),
            "CommandArc('r').environment.A",
            "text",
        ),
        (lambda: ANY.window("1h"), "window.size", "found '1h', expected a number of lots (count lots: "),
        (lambda: latest("a b"), "latest.driver", "cannot be a name"),
        (lambda: Dataset("raw", "1", ""), "Dataset('raw').path", "at least 1 character"),
    ],
)
def test_a_mistake_is_told_in_the_words_its_author_wrote(make: Callable[[], object], where: str, words: str) -> None:
    with pytest.raises(ProjectErrors) as caught:
        make()
    (problem,) = caught.value.problems
    assert problem.where == where
    assert words in str(problem)


def test_errors_travel_between_processes() -> None:
    with pytest.raises(ProjectErrors) as caught:
        Dataset("a b", "1")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("name", ["a/b", "a=b", "a%b", "a b", "", ".a", "-a", "ä", "a\n", "a" * 129, "{a}"])
def test_a_name_that_a_key_could_not_hold_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be a name"):
        Dataset(name, "1")
    with pytest.raises(InvalidInput, match="cannot be a name"):
        Dataset("a", name)


@pytest.mark.parametrize("name", ["a", "A.b_c-d", "0", "a" * 128, "state=complete".replace("=", "-"), "running.arc"])
def test_names_that_are_fine(name: str) -> None:
    assert Dataset(name, name).id == f"{name}/{name}"


def test_datasets_where_they_are_written_have_a_path() -> None:
    with pytest.raises(InvalidInput, match=r"\.writes\.main: dataset 'out/1' is written here and has no path"):
        CopyArc("copy", reads=RAW, writes=Dataset("out", "1"))
    assert CopyArc("copy", reads=Dataset("raw", "1"), writes=OUT).sources["main"].id == "raw/1"


def test_a_component_that_is_none_is_told_by_its_place() -> None:
    with pytest.raises(InvalidInput, match=r"components\[1\]: PutBoundary is a class, not a component"):
        made(landing(), PutBoundary)  # type: ignore[arg-type]


def test_reading_a_file_bypasses_the_arguments_made_for_people() -> None:
    """Pydantic would send file data through ``__init__`` and lose its strictness, did :func:`declaring` not tell it otherwise."""
    assert not FunctionArc.__pydantic_custom_init__
    assert not Dataset.__pydantic_custom_init__
