"""What is wrong with a pipeline as a whole: each rule, with a pipeline that breaks it and one that does not."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterless import Dataset, Pipeline, Placement, aws, azure, gcp, local
from clusterless.arcs import BatchExecArc, CopyArc, FunctionArc, GlueAddPartitionsArc, Latest, NativeArc, Window, latest, window
from clusterless.boundaries import PathFilter, PutBoundary, S3PutListenerBoundary
from clusterless.model.capabilities import Capabilities
from clusterless.model.components import Component
from clusterless.model.graph import External
from clusterless.model.problems import Problem
from clusterless.model.resources import GlueDatabase, GlueTable, S3Bucket
from clusterless.model.verify import verify
from tests.model.pipelines import LOCAL, OUT, RAW, copy, dataset, landing, made, tokenise

AWS = aws(account="123456789012", region="us-east-2", stage="dev")
A, B, C = dataset("a"), dataset("b"), dataset("c")
LOCAL_CAN = Capabilities(
    "local", boundaries=frozenset({"core:putBoundary"}), arcs=frozenset({"core:copyArc", "core:functionArc"})
)


def found(*components: Component, **options: object) -> list[Problem]:
    return verify(made(*components, **options))  # type: ignore[arg-type]


def only(problems: list[Problem], code: str) -> Problem:
    """The one problem there is, which is of this rule."""
    assert [problem.code for problem in problems] == [code], problems
    return problems[0]


def test_a_sound_pipeline_has_no_problem() -> None:
    assert found(landing(), copy("copy", RAW, OUT)) == []


def test_errors_come_before_warnings() -> None:
    problems = found(copy("copy", dataset("elsewhere"), OUT), copy("again", RAW, OUT), landing())
    assert [problem.severity for problem in problems] == ["error", "error", "warning"]


class TestWords:
    """A finding is told in the words of the declaration's author."""

    BROKEN: ClassVar[list[Component]] = [
        PutBoundary("landing", into=Dataset("raw", "1", "raw/"), watches="/raw", every="1h", start="20150517PT5M000"),
        CopyArc("copy", reads={"a.b": Dataset("raw", "1")}, writes={"c.d": Dataset("out", "1", "../out")}, policy=latest("x")),
        FunctionArc("self", tokenise, reads=dataset("own"), writes=dataset("own"), lease=5, timeout=10, isolation="process"),
        GlueTable(name="table", table_name="t", database_ref="database", path="s3://b/t/"),
    ]
    ABLE = replace(LOCAL_CAN, isolation=frozenset({"thread"}), resources=frozenset({"aws:core:glueTable"}))
    PYTHON: ClassVar[list[str]] = [
        "CopyArc('copy').policy.driver", "CopyArc('copy').writes.c.d.path", "FunctionArc('self').isolation",
        "FunctionArc('self').lease", "FunctionArc('self').reads", "GlueTable('table').database_ref",
        "PutBoundary('landing').into.path", "PutBoundary('landing').start",
    ]  # fmt: skip
    JSON: ClassVar[list[str]] = [
        "arcs[0].policy.driver", "arcs[0].sinks.c.d.pathURI", "arcs[1].workload.isolation",
        "arcs[1].lease", "arcs[1].sources", "resources[0].databaseRef",
        "boundaries[0].dataset.pathURI", "boundaries[0].start",
    ]  # fmt: skip

    def test_arguments_where_it_is_python(self) -> None:
        problems = verify(made(*self.BROKEN), self.ABLE)
        assert sorted(problem.where for problem in problems) == self.PYTHON
        assert "dataset.readonly()" in next(it.fix for it in problems if it.code == "cycle")

    def test_fields_where_it_is_json(self) -> None:
        problems = verify(Pipeline.from_json(made(*self.BROKEN).to_json()), self.ABLE)
        assert sorted(problem.where for problem in problems) == sorted(self.JSON)
        assert "'subscribe': false" in next(it.fix for it in problems if it.code == "cycle")

    def test_wherever_it_was_moved_since(self) -> None:
        moved = pickle.loads(pickle.dumps(made(*self.BROKEN).at(local("elsewhere"))))
        assert sorted(problem.where for problem in verify(moved, self.ABLE)) == self.PYTHON

    def test_a_name_that_is_taken_twice(self) -> None:
        twice = made(landing(), copy("copy", RAW, A), copy("copy", RAW, B))
        assert only(verify(twice), "duplicate-name").what == "the name 'copy' is taken by CopyArc('copy')"
        read = Pipeline.from_json(twice.to_json())
        assert only(verify(read), "duplicate-name").what == "the name 'copy' is taken by arcs[0]"


