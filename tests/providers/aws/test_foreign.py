"""A watched bucket of another account: what is made here, what that account is told to make, and that both fit together."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from clusterless.model.compile import compile_pipeline
from clusterless.providers.aws import FunctionArgs, PutBoundary, Settings, foreign
from clusterless.providers.aws.settings import from_config
from clusterless.runtime.errors import ClusterlessError
from clusterless.runtime.frozen import replace
from tests.providers.aws.declared import ACCOUNT, PLACE, REGION, bare, deployed, pipeline, statements
from tests.support.pulumi import Graph, run

THEIRS = "111122223333"
LANDING = compile_pipeline(pipeline()).boundaries[0]


def args(**settings: Any) -> FunctionArgs:
    return FunctionArgs(LANDING, PLACE, Settings(bucket_accounts={"lake": THEIRS}, **settings), archive=bare)


def boundary(**settings: Any) -> Graph:
    return run(lambda: PutBoundary("in", args(**settings)))


def test_it_is_heard_of_on_a_bus_that_takes_what_one_rule_of_its_account_sends() -> None:
    graph = boundary()
    bus, policy, rule = graph.one("in-bus"), graph.one("in-bus-policy"), graph.one("in-rule")
    assert policy.inputs["eventBusName"] == bus.inputs["name"]
    (sends,) = statements(policy, "events:PutEvents")
    name = rule.inputs["name"]
    assert sends == {
        "Sid": "Sender",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{THEIRS}:root"},
        "Action": "events:PutEvents",
        "Resource": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{bus.inputs['name']}",
        "Condition": {"ArnEquals": {"aws:SourceArn": f"arn:aws:events:{REGION}:{THEIRS}:rule/{name}"}},
    }
    assert rule.policy("eventPattern")["account"] == [THEIRS]
    assert rule.inputs["eventBusName"] == graph.one("in-rule-target").inputs["eventBusName"] == bus.inputs["name"]
    assert graph.depends(graph.one("in-rule-target"), policy)


@pytest.mark.parametrize("high_rate", [False, True])
def test_who_lets_the_rule_in_names_it_on_its_bus(high_rate: bool) -> None:
    graph = boundary(components={"landing": {"high_rate": high_rate}})
    bus, rule = graph.one("in-bus").inputs["name"], graph.one("in-rule").inputs["name"]
    arn = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{bus}/{rule}"
    assert [it.inputs["sourceArn"] for it in graph.of("Permission")] == ([] if high_rate else [arn])
    queues = graph.of("QueuePolicy")
    assert len(queues) == 1 + high_rate
    for queue in queues:
        (sends,) = statements(queue, "sqs:SendMessage")
        assert sends["Condition"]["ArnEquals"] == {"aws:SourceArn": arn}


@pytest.mark.parametrize("accounts", [{}, {"lake": ACCOUNT}, {"elsewhere": THEIRS}], ids=str)
def test_a_bucket_of_one_s_own_account_takes_no_bus(accounts: dict[str, str]) -> None:
    settings = Settings(bucket_accounts=accounts)
    graph = run(lambda: PutBoundary("in", FunctionArgs(LANDING, PLACE, settings, archive=bare)))
    assert graph.of("EventBus") == []
    assert "account" not in graph.one("in-rule").policy("eventPattern")


def test_the_other_account_s_rule_is_the_one_that_the_bus_takes() -> None:
    graph, made = boundary(), foreign.template(args(), THEIRS)["Resources"]
    rule, role = made["Rule"]["Properties"], made["Role"]["Properties"]
    (sends,) = statements(graph.one("in-bus-policy"), "events:PutEvents")
    arn = sends["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert arn == f"arn:aws:events:{REGION}:{THEIRS}:rule/{rule['Name']}"
    assert rule["EventPattern"] == graph.one("in-rule").policy("eventPattern")
    (target,) = rule["Targets"]
    assert target["Arn"] == sends["Resource"]
    assert target["RoleArn"] == {"Fn::GetAtt": ["Role", "Arn"]}
    (sending,) = role["Policies"][0]["PolicyDocument"]["Statement"]
    assert sending == {"Effect": "Allow", "Action": "events:PutEvents", "Resource": target["Arn"]}
    (trusting,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trusting["Condition"] == {"StringEquals": {"aws:SourceArn": arn, "aws:SourceAccount": THEIRS}}


def test_the_bucket_s_policy_lets_in_what_the_functions_may_do() -> None:
    policy = boundary().one("in-policy")
    reads, lists = foreign.bucket_statements(args())
    assert [it["Principal"] for it in (reads, lists)] == [{"AWS": f"arn:aws:iam::{ACCOUNT}:root"}] * 2
    assert reads["Resource"] == "arn:aws:s3:::lake/raw/*"
    assert any(reads["Resource"] in it["Resource"] for it in statements(policy, reads["Action"]))
    listed = {key: lists[key] for key in lists.keys() - {"Principal"}}
    assert listed in statements(policy, "s3:ListBucket")


def test_the_plan_tells_what_to_hand_over() -> None:
    text = foreign.told(args(), THEIRS)
    assert f"hears nothing of the bucket 'lake' until its account, {THEIRS}, has three things" in text
    command = shlex.split(text[text.index("aws cloudformation") :])
    assert json.loads(command[command.index("--template-body") + 1]) == foreign.template(args(), THEIRS)
    assert set(command[command.index("--stack-name") + 1]) <= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"
    )


def test_what_is_handed_over_is_one_argument_whatever_the_path() -> None:
    odd = replace(LANDING, dataset=replace(LANDING.dataset, path="s3://lake/it's; $(here)/"))
    of = FunctionArgs(odd, PLACE, Settings(bucket_accounts={"lake": THEIRS}), archive=bare)
    text = foreign.told(of, THEIRS)
    command = shlex.split(text[text.index("aws cloudformation") :])
    assert command[-2] == "--template-body"
    assert json.loads(command[-1]) == foreign.template(of, THEIRS)


@pytest.mark.parametrize(("preview", "times"), [(True, 1), (False, 0)])
def test_it_is_told_in_the_plan_alone(preview: bool, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    monkeypatch.setattr("pulumi.warn", lambda text, *_: warned.append(text))
    run(lambda: PutBoundary("in", args()), preview=preview)
    assert warned == [foreign.told(args(), THEIRS)] * times


def test_it_is_never_made_here() -> None:
    config = {"bucketAccounts": json.dumps({"lake": THEIRS}), "root": "s3://lake/x/"}
    assert "lake" not in {node.inputs["bucket"] for node in deployed(config=config).of("Bucket")}


@pytest.mark.parametrize(("account", "fine"), [(THEIRS, True), (111122223333, True), ("12", False), (12, False), (True, False)])
def test_an_account_has_twelve_digits_though_a_configuration_may_make_a_number_of_them(account: Any, fine: bool) -> None:
    values = {"bucketAccounts": json.dumps({"lake": account})}
    if fine:
        assert from_config(values).bucket_accounts == {"lake": THEIRS}
        return
    with pytest.raises(ClusterlessError, match="bucketAccounts"):
        from_config(values)
