"""Arcs whose handler is of another language: what they register, what their roles may do, what is packed, what is refused."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from clusterless.arcs import NativeArc
from clusterless.model.compile import compile_pipeline
from clusterless.providers.aws import FunctionArgs, Settings, native, wiring
from clusterless.providers.aws.config import FunctionConfig
from clusterless.providers.aws.native import RUNTIMES, code_of
from clusterless.providers.aws.provider import capabilities
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.spec import ArcSpec
from tests.providers.aws.declared import ACCOUNT, LEFT, PLACE, RAW, REGION, bare, deployed, pipeline, statements
from tests.support.pulumi import Graph, run

NAME = "DEV-s3-simple-shout-func-20230101-00-us-east-2"
HANDLER = f"{NAME}-handler"
JAVA = {"runtime": "java21", "code": "shout.jar"}
LAMBDA = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pipeline's folder, with handlers of both languages."""
    (tmp_path / "shout" / "lib").mkdir(parents=True)
    (tmp_path / "shout" / "index.mjs").write_text("export async function handler() {}\n")
    (tmp_path / "shout" / "lib" / "x.js").write_text("")
    (tmp_path / "shout" / ".env").write_text("SECRET=1\n")
    with zipfile.ZipFile(tmp_path / "shout.jar", "w") as jar:
        jar.writestr("com/acme/Handler.class", b"")
    with zipfile.ZipFile(tmp_path / "fat.zip", "w") as packed:
        packed.writestr("lib/all.jar", b"")
        packed.writestr("dist/index.cjs", b"")
    return tmp_path


def declared(**options: Any) -> NativeArc:
    work = {"handler": "index.handler", "runtime": "node22", "code": "shout", **options}
    return NativeArc("shout", work.pop("handler"), reads=RAW, writes=LEFT, **work)


def spec(**options: Any) -> ArcSpec:
    made = compile_pipeline(pipeline().model_copy(update={"arcs": (declared(**options),)}))
    return next(it for it in made.arcs if it.name == "shout")


def args(folder: Path, of: ArcSpec | None = None, **settings: Any) -> FunctionArgs:
    return FunctionArgs(of or spec(), PLACE, Settings(**settings), folder, archive=bare)


def graph(folder: Path, of: ArcSpec | None = None, **settings: Any) -> Graph:
    return run(lambda: native.NativeArc("shout", args(folder, of, **settings)))


def test_the_handler_is_a_function_of_its_own_on_its_own_runtime(folder: Path) -> None:
    made = graph(folder, spec(environment={"LEVEL": "info"}, timeout=100))
    handler = made.one("shout-handler").inputs
    assert (handler["name"], handler["handler"], handler["runtime"]) == (HANDLER, "index.handler", "nodejs22.x")
    assert (handler["timeout"], handler["environment"]) == (100, {"variables": {"LEVEL": "info"}})
    assert handler["role"] == "shout-handler-role.arn"
    assert handler["loggingConfig"] == {"logFormat": "Text", "logGroup": f"/aws/lambda/{HANDLER}"}
    assert made.one("shout-handler-logs").inputs["name"] == f"/aws/lambda/{HANDLER}"
    ours = made.one("shout-function").inputs
    assert (ours["name"], ours["runtime"], ours["timeout"]) == (NAME, "python3.13", wiring.JOB_TIMEOUT)


def test_what_is_set_for_the_arc_is_its_handler_s(folder: Path) -> None:
    own = {"memory": 3008, "concurrency": 5, "architecture": "x86_64"}
    made = graph(folder, memory=256, concurrency=9, components={"shout": own})
    handler, ours = made.one("shout-handler").inputs, made.one("shout-function").inputs
    assert (handler["memorySize"], handler["reservedConcurrentExecutions"]) == (3008, 5)
    assert (ours["memorySize"], ours.get("reservedConcurrentExecutions")) == (256, None)
    assert handler["architectures"] == ours["architectures"] == ["x86_64"]