class TestDatasets:
    def test_a_source_that_nothing_here_writes_is_external(self) -> None:
        problem = only(found(copy("copy", dataset("elsewhere"), OUT)), "external")
        assert problem.severity == "warning"
        assert problem.where == "CopyArc('copy').reads.main"
        assert "'elsewhere/1'" in problem.what

    def test_and_the_nearest_dataset_is_told(self) -> None:
        problem = only(found(landing(), copy("copy", Dataset("rw", "1"), OUT)), "external")
        assert problem.fix.startswith("did you mean 'raw/1'?")

    def test_and_no_problem_when_it_is_known(self) -> None:
        known = {"elsewhere/1": External("elsewhere/", "5m")}
        assert verify(made(copy("copy", dataset("elsewhere"), OUT)), external=known) == []

    def test_two_owners(self) -> None:
        problem = only(found(landing(), copy("one", RAW, A), copy("two", RAW, Dataset("a", "1", "other/"))), "owner")
        assert problem.where == "CopyArc('two').writes.main"
        assert problem.what == "dataset 'a/1' is written by arc 'two' and by arc 'one'"

    def test_another_version_is_another_dataset(self) -> None:
        assert found(landing(), copy("one", RAW, A), copy("two", RAW, Dataset("a", "2", "a2/"))) == []

    def test_an_excluded_component_still_owns_its_dataset(self) -> None:
        excluded = PutBoundary("landing", into=RAW, every="5m", exclude=True)
        assert found(excluded, copy("copy", RAW, OUT)) == []


class TestCycles:
    def test_an_arc_that_starts_itself(self) -> None:
        arc = CopyArc("self", reads={"in": RAW, "own": A}, writes=A)
        problem = only(found(landing(), arc), "cycle")
        assert problem.what == "data flows in a circle: 'self' → 'self'"

    def test_a_longer_circle_is_told_in_the_order_of_the_data(self) -> None:
        arcs = [CopyArc("x", reads={"in": RAW, "back": C}, writes=A), copy("y", A, B), copy("z", B, C), copy("after", C, OUT)]
        problem = only(found(landing(), *arcs), "cycle")
        assert problem.what == "data flows in a circle: 'x' → 'y' → 'z' → 'x'"

    def test_each_of_two_circles(self) -> None:
        problems = found(copy("x", A, B), copy("y", B, A), copy("p", C, OUT), copy("q", OUT, C))
        assert [problem.code for problem in problems] == ["cycle", "cycle"]

    def test_reading_without_subscribing_closes_no_circle(self) -> None:
        arc = CopyArc("self", reads={"in": RAW, "own": A.readonly()}, writes=A)
        assert found(landing(), arc) == []

    def test_a_chain_of_a_thousand_arcs_is_no_circle(self) -> None:
        steps = [dataset(f"d{number}") for number in range(1_001)]
        chain = [copy(f"arc{number}", steps[number], steps[number + 1]) for number in range(1_000)]
        assert found(landing(steps[0]), *reversed(chain)) == []


