"""Arcs whose work is done in containers: what they register, what their roles may do, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clusterless import Dataset
from clusterless.arcs import BatchExecArc, CommandArc, batch_exec
from clusterless.model.compile import compile_pipeline
from clusterless.model.resources import ComputeEnvironment
from clusterless.providers.aws import ContainerArc, FunctionArgs, Settings, iam, wiring
from clusterless.providers.aws.config import FunctionConfig
from clusterless.providers.aws.containers import execution_policy, pushing, size
from clusterless.providers.aws.names import ComponentNames, Home
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.spec import ArcSpec
from tests.providers.aws.declared import ACCOUNT, LEFT, OTHER, PLACE, RAW, REGION, bare, deployed, pipeline, statements
from tests.support.pulumi import Graph, Node, run

IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/tool:1"
NETWORK: dict[str, Any] = {"subnets": ("subnet-1",), "security_groups": ("sg-1",)}
ARN = f"arn:aws:batch:{REGION}:{ACCOUNT}"


def spec(**options: Any) -> ArcSpec:
    made = CommandArc("box", ["tool", "$.arcNotifyEvent.lot"], reads=RAW, writes=LEFT, **{"image": IMAGE, **options})
    return next(it for it in compile_pipeline(pipeline().model_copy(update={"arcs": (made,)})).arcs if it.name == "box")


def args(of: ArcSpec | None = None, **settings: Any) -> FunctionArgs:
    return FunctionArgs(of or spec(), PLACE, Settings(**{**NETWORK, **settings}), archive=bare)


def graph(**settings: Any) -> Graph:
    return run(lambda: ContainerArc("box", args(**settings)))


def container(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(node.inputs["containerProperties"])
    return found


def test_a_container_arc_has_all_that_its_jobs_run_in() -> None:
    made = graph()
    definition, queue = made.one("box-job-definition"), made.one("box-job-queue")
    assert (definition.inputs["name"], queue.inputs["name"]) == ("DEV-s3-simple-box-20230101-00",) * 2
    assert definition.inputs["platformCapabilities"] == ["FARGATE"]
    found = container(definition)
    assert found["image"] == IMAGE
    assert found["resourceRequirements"] == [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "2048"}]
    assert (found["jobRoleArn"], found["executionRoleArn"]) == ("box-job-role.arn", "box-execution-role.arn")
    assert found["networkConfiguration"] == {"assignPublicIp": "DISABLED"}
    [order] = queue.inputs["computeEnvironmentOrders"]
    assert order == {"order": 1, "computeEnvironment": "box-job-environment.arn"}
    resources = made.one("box-job-environment").inputs["computeResources"]
    assert (resources["type"], resources["subnets"], resources["securityGroupIds"]) == ("FARGATE", ["subnet-1"], ["sg-1"])


def test_nothing_starts_a_job_before_there_is_what_it_runs_in() -> None:
    made = graph()
    for target in ("box-rule-target", "box-rule-job-target"):
        for needed in ("box-job-queue", "box-job-definition"):
            assert made.depends(made.one(target), made.one(needed))
    for needed in ("box-job-policy", "box-execution-policy", "box-job-logs"):
        assert made.depends(made.one("box-job-definition"), made.one(needed))


def test_the_function_hears_of_its_own_jobs_ends_alone() -> None:
    assert graph().one("box-rule-job").policy("eventPattern") == {
        "source": ["aws.batch"],
        "detail-type": ["Batch Job State Change"],
        "detail": {
            "jobQueue": [f"{ARN}:job-queue/DEV-s3-simple-box-20230101-00"],
            "status": ["SUCCEEDED", "FAILED"],
            "arrayProperties": {"index": [{"exists": False}]},
        },
    }


def test_the_function_knows_its_queue_and_does_not_wait_for_jobs() -> None:
    config = args(components={"box": {"divided": True}}).config
    assert config.job is not None
    assert (config.job.queue, config.job.definition) == (
        f"{ARN}:job-queue/DEV-s3-simple-box-20230101-00",
        "DEV-s3-simple-box-20230101-00",
    )
    assert config.job.divided
    assert FunctionConfig.from_json(config.to_json()) == config
    assert wiring.timeout(spec(timeout=7200.0)) == 300  # a function's end is not its job's


def test_what_the_function_may_do_with_jobs() -> None:
    policy = graph().one("box-policy")
    name = "DEV-s3-simple-box-20230101-00"
    [submit] = statements(policy, "batch:SubmitJob")
    assert submit["Resource"] == [f"{ARN}:job-definition/{name}", f"{ARN}:job-definition/{name}:*", f"{ARN}:job-queue/{name}"]
    [end] = statements(policy, "batch:TerminateJob")
    assert end["Resource"] == f"{ARN}:job/*"
    assert [it["Resource"] for it in statements(policy, "batch:DescribeJobs")] == ["*"]


def test_a_container_may_read_its_lots_and_write_its_sinks_and_nothing_of_the_protocol() -> None:
    made = graph()
    policy = made.one("box-job-policy")
    [writes] = statements(policy, "s3:PutObject")
    assert writes["Resource"] == "arn:aws:s3:::lake/left/*"
    assert not [it for it in policy.policy()["Statement"] if "arc-state" in json.dumps(it) or "batch" in json.dumps(it)]
    reads = json.dumps([it["Resource"] for it in statements(policy, "s3:GetObject")])
    assert "arn:aws:s3:::lake/raw/*" in reads
    assert "datasets/name=raw/version=1/*" in reads
    own = [it["Resource"] for it in statements(made.one("box-policy"), "s3:GetObject")]
    assert "lake/raw/" not in json.dumps(own)  # who submits a job reads none of its objects
    trust = made.one("box-job-role").policy("assumeRolePolicy")["Statement"][0]
    assert trust["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}


def test_who_starts_a_container_may_fetch_its_image_alone() -> None:
    home = Home.of(PLACE)
    found = execution_policy(home, IMAGE, "/aws/batch/x")["Statement"]
    assert [it["Resource"] for it in found] == [
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/batch/x:*",
        f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/team/tool",
        "*",  # of GetAuthorizationToken, which is of no repository
    ]
    assert len(execution_policy(home, "python:3.13", "/aws/batch/x")["Statement"]) == 1


SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:clusterless/dev/S3Simple/db-password"
LOOKED_UP = {"aws:secretsmanager/getSecret:getSecret": {"arn": f"{SECRET}-AbCdEf"}}


@pytest.mark.parametrize("preview", [True, False])
def test_declared_secrets_are_handed_over_by_batch_to_the_container_alone(preview: bool) -> None:
    of = args(spec(secrets=["db-password", "token"]), secrets={"token": "ssm:/team/token"})
    made = run(lambda: ContainerArc("box", of), calls=LOOKED_UP, preview=preview)
    parameter = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/team/token"
    if not preview:
        assert container(made.one("box-job-definition"))["secrets"] == [
            {"name": "CLS_SECRET_DB_PASSWORD", "valueFrom": f"{SECRET}-AbCdEf"},
            {"name": "CLS_SECRET_TOKEN", "valueFrom": parameter},
        ]
    starts = made.one("box-execution-policy")
    [secret], [one] = statements(starts, "secretsmanager:GetSecretValue"), statements(starts, "ssm:GetParameters")
    assert (secret["Resource"], one["Resource"]) == (f"{SECRET}-??????", parameter)
    for policy in ("box-policy", "box-job-policy", "box-alarm-policy"):
        assert not [it for it in made.one(policy).policy()["Statement"] if "secret" in str(it) or "ssm:" in str(it)], policy


def test_a_container_without_secrets_is_handed_none() -> None:
    assert container(graph().one("box-job-definition"))["secrets"] == []


def test_a_key_of_one_s_own_is_for_containers_too() -> None:
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"
    assert [it["Resource"] for it in statements(graph(kms_key=key).one("box-job-policy"), "kms:Decrypt")] == [key]


@pytest.mark.parametrize(
    ("vcpus", "memory", "got"),
    [
        (None, None, (0.25, 2048)),
        (None, 3072, (0.5, 3072)),
        (None, 122_880, (16, 122_880)),
        (4, None, (4, 8192)),
        (1, 4096, (1, 4096)),
    ],
)
def test_sizes(vcpus: float | None, memory: int | None, got: tuple[float, int]) -> None:
    assert size(vcpus, memory, "box") == got


@pytest.mark.parametrize(
    ("vcpus", "memory", "told", "fix"),
    [
        (None, 700, "Fargate has no containers with 700 MB", "512 can be had"),
        (3, None, "Fargate has no containers with 3 processors", "one of 0.25, 0.5, 1, 2, 4, 8, 16"),
        (0.25, 4096, "Fargate gives no 4096 MB with 0.25 processors", "one of 512, 1024, 2048"),
    ],
)
def test_sizes_that_are_none(vcpus: float | None, memory: int | None, told: str, fix: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        size(vcpus, memory, "box")
    assert (caught.value.what, caught.value.fix, caught.value.where) == (told, fix, "clusterless:components.box")


def test_what_is_missing_is_told_before_anything_is_registered() -> None:
    unnamed = CommandArc("box", ["tool"], reads=RAW, writes=LEFT)
    for of, config, told in (
        (
            pipeline(CommandArc("box", ["tool"], reads=RAW, writes=LEFT, image=IMAGE)),
            {"subnets": '["s"]'},
            "needs a network",
        ),
        (
            pipeline(unnamed).model_copy(update={"boundaries": pipeline().boundaries}),
            {"subnets": '["s"]', "securityGroups": '["g"]'},
            "nothing says in which image",
        ),
        (
            pipeline(CommandArc("box", ["tool"], reads=RAW, writes=LEFT, image=IMAGE, secrets=["a-key", "a_key"])),
            {"subnets": '["s"]', "securityGroups": '["g"]'},
            "several secrets of arc 'box' would be handed to its container as CLS_SECRET_A_KEY",
        ),
    ):
        with pytest.raises(InvalidInput, match=told):
            deployed(_without_left(of), config=config)


def _without_left(of: Any) -> Any:
    """The pipeline without the join that writes the same dataset."""
    return of.model_copy(update={"arcs": tuple(it for it in of.arcs if it.name != "join")})


def test_commands_share_an_environment_in_a_network_that_is_made_where_none_is_named() -> None:
    sinks = [Dataset(name, "1", f"s3://lake/{name}/") for name in ("a", "b")]
    made = deployed(pipeline(*(CommandArc(it.name, ["tool"], reads=OTHER, writes=it, image=IMAGE) for it in sinks)))
    [environment] = [it for it in made.of("ComputeEnvironment") if it.custom]
    arn = f"{ARN}:compute-environment/{environment.inputs['name']}"
    assert made.depends(environment, made.one("S3Simple-network-route"))
    for name in ("a", "b"):
        queue = made.one(f"S3Simple-{name}-job-queue")
        assert queue.inputs["computeEnvironmentOrders"][0]["computeEnvironment"] == arn
        assert made.depends(queue, environment)
        found = container(made.one(f"S3Simple-{name}-job-definition"))
        assert found["networkConfiguration"] == {"assignPublicIp": "ENABLED"}


def test_the_predecessor_s_container_runs_where_and_as_it_says() -> None:
    work = batch_exec.BatchExecWorkload(
        compute_environment_ref="env", image_path="image", command=("python", "-m", "tool"), environment={"A": "1"}
    )
    of = pipeline(
        ComputeEnvironment(name="env", compute_environment_name="simple"),
        BatchExecArc("box", reads={"main": OTHER}, writes={"main": LEFT}, workload=work),
    )
    config = {"subnets": '["s"]', "securityGroups": '["g"]', "components": json.dumps({"box": {"image": IMAGE}})}
    made = deployed(_without_left(of), config=config)
    queue, definition = made.one("S3Simple-box-job-queue"), made.one("S3Simple-box-job-definition")
    [order] = queue.inputs["computeEnvironmentOrders"]
    environment = made.one("S3Simple-env-environment")
    assert order["computeEnvironment"] == f"{ARN}:compute-environment/{environment.inputs['name']}"
    assert made.depends(queue, environment)
    found = container(definition)
    assert found["resourceRequirements"] == [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "1024"}]
    assert found["runtimePlatform"]["cpuArchitecture"] == "X86_64"
    assert made.one("S3Simple-box-function").inputs["architectures"] == ["arm64"]
    assert not [node for node in made.of("ComputeEnvironment") if node.name == "S3Simple-box-job-environment"]


def test_policies_of_other_arcs_hold_nothing_of_jobs() -> None:
    made = deployed()
    assert "batch:" not in json.dumps([node.policy() for node in made.of("RolePolicy")])
    assert iam.container_trust(Home.of(PLACE))["Statement"]


def test_an_image_that_is_built_from_a_folder_has_a_repository_of_its_own() -> None:
    of = args(spec(image=None, directory="app"))
    made = run(lambda: ContainerArc("box", of))
    repository, definition = made.one("box-repository"), made.one("box-job-definition")
    assert repository.inputs["name"] == "dev-s3-simple-box-20230101-00"
    image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/dev-s3-simple-box-20230101-00:latest"
    assert container(definition)["image"] == image
    [fetches] = statements(made.one("box-execution-policy"), "ecr:BatchGetImage")
    assert fetches["Resource"] == f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/dev-s3-simple-box-20230101-00"
    assert "directory" not in of.config.spec.workload, "it is a folder of this machine"  # type: ignore[union-attr]
    assert pushing(of) == f"docker build --platform linux/arm64 --tag {image} app && docker push {image}"
    assert "box-repository" not in {node.name for node in graph()}


@pytest.mark.parametrize(
    ("arc", "version", "name"),
    [
        ("box", "1", "dev-s3-simple-box-1"),
        ("My_Box", "2023.01", "dev-s3-simple-my-box-2023-01-799bf19d"),
        ("b", "v_-1", "dev-s3-simple-b-v-1"),
    ],
)
def test_names_of_repositories(arc: str, version: str, name: str) -> None:
    assert ComponentNames(Home.of(PLACE), "S3Simple", version, "arc", arc).repository == name
