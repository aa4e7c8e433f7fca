"""The engine's events as steps and failures, and the file of settings: without an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pulumi.automation import EngineEvent

from clusterless.model.problems import Problem, ProjectErrors
from clusterless.operations.deploying.failing import advice
from clusterless.operations.deploying.settings import FILE, in_words_of_file, read_settings
from clusterless.operations.deploying.steps import Failure, failures_of, parse_urn, progress_of, shown_type, steps_of, warnings_of
from clusterless.runtime.errors import InvalidInput

FUNCTION = "urn:pulumi:dev::shop::clusterless-aws:index:FunctionArc$aws:lambda/function:Function::shop-clean-function"
BUCKET = "urn:pulumi:dev::shop::aws:s3/bucket:Bucket::shop-lake"
STACK = "urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev"


def event(**fields: Any) -> EngineEvent:
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, **fields})


def metadata(op: str, urn: str, old: Any = None, new: Any = None, **more: Any) -> dict[str, Any]:
    states = {"old": old and {"urn": urn, **old}, "new": new and {"urn": urn, **new}}
    return {"metadata": {"op": op, "urn": urn, "type": parse_urn(urn)[0], "provider": "", **states, **more}}


def planned(op: str, urn: str, **more: Any) -> EngineEvent:
    return event(resourcePreEvent=metadata(op, urn, **more))


def said(severity: str, message: str, urn: str = "") -> EngineEvent:
    return event(diagnosticEvent={"severity": severity, "message": message, "color": "never", "urn": urn})


# -- failures in words -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "advised"),
    [
        ("LimitExceeded: Cannot exceed quota for RolesPerAccount: 1000", "have it raised"),
        ("LimitExceededException: The requested resource exceeds the maximum number allowed", "have it raised"),
        ("CodeStorageExceededException: Code storage limit exceeded.", "have it raised"),
        ("TooManyBuckets: You have attempted to create more buckets than allowed", "have it raised"),
        (
            (
                "InvalidParameterValueException: Specified ReservedConcurrentExecutions for function decreases account's "
                "UnreservedConcurrentExecution below its minimum value of [100]."
            ),
            "have it raised",
        ),
        ("TooManyRequestsException: Rate exceeded", "wait a little"),
        ("RequestLimitExceeded: Request limit exceeded.", "wait a little"),
        ("VpcLimitExceeded: The maximum number of VPCs has been reached.", "have it raised"),
        ("BucketAlreadyExists: The requested bucket name is not available.", "belongs to somebody else"),
        ("BucketAlreadyOwnedByYou: Your previous request to create the named bucket succeeded", "existingBuckets"),
        ("EntityAlreadyExists: Role with name DEV-shop-add-up already exists.", "has not made"),
        ("AccessDenied: User: arn:aws:iam::1:user/x is not authorized to perform: iam:CreateRole", "docs/aws.md"),
        ("ValidationException: 1 validation error detected", ""),
    ],
)
def test_what_a_cloud_says_comes_with_what_to_do(said: str, advised: str) -> None:
    assert advised in advice(said)
    assert bool(advice(said)) == bool(advised)


# -- steps -----------------------------------------------------------------------------------------------------------------


def test_what_is_made_is_named_as_in_the_program() -> None:
    [step] = steps_of([planned("create", FUNCTION, new={"inputs": {"memorySize": 512}})])
    assert (step.op, step.type, step.name, step.changes) == ("create", "aws:lambda:Function", "shop-clean-function", ())


def test_what_changes_is_shown_with_both_values_where_they_are_short() -> None:
    old = {"inputs": {"memorySize": 512, "publish": True, "description": "x" * 100, "environment": {"variables": {"A": "1"}}}}
    new = {"inputs": {"memorySize": 1024, "publish": False, "description": "y", "environment": {"variables": {"A": "2"}}}}
    paths = ("memorySize", "publish", "description", "environment.variables.A", "code")
    differences = {path: {"diffKind": "update", "inputDiff": True} for path in paths}
    [step] = steps_of([planned("update", FUNCTION, old=old, new=new, detailedDiff=differences)])
    assert step.changes == (
        "code",
        "description",
        "environment.variables.A: 1 → 2",
        "memorySize: 512 → 1024",
        "publish: true → false",
    )


def test_where_no_provider_says_what_differs_the_inputs_do() -> None:
    [step] = steps_of([planned("update", FUNCTION, old={"inputs": {"a": 1, "b": 2}}, new={"inputs": {"a": 1, "b": 3}})])
    assert step.changes == ("b: 2 → 3",)


def test_a_replacement_is_one_step() -> None:
    events = [planned(op, BUCKET) for op in ("delete-replaced", "replace", "create-replacement")]
    assert [step.op for step in steps_of(events)] == ["replace"]


def test_what_stays_as_it_is_and_the_engine_s_own_are_left_out() -> None:
    provider = "urn:pulumi:dev::shop::pulumi:providers:aws::default"
    events = [planned("same", BUCKET), planned("create", STACK), planned("create", provider), planned("read", FUNCTION)]
    assert steps_of(events) == []


def test_what_is_only_forgotten_is_left_behind() -> None:
    events = [planned("delete", BUCKET, old={"retainOnDelete": True}), planned("delete", FUNCTION, old={})]
    assert [step.op for step in steps_of(events)] == ["retain", "delete"]


def test_types_and_names() -> None:
    assert parse_urn(FUNCTION) == ("aws:lambda/function:Function", "shop-clean-function")
    assert parse_urn("urn:pulumi:dev::shop::a:b:C::d::e") == ("a:b:C", "d::e"), "names may hold what parts them"
    assert parse_urn("") == ("", "")
    assert shown_type("aws:s3/bucket:Bucket") == "aws:s3:Bucket"
    assert shown_type("clusterless-aws:index:FunctionArc") == "clusterless-aws:index:FunctionArc"


# -- progress and failures -------------------------------------------------------------------------------------------------


def test_progress() -> None:
    told = [
        planned("create", BUCKET),
        event(resOutputsEvent=metadata("create", BUCKET)),
        event(resOpFailedEvent={**metadata("create", BUCKET), "status": 0, "steps": 0}),
        said("info", "hello"),
        planned("same", BUCKET),
    ]
    found = [progress_of(it) for it in told]
    assert [it and it.state for it in found] == ["begun", "done", "failed", None, None]


def test_failures_are_told_with_what_failed() -> None:
    events = [
        said("error", "<{%reset%}>AccessDenied: no<{%reset%}>\n", FUNCTION),
        said("error", "AccessDenied: no", FUNCTION),
        said("warning", "deprecated", FUNCTION),
        said("error", "update failed", STACK),
    ]
    assert failures_of(events) == [Failure("aws:lambda:Function", "shop-clean-function", "AccessDenied: no")]
    assert warnings_of(events) == ["deprecated"]


def test_what_was_not_come_to_after_a_failure_is_none() -> None:
    follows = said("error", f"expected resource operations for {BUCKET} but none were seen", BUCKET)
    events = [said("error", "AccessDenied: no", FUNCTION), follows]
    assert [it.name for it in failures_of(events)] == ["shop-clean-function"]
    assert [it.name for it in failures_of(events[1:])] == ["shop-lake"]


def test_the_whole_fails_where_nothing_else_is_told() -> None:
    assert failures_of([said("error", "the program raised", STACK)]) == [Failure("", "", "the program raised")]


# -- settings --------------------------------------------------------------------------------------------------------------


def test_settings_lie_beside_the_pipeline(tmp_path: Path) -> None:
    assert read_settings(tmp_path) == (str(tmp_path / FILE), {})
    (tmp_path / FILE).write_text('root = "s3://lake/"\n[components.clean]\nmemory = 2048\n')
    assert read_settings(tmp_path)[1] == {"root": "s3://lake/", "components": {"clean": {"memory": 2048}}}
    (tmp_path / "prod.toml").write_text('root = "s3://prod/"\n')
    assert read_settings(tmp_path, tmp_path / "prod.toml")[1] == {"root": "s3://prod/"}


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there is no such file") as caught:
        read_settings(tmp_path, tmp_path / "prod.toml")
    assert "--settings" in caught.value.fix
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_settings(tmp_path, tmp_path)


def test_a_mistake_in_the_file_is_told_by_its_line(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("memory = 512\nroot = s3\n")
    with pytest.raises(InvalidInput, match=r"is no TOML: .*line 2"):
        read_settings(tmp_path)


def test_errors_speak_of_the_file_and_not_of_a_stack() -> None:
    error = InvalidInput(
        "relative", where="clusterless:root", fix="pulumi config set clusterless:root s3://bucket/, or declare it"
    )
    told = in_words_of_file(error, "deploy.toml")
    assert (told.where, told.fix) == ("deploy.toml: root", 'write root = "s3://bucket/" into deploy.toml, or declare it')
    many = ProjectErrors([Problem("error", "clusterless:memory", "too small", ""), Problem("error", "arcs[0]", "no", "mend it")])
    found = in_words_of_file(many, "deploy.toml")
    assert isinstance(found, ProjectErrors)
    assert [it.where for it in found.problems] == ["deploy.toml: memory", "arcs[0]"]
    taken = InvalidInput("another's", fix="deploy from there, or hand it over: pulumi config set clusterless:takeOver true")
    assert in_words_of_file(taken, "deploy.toml").fix.endswith("bring its state here and: cls adopt")
    shared = InvalidInput("it is there", fix="use it: pulumi config set clusterless:existingBuckets '[\"lake\"]'")
    assert in_words_of_file(shared, "deploy.toml").fix == 'use it: write existingBuckets = ["lake"] into deploy.toml'
    theirs = InvalidInput("no key", where="acme:exportKey", fix="pulumi config set acme:exportKey arn:aws:kms; ask for it")
    assert in_words_of_file(theirs, "deploy.toml").fix == 'write "acme:exportKey" = "arn:aws:kms" into deploy.toml; ask for it'