class TestPaths:
    @pytest.mark.parametrize("path", ["a/", "a", "./a//", "a/inner/", "a/b/c"])
    def test_two_sinks_in_one_place(self, path: str) -> None:
        problem = only(found(landing(), copy("one", RAW, A), copy("two", RAW, Dataset("b", "1", path))), "overlap")
        assert problem.severity == "error"

    def test_neighbours_whose_names_begin_alike_are_apart(self) -> None:
        places = [Dataset("b", "1", "a.b/"), Dataset("c", "1", "a-b/"), Dataset("d", "1", "ab/")]
        assert found(landing(), copy("one", RAW, A), *(copy(it.name, RAW, it) for it in places)) == []

    def test_a_boundary_that_watches_an_arcs_output(self) -> None:
        problem = only(found(landing(), copy("copy", RAW, Dataset("out", "1", "raw/clean/"))), "overlap")
        assert problem.what == "dataset 'out/1' of arc 'copy' lies in the path of 'raw/1' of boundary 'landing'"
        assert "arrive as input" in problem.fix

    def test_two_boundaries_may_share_arrivals_knowingly(self) -> None:
        problem = only(found(landing(), landing(Dataset("some", "1", "raw/some/"), name="some")), "overlap")
        assert problem.severity == "warning"

    def test_a_path_of_each_placement(self) -> None:
        assert (
            only(
                found(
                    landing(Dataset("raw", "1", "/raw")),
                ),
                "path",
            ).what
            == "the path '/raw' leads out of the placement's root"
        )
        assert only(found(landing(Dataset("raw", "1", "a/../b"))), "path").what == "the path 'a/../b' holds '..'"
        assert only(found(landing(Dataset("raw", "1", "./"))), "path").what == "the path './' is the placement's root itself"
        assert only(found(landing(Dataset("raw", "1", "a{lot}/"))), "path").what == "the path 'a{lot}/' holds '{'"

    def test_a_cloud_needs_a_full_uri(self) -> None:
        problem = only(found(landing(), placement=AWS), "path")
        assert problem.where == "PutBoundary('landing').into.path"
        assert problem.fix == "give the full URI: s3://bucket/raw/"
        assert found(landing(Dataset("raw", "1", "s3://lake/raw/")), placement=AWS) == []

    @pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
    def test_a_bucket_is_a_folder_on_a_disk_and_that_is_told(self, scheme: str) -> None:
        problem = only(found(landing(Dataset("raw", "1", f"{scheme}://lake/raw"))), "bucket")
        assert problem.severity == "warning"
        assert problem.what == (
            f"the path '{scheme}://lake/raw' is the folder 'lake/raw/' below the root here; no bucket is read or written"
        )

    def test_once_for_all_of_a_project(self) -> None:
        raw, out = Dataset("raw", "1", "s3://lake/raw/"), Dataset("out", "1", "s3://lake/out/")
        problem = only(found(landing(raw), copy("copy", raw, out), copy("again", raw, A)), "bucket")
        assert problem.what.endswith("no bucket is read or written, and so with 1 more")

    def test_and_overlaps_as_a_folder(self) -> None:
        raw = Dataset("raw", "1", "s3://lake/raw/")
        overlap, _ = found(landing(raw), copy("copy", raw, Dataset("o", "1", "lake/raw/o")))
        assert (overlap.severity, overlap.code) == ("error", "overlap")

    @pytest.mark.parametrize("path", ["http://host/raw/", "hdfs://cluster/raw/"])
    def test_other_schemes_stand_for_nothing_on_a_disk(self, path: str) -> None:
        problem = only(found(landing(Dataset("raw", "1", path))), "path")
        assert problem.what == f"no folder stands for the path '{path}'"
        assert problem.fix == f"write one below the root: {path.partition('://')[2]}"

    @pytest.mark.parametrize(
        ("placement", "path", "fix"),
        [
            (AWS, "gs://lake/raw/", "write s3://lake/raw/"),
            (gcp("my-project-123", "europe-west1"), "s3://lake/raw/", "write gs://lake/raw/"),
            (azure("subscription", "westeurope"), "s3://lake/raw/", "write az://lake/raw/"),
            (AWS, "file://lake/raw/", "write s3://lake/raw/"),
        ],
    )
    def test_each_cloud_has_a_scheme_of_its_own(self, placement: Placement, path: str, fix: str) -> None:
        problem = only(found(landing(Dataset("raw", "1", path)), placement=placement), "path")
        assert problem.what == f"the path '{path}' leads to none of {placement.provider}'s buckets"
        assert problem.fix == fix

    def test_those_of_a_provider_from_elsewhere_are_its_own_business(self) -> None:
        acme = Placement("acme", account="1", region="r")
        problem = only(
            verify(made(landing(Dataset("raw", "1", "acme://lake/raw/")), placement=acme), Capabilities("acme")), "capability"
        )
        assert problem.what == "acme cannot run 'core:putBoundary' ('landing')"

    @pytest.mark.parametrize("placement", [AWS, LOCAL])
    def test_a_table_holds_no_objects(self, placement: Placement) -> None:
        table = Dataset("raw", "1", "glue:///database/table")
        into_copy = verify(made(copy("copy", OUT, table), placement=placement), external={"out/1": External("s3://b/o/", "5m")})
        assert "names a table, which holds no objects, and arc 'copy' writes objects" in only(into_copy, "path").what
        assert "glueAddPartitionsArc" in only(into_copy, "path").fix
        assert only(found(landing(table), placement=placement), "path").where == "PutBoundary('landing').into.path"

    def test_the_placements_own_records_are_out_of_bounds(self) -> None:
        inside = Dataset("raw", "1", "dev-clusterless-manifest-local-disk/raw/")
        assert "holds the placement's own records" in only(found(landing(inside)), "path").what

    @pytest.mark.parametrize(
        ("path", "fix"), [("s3:///raw/", "s3://bucket/raw/"), ("S3://Lake/raw/", "write s3://"), ("raw/", "give the full URI")]
    )
    def test_a_uri_without_a_bucket(self, path: str, fix: str) -> None:
        assert fix in only(found(landing(Dataset("raw", "1", path)), placement=AWS), "path").fix

    def test_a_table_may_leave_out_its_catalogue(self) -> None:
        arc = GlueAddPartitionsArc("add", reads=RAW, writes=Dataset("out", "1", "glue:///database/table"))
        assert found(landing(Dataset("raw", "1", "s3://lake/raw/")), arc, placement=AWS) == []

    def test_a_path_too_long_for_its_keys(self) -> None:
        assert only(found(landing(Dataset("raw", "1", "a/" * 300))), "path-too-long").severity == "error"
        assert only(found(landing(Dataset("raw", "1", "a" * 256))), "path-too-long").severity == "error"
        assert found(landing(Dataset("raw", "1", "a" * 255))) == []

    def test_names_that_differ_only_by_case(self) -> None:
        problems = found(landing(), copy("one", RAW, A), copy("One", RAW, Dataset("A", "1", "A/")))
        assert {(problem.code, problem.where) for problem in problems} == {
            ("case", "arcs"), ("case", "datasets"), ("case", "CopyArc('One').writes.main.path"),
        }  # fmt: skip

    def test_a_relative_filter_on_a_path_without_a_slash(self) -> None:
        bare = PutBoundary("landing", into=Dataset("raw", "1", "raw"), every="5m", filter=PathFilter(["*.log"]))
        assert only(found(bare), "filter").severity == "warning"
        slashed = PutBoundary("landing", into=RAW, every="5m", filter=PathFilter(["*.log"]))
        assert found(slashed) == []

    @given(st.lists(st.lists(st.sampled_from("ab"), min_size=1, max_size=4), min_size=1, max_size=6))
    def test_every_overlap_is_found_and_nothing_else(self, places: list[list[str]]) -> None:
        arcs = [copy(f"arc{number}", RAW, Dataset(f"d{number}", "1", "/".join(parts))) for number, parts in enumerate(places)]
        told = {problem.where for problem in found(*arcs) if problem.code == "overlap"}
        inner = {
            f"CopyArc('arc{number}').writes.main.path"
            for number, parts in enumerate(places)
            for other, prefix in enumerate(places)
            if number != other and parts[: len(prefix)] == prefix and (len(prefix) < len(parts) or other < number)
        }
        assert told == inner