@pytest.mark.parametrize(
    ("times", "age"),
    [({}, 60), ({"timeout": 100, "lease": 1000}, 900), ({"timeout": 10, "lease": 90_000}, 21_600), ({"lease": 70}, 60)],
)
def test_both_ends_of_a_call_are_told_and_none_is_begun_too_late(folder: Path, times: dict[str, Any], age: int) -> None:
    made = graph(folder, spec(**times))
    ends = made.one("shout-handler-ends")
    assert ends.inputs["functionName"] == HANDLER
    assert ends.inputs["destinationConfig"] == {
        "onSuccess": {"destination": "shout-function.arn"},
        "onFailure": {"destination": "shout-function.arn"},
    }
    assert (ends.inputs["maximumRetryAttempts"], ends.inputs["maximumEventAgeInSeconds"]) == (0, age)
    assert made.depends(ends, made.one("shout-handler-policy"))


def test_nothing_calls_a_handler_before_it_can_be_called_and_tell_of_its_end(folder: Path) -> None:
    made = graph(folder)
    for needed in ("shout-handler", "shout-handler-ends"):
        assert made.depends(made.one("shout-rule-target"), made.one(needed))
    for needed in ("shout-handler-policy", "shout-handler-logs"):
        assert made.depends(made.one("shout-handler"), made.one(needed))
    assert not [node for node in made.of("EventRule") if node.name != "shout-rule"]  # its end comes by no rule


def test_the_function_may_call_its_handler_and_knows_it_by_name(folder: Path) -> None:
    calls = statements(graph(folder).one("shout-policy"), "lambda:InvokeFunction")
    asked, called = (it["Resource"] for it in calls)  # the producer of its source, for a lot; and the handler
    assert (asked.rpartition(":")[2], called) == ("settle", f"{LAMBDA}:{HANDLER}")
    config = args(folder).config
    assert (config.handler, config.job) == (HANDLER, None)
    assert FunctionConfig.from_json(config.to_json()) == config


