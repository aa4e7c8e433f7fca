"""Looking before anything is changed: whose account, whose deployment, whose dataset, and whether a bucket tells of its objects.

Replies are those of botocore's stubber, which holds requests and replies against the service's own model.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from clusterless.providers.aws.existing import Existing, Owner, owner_key
from clusterless.providers.aws.names import Home
from clusterless.runtime.errors import ClusterlessError, InvalidInput, StoreDenied
from tests.providers.aws.declared import ACCOUNT, PLACE, REGION, deployed, pipeline

HOME = Home.of(PLACE)
ME = Owner("", "org", "proj", "dev")


@contextmanager
def account(*replies: tuple[str, dict[str, Any] | str], service: str = "s3") -> Iterator[Existing]:
    """An account that gives these replies, in order; text is the code of an error. All have to be asked for."""
    client = boto3.client(service, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        for operation, reply in replies:
            if isinstance(reply, str):
                stubber.add_client_error(operation, reply)
            else:
                stubber.add_response(operation, reply)
        yield Existing(HOME, lambda name: client)
        stubber.assert_no_pending_responses()


def holding(document: Any) -> dict[str, Any]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return {"Body": StreamingBody(io.BytesIO(body), len(body))}


def test_another_account_is_refused() -> None:
    with (
        account(("get_caller_identity", {"Account": "111111111111"}), service="sts") as existing,
        pytest.raises(InvalidInput, match=f"account 111111111111, and the pipeline's placement is {ACCOUNT}"),
    ):
        existing.check_account()
    with account(("get_caller_identity", {"Account": ACCOUNT}), service="sts") as existing:
        existing.check_account()


def test_without_credentials_it_says_how_to_have_some(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(InvalidInput, match="AWS cannot be asked") as caught:
        Existing(HOME).check_account()
    assert "aws sso login" in caught.value.fix


@pytest.mark.parametrize(
    ("record", "refused"),
    [
        (ME.data(), False),
        ({**ME.data(), "backend": "s3://state"}, False),
        ({**ME.data(), "stack": "prod"}, True),
        ({**ME.data(), "project": "other"}, True),
        (b"no json", False),
    ],
)
def test_a_second_stack_is_refused(record: Any, refused: bool) -> None:
    with account(("get_object", holding(record))) as existing:
        if not refused:
            existing.check_owner("p", "1", ME)
            return
        with pytest.raises(InvalidInput, match="p 1 is deployed by stack org/") as caught:
            existing.check_owner("p", "1", ME)
        assert caught.value.where == f"s3://{HOME.metadata}/{owner_key('p', '1')}"
        assert "clusterless:takeOver true" in caught.value.fix


def test_two_backends_that_say_so_are_two() -> None:
    assert Owner("s3://a", "o", "p", "s").is_same(Owner("", "o", "p", "s"))
    assert not Owner("s3://a", "o", "p", "s").is_same(Owner("s3://b", "o", "p", "s"))


@pytest.mark.parametrize("absent", ["NoSuchBucket", "NoSuchKey"])
def test_where_nothing_is_nobody_owns_anything(absent: str) -> None:
    with account(("get_object", absent)) as existing:
        existing.check_owner("p", "1", ME)


def test_a_refusal_is_no_absence() -> None:
    with account(("get_object", "AccessDenied")) as existing, pytest.raises(StoreDenied, match="AWS refuses it"):
        existing.check_owner("p", "1", ME)
    with account(("get_object", "InternalError")) as existing, pytest.raises(ClusterlessError, match="AWS answers"):
        existing.check_owner("p", "1", ME)


def test_a_second_producer_of_a_dataset_is_refused() -> None:
    other = {"owner": {"name": "other", "version": "1"}, "dataset": {"name": "raw", "version": "1"}}
    with (
        account(("get_object", holding(other))) as existing,
        pytest.raises(InvalidInput, match="dataset raw/1 is produced by project other 1 already"),
    ):
        existing.check_datasets(pipeline())


# -- buckets that are watched ------------------------------------------------------------------------------------------------


QUEUES = {
    "QueueConfigurations": [{"Id": "mine", "QueueArn": "arn:aws:sqs:us-east-2:086903124729:q", "Events": ["s3:ObjectCreated:*"]}]
}


def test_a_bucket_that_announces_is_left_alone() -> None:
    with account(("get_bucket_notification_configuration", {"EventBridgeConfiguration": {}})) as existing:
        existing.check_announced(["lake"], switch=True, change=True)


def test_one_that_does_not_is_told_with_the_command_that_keeps_its_other_notifications() -> None:
    with (
        account(("get_bucket_notification_configuration", QUEUES)) as existing,
        pytest.raises(InvalidInput, match="nothing would ever arrive") as caught,
    ):
        existing.check_announced(["lake"], switch=False, change=True)
    command = caught.value.fix.split("'")[1]
    assert json.loads(command) == {**QUEUES, "EventBridgeConfiguration": {}}


def test_it_is_switched_on_where_that_is_asked_for_and_never_in_a_preview() -> None:
    read = ("get_bucket_notification_configuration", QUEUES)
    with account(read) as existing:
        existing.check_announced(["lake"], switch=True, change=False)
    client = boto3.client("s3", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        stubber.add_response(*read)
        wanted = {"Bucket": "lake", "NotificationConfiguration": {**QUEUES, "EventBridgeConfiguration": {}}}
        stubber.add_response("put_bucket_notification_configuration", {}, wanted)
        Existing(HOME, lambda name: client).check_announced(["lake"], switch=True, change=True)
        stubber.assert_no_pending_responses()


def test_a_watched_bucket_that_is_not_there_is_told() -> None:
    with (
        account(("get_bucket_notification_configuration", "NoSuchBucket")) as existing,
        pytest.raises(InvalidInput, match="the watched bucket 'lake' is not there"),
    ):
        existing.check_announced(["lake"], switch=True, change=True)


class Asked(Existing):
    """Notes what is asked, and finds nothing wrong."""

    questions: list[Any]

    def __init__(self, home: Home) -> None:
        super().__init__(home, lambda name: None)
        self.questions = []

    def _ask(self, service: str, operation: str, **arguments: Any) -> dict[str, Any] | None:
        self.questions.append((operation, arguments.get("Key") or arguments.get("Bucket")))
        return {"Account": ACCOUNT, "EventBridgeConfiguration": {}} if operation != "get_object" else None


@pytest.mark.parametrize(("more", "owners"), [({}, 2), ({"bootstrap": "false"}, 1), ({"takeOver": "true"}, 0)])
def test_a_program_asks_before_it_registers_anything(more: dict[str, str], owners: int) -> None:
    asked: list[Asked] = []

    def existing(home: Home) -> Asked:
        asked.append(Asked(home))
        return asked[0]

    graph = deployed(config={"lookups": "true", **more}, existing=existing)
    questions = asked[0].questions
    assert questions[0] == ("get_caller_identity", None)
    assert ("get_bucket_notification_configuration", "lake") in questions
    assert len([key for _, key in questions if key and key.endswith("owner.json")]) == owners
    assert len(graph.of("Function")) == 5


def test_what_is_refused_registers_nothing() -> None:
    class Foreign(Asked):
        def check_account(self) -> None:
            raise InvalidInput("not yours")

    with pytest.raises(InvalidInput, match="not yours"):
        deployed(config={"lookups": "true"}, existing=Foreign)