class TestJoins:
    def test_an_arc_that_writes_nothing(self) -> None:
        problem = only(found(landing(), CopyArc("copy", reads=RAW, writes={})), "no-sink")
        assert (problem.severity, problem.where) == ("error", "CopyArc('copy').writes")

    def test_units_that_cannot_join(self) -> None:
        join = CopyArc("join", reads={"a": A, "b": B}, writes=OUT)
        problem = only(found(landing(A, "5m", "one"), landing(B, "1h", "two"), join), "units")
        assert problem.what == "lots of different length cannot join: 'a' has PT5M, 'b' has PT1H"

    def test_units_follow_the_data(self) -> None:
        join = CopyArc("join", reads={"a": C, "b": B}, writes=OUT)
        problems = found(join, copy("step", A, C), landing(A, "5m", "one"), landing(B, "1h", "two"))
        assert only(problems, "units").where == "CopyArc('join').reads"

    @pytest.mark.parametrize("reads", [{"a": A, "b": B.readonly()}])
    def test_a_source_that_is_only_read_joins_nothing(self, reads: dict[str, Dataset]) -> None:
        assert found(landing(A, "5m", "one"), landing(B, "1h", "two"), CopyArc("join", reads=reads, writes=OUT)) == []

    def test_latest_reads_other_units(self) -> None:
        join = CopyArc("join", reads={"a": A, "b": B}, writes=OUT, policy=latest("a"))
        assert found(landing(A, "5m", "one"), landing(B, "1h", "two"), join) == []

    def test_lots_behind_a_window_come_at_another_pace(self) -> None:
        daily = CopyArc("daily", reads=A, writes=B, policy=window(288))
        join = CopyArc("join", reads={"a": A, "b": B}, writes=OUT)
        problem = only(found(landing(A), daily, join), "units")
        assert problem.what == "lots that come at different paces cannot join: 'a' every 1 × PT5M, 'b' every 288 × PT5M"

    def test_nothing_subscribed(self) -> None:
        problem = only(found(landing(), CopyArc("copy", reads=RAW.readonly(), writes=OUT)), "no-source")
        assert problem.where == "CopyArc('copy').reads"

    @pytest.mark.parametrize(
        ("policy", "where", "what"),
        [
            (Latest("c"), "CopyArc('join').policy.driver", "there is no source 'c'"),
            (Latest("b"), "CopyArc('join').policy.driver", "source 'b' starts nothing, as it is not subscribed"),
            (Window(3, 5), "CopyArc('join').policy.slide", "a window of 3 lots every 5 leaves 2 of them out each time"),
            (
                "any",
                "CopyArc('join').writes",
                "policy 'any' has a sink for each source, and here are sources 'a' and sinks 'main'",
            ),
        ],
    )
    def test_a_policy_that_does_not_fit(self, policy: Latest | Window, where: str, what: str) -> None:
        arc = CopyArc("join", reads={"a": A, "b": B.readonly()}, writes=OUT, policy=policy)
        problems = found(landing(A, name="one"), landing(B, name="two"), arc)
        assert [(problem.where, problem.what) for problem in problems] == [(where, what)]

    def test_latest_of_one_source(self) -> None:
        assert (
            only(found(landing(), CopyArc("copy", reads=RAW, writes=OUT, policy=latest("main"))), "latest").severity == "warning"
        )

    def test_a_window_shorter_than_the_pace_of_its_source(self) -> None:
        daily = CopyArc("daily", reads=A, writes=B, policy=window(288))
        week = CopyArc("week", reads=B, writes=OUT, policy=window(7))
        problem = only(found(landing(A), daily, week), "window")
        assert problem.what == "a window of 7 × PT5M cannot hold lots of 'main', which come every 288"
        fits = CopyArc("week", reads=B, writes=OUT, policy=window(7 * 288))
        assert found(landing(A), daily, fits) == []