def test_a_handler_may_read_its_lots_write_its_sinks_its_log_and_have_its_end_told(folder: Path) -> None:
    made = graph(folder)
    policy = made.one("shout-handler-policy")
    [writes] = statements(policy, "s3:PutObject")
    assert writes["Resource"] == "arn:aws:s3:::lake/left/*"
    reads = json.dumps([it["Resource"] for it in statements(policy, "s3:GetObject")])
    assert "arn:aws:s3:::lake/raw/*" in reads
    assert "datasets/name=raw/version=1/*" in reads
    [logs] = statements(policy, "logs:PutLogEvents")
    assert logs["Resource"] == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/{HANDLER}:*"
    [ends] = statements(policy, "lambda:InvokeFunction")
    assert ends["Resource"] == f"{LAMBDA}:{NAME}"
    whole = json.dumps(policy.policy())
    assert not [it for it in ("arc-state", "metadata", "scheduler", "sqs", "kms") if it in whole]
    own = [it["Resource"] for it in statements(made.one("shout-policy"), "s3:GetObject")]
    assert "lake/raw/" not in json.dumps(own)  # who calls a handler reads none of its objects
    trust = made.one("shout-handler-role").policy("assumeRolePolicy")["Statement"][0]
    assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_declared_secrets_are_the_handler_s_to_read(folder: Path) -> None:
    made = graph(folder, spec(secrets=["key", "other"]), secrets={"other": "ssm:/a/b"})
    policy = made.one("shout-handler-policy")
    name = "secret:clusterless/dev/S3Simple/key-??????"
    assert [it["Resource"] for it in statements(policy, "secretsmanager:GetSecretValue")] == [
        f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:{name}"
    ]
    assert [it["Resource"] for it in statements(policy, "ssm:GetParameter")] == [f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/a/b"]
    assert statements(made.one("shout-policy"), "secretsmanager:GetSecretValue") == []


def test_a_key_of_one_s_own_is_for_handlers_too(folder: Path) -> None:
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"
    assert [it["Resource"] for it in statements(graph(folder, kms_key=key).one("shout-handler-policy"), "kms:Decrypt")] == [key]


def test_a_folder_is_packed_without_what_is_hidden_wherever_it_lies(folder: Path) -> None:
    code = code_of(args(folder))
    assert code.files is not None
    assert list(code.files.files) == ["index.mjs", "lib/x.js"]
    shutil.copytree(folder / "shout", other := folder / "elsewhere" / "shout")
    assert code_of(args(other.parent)).digest == code.digest
    (other / "lib" / "x.js").write_text("1")
    assert code_of(args(other.parent)).digest != code.digest


@pytest.mark.parametrize(
    ("runtime", "handler", "file"),
    [
        ("java21", "com.acme.Handler::handle", "shout.jar"),
        ("java25", "com.acme.Other", "fat.zip"),  # in a jar of it
        ("node24", "dist/index.handler", "fat.zip"),
    ],
)
def test_a_jar_or_zip_is_taken_as_it_is(folder: Path, runtime: str, handler: str, file: str) -> None:
    made = graph(folder, spec(runtime=runtime, handler=handler, code=file)).one("shout-handler").inputs
    assert made["code"].path == str(folder / file)
    assert (made["runtime"], made["handler"]) == (RUNTIMES[runtime], handler)


def test_large_code_lies_in_the_metadata_bucket(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "LONGEST_UPLOAD", 10)
    of = spec(runtime="java21", handler="com.acme.Handler", code="shout.jar")
    made = graph(folder, of)
    stored, handler = made.one("shout-handler-code").inputs, made.one("shout-handler").inputs
    assert stored["key"] == f"code/{HANDLER}/{code_of(args(folder, of)).digest}.zip"
    assert stored["bucket"] == f"dev-clusterless-metadata-{ACCOUNT}-{REGION}"
    assert "code" not in handler or handler["code"] is None
    assert handler["s3Key"] == stored["key"]


@pytest.mark.parametrize(
    ("options", "told", "fix"),
    [
        ({"code": "absent"}, "the code of arc 'shout' is not there", "set arcs.shout.workload.code to a folder, or a zip"),
        ({"code": "shout/index.mjs"}, "the code of arc 'shout' is not a folder, or a zip file of one", "set arcs.shout"),
        ({**JAVA, "handler": "A", "code": "shout"}, "the code of arc 'shout' is not a jar or zip file", "set arcs"),
        ({"handler": "main.handler"}, "the code has no module of the handler 'main.handler'", "looked for main.js, main.mjs"),
        ({**JAVA, "handler": "com.A"}, "the code has no class of the handler 'com.A'", "looked for com/A.class"),
        ({"timeout": 901, "lease": 1000}, "runs of arc 'shout' may take 901 seconds", "at most 900"),
        ({"environment": {"AWS_REGION": "x"}}, "a function cannot be given the variable 'AWS_REGION'", "two or more ASCII"),
        ({"environment": {"LONG": "x" * 4093}}, "the environment of arc 'shout' has 4097 bytes, and Lambda takes 4096", "put"),
    ],
)  # fmt: skip
def test_what_cannot_be_deployed_is_told_before_anything_is_registered(
    folder: Path, options: dict[str, Any], told: str, fix: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        args(folder, spec(**options)).check()
    assert told in caught.value.what
    assert (caught.value.fix or "").startswith(fix)


def test_code_that_is_too_large_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "LONGEST_UNPACKED", 10)
    with pytest.raises(InvalidInput, match="the code of 'shout' has 0 MiB unpacked, and Lambda takes 0 MiB"):
        code_of(args(folder))


def test_every_runtime_that_is_promised_is_one_of_lambda_s() -> None:
    import botocore.session

    known = botocore.session.get_session().get_service_model("lambda").shape_for("Runtime").enum
    assert capabilities().runtimes == RUNTIMES.keys()
    assert set(RUNTIMES.values()) <= set(known)


@pytest.mark.parametrize("preview", [True, False])
def test_a_pipeline_is_deployed_with_it(folder: Path, preview: bool) -> None:
    of = pipeline().model_copy(update={"arcs": (declared(),)})
    made = deployed(of, preview=preview, folder=folder)
    assert made.one("S3Simple-shout-handler").inputs["runtime"] == "nodejs22.x"
    assert made.one("S3Simple-shout-function").inputs["name"] == NAME