class TestTimes:
    def test_a_lease_that_ends_before_the_work(self) -> None:
        arc = FunctionArc("clean", tokenise, reads=RAW, writes=OUT, timeout="10m", lease="5m")
        problem = only(found(landing(), arc), "lease")
        assert problem.where == "FunctionArc('clean').lease"
        assert problem.what == "a lease of 300 s ends before a workload that may take 600 s, which would then be run twice"

    def test_a_start_of_another_unit(self) -> None:
        boundary = PutBoundary("landing", into=RAW, every="1h", start="20150517PT5M012")
        arc = CopyArc("copy", reads=RAW, writes=OUT, start="20150517PT5M013")
        problems = found(boundary, arc)
        assert [problem.where for problem in problems] == ["PutBoundary('landing').start", "CopyArc('copy').start"]
        assert problems[0].fix == "that would be 20150517PT1H001; a date works for any unit"

    def test_a_pipelines_start_serves_every_unit(self) -> None:
        assert found(landing(A, "5m", "one"), landing(B, "1h", "two"), start="20150517PT5M012") == []


class TestNames:
    def test_unique_within_a_list(self) -> None:
        problem = only(found(landing(), copy("copy", RAW, A), copy("copy", RAW, B)), "duplicate-name")
        assert problem.where == "CopyArc('copy').name"

    def test_names_that_become_one_in_a_cloud(self) -> None:
        sink = (Dataset("a", "1", "s3://b/a/"), Dataset("b", "1", "s3://b/b/"))
        problems = found(
            landing(Dataset("raw", "1", "s3://b/raw/")), copy("copyA", RAW, sink[0]), copy("copy-a", RAW, sink[1]), placement=AWS
        )
        assert only(problems, "label").what == "the names copyA, copy-a all become 'copy-a' in the cloud"

    def test_a_stage_too_long_for_the_placements_buckets(self) -> None:
        assert only(found(landing(), placement=local("lake", stage="s" * 40)), "name-too-long").where == "placement"


class TestReferences:
    TABLE: ClassVar[dict[str, Any]] = {"database_ref": "database", "table_name": "t", "path": "s3://b/t/"}

    def test_a_resource_of_the_project(self) -> None:
        database = GlueDatabase(name="database", database_name="d")
        assert found(database, GlueTable(name="table", **self.TABLE)) == []

    def test_one_that_is_not_there(self) -> None:
        problem = only(
            found(GlueDatabase(name="databases", database_name="d"), GlueTable(name="table", **self.TABLE)), "reference"
        )
        assert (problem.where, problem.fix) == ("GlueTable('table').database_ref", "did you mean 'databases'?")

    def test_one_of_another_type(self) -> None:
        bucket = S3Bucket(name="database", bucket_name="bucket")
        assert only(found(bucket, GlueTable(name="table", **self.TABLE)), "reference").where == "GlueTable('table').database_ref"

    def test_full_references_lead_elsewhere(self) -> None:
        reference = {**self.TABLE, "database_ref": "ref:aws:arn:dev:other:1:core:glue-database:d"}
        assert found(GlueTable(name="table", **reference)) == []

    def test_one_inside_a_workload(self) -> None:
        workload = {"computeEnvironmentRef": "simple", "imagePath": "app"}
        arc = BatchExecArc("run", reads=RAW, writes=OUT, workload=workload)  # type: ignore[arg-type]
        assert only(found(landing(), arc), "reference").where == "BatchExecArc('run').workload.compute_environment_ref"


class TestProvider:
    def test_one_that_nobody_knows_may_be_a_slip(self) -> None:
        problem = only(found(placement=Placement("awss", account="1", region="r")), "provider")
        assert (problem.severity, problem.where) == ("warning", "placement.provider")
        assert problem.fix.startswith("did you mean 'aws'?")

    def test_one_that_says_what_it_can_do_is_known(self) -> None:
        assert verify(made(placement=Placement("acme", account="1", region="r")), Capabilities("acme")) == []

    def test_a_kind_it_cannot_do(self) -> None:
        listener = S3PutListenerBoundary("landing", into=RAW, every="Twelfths")
        problem = only(verify(made(listener), LOCAL_CAN), "capability")
        assert problem.where == "S3PutListenerBoundary('landing')"
        assert problem.what == "local cannot run 'aws:core:s3PutListenerBoundary' ('landing')"

    def test_a_runtime_it_does_not_have(self) -> None:
        arc = NativeArc("n", "com.acme.Handler", runtime="java21", code="n.jar", reads=RAW, writes=OUT)
        able = replace(LOCAL_CAN, arcs=frozenset({"core:nativeArc"}), runtimes=frozenset({"node24", "node22"}))
        problem = only(verify(made(landing(), arc), able), "capability")
        assert problem.where == "NativeArc('n').runtime"
        assert problem.what == "local calls no handlers of java21"
        assert problem.fix == "it has node22, node24; elsewhere, a commandArc runs a program of any language"

    def test_unless_it_is_excluded(self) -> None:
        listener = S3PutListenerBoundary("landing", into=RAW, every="Twelfths", exclude=True)
        assert verify(made(listener), LOCAL_CAN) == []

    def test_an_isolation_or_order_it_does_not_have(self) -> None:
        arc = FunctionArc("clean", tokenise, reads=RAW, writes=OUT, isolation="process", ordered=True)
        able = replace(LOCAL_CAN, isolation=frozenset({"thread"}), ordered=False)
        assert verify(made(landing(), arc), LOCAL_CAN) == []
        assert [problem.where for problem in verify(made(landing(), arc), able)] == [
            "FunctionArc('clean').isolation",
            "FunctionArc('clean').ordered",
        ]

    def test_the_record_of_another_provider(self) -> None:
        pipeline = made(landing(Dataset("raw", "1", "s3://b/raw/")), placement=AWS)
        assert only(verify(pipeline, LOCAL_CAN), "capability").where == "placement.provider"

    @pytest.mark.parametrize(("arcs", "fits"), [(299, True), (300, False)])
    def test_the_quota_of_rules(self, arcs: int, fits: bool) -> None:
        boundary = landing(Dataset("raw", "1", "s3://b/raw/"))
        many = [copy(f"arc{number}", RAW, Dataset(f"d{number}", "1", f"s3://b/{number}/")) for number in range(arcs)]
        problems = found(boundary, *many, placement=AWS)
        assert [problem.code for problem in problems] == ([] if fits else ["quota"])

    def test_kinds_have_as_many_rules_as_their_provider_says(self) -> None:
        boundary = landing(Dataset("raw", "1", "s3://b/raw/"))
        many = [copy(f"arc{number}", RAW, Dataset(f"d{number}", "1", f"s3://b/{number}/")) for number in range(3)]
        able = Capabilities("aws", boundaries=frozenset({"core:putBoundary"}), arcs=frozenset({"core:copyArc"}), rules=6)
        for each, fits in ({"core:copyArc": 2}, False), ({"core:copyArc": 2, "core:putBoundary": 0}, True):
            problems = verify(made(boundary, *many, placement=AWS), replace(able, rules_of=each))
            assert [problem.what for problem in problems] == (
                [] if fits else ["the pipeline has 7 rules, and the account's quota is 6"]
            )

    def test_a_raised_quota(self) -> None:
        boundary = landing(Dataset("raw", "1", "s3://b/raw/"))
        many = [copy(f"arc{number}", RAW, Dataset(f"d{number}", "1", f"s3://b/{number}/")) for number in range(400)]
        raised = Capabilities("aws", boundaries=frozenset({"core:putBoundary"}), arcs=frozenset({"core:copyArc"}), rules=500)
        assert verify(made(boundary, *many, placement=AWS), raised) == []


def test_verification_changes_nothing() -> None:
    pipeline = made(landing(), copy("copy", RAW, OUT))
    before = pipeline.to_json()
    assert verify(pipeline) == verify(pipeline)
    assert isinstance(pipeline, Pipeline)
    assert pipeline.to_json() == before
