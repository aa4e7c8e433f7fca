"""Looking before anything is changed: whose account, whose deployment, whose dataset, and whether a bucket tells of its objects.

Replies are those of botocore's stubber, which holds requests and replies against the service's own model.
"""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from clusterless import Dataset, Pipeline
from clusterless.arcs import CopyArc
from clusterless.boundaries import PutBoundary
from clusterless.model.metadata import records_of
from clusterless.model.problems import ProjectErrors
from clusterless.model.resources import S3Bucket
from clusterless.providers.aws.bootstrap import SCOPE, VERSION
from clusterless.providers.aws.config import FILE, FunctionConfig
from clusterless.providers.aws.existing import Existing, Owner, owner_document, owner_key
from clusterless.providers.aws.names import Home
from clusterless.runtime.errors import ClusterlessError, InvalidInput, StoreDenied
from clusterless.runtime.spec import ArcSpec
from tests.providers.aws.declared import ACCOUNT, COPIED, PLACE, RAW, REGION, deployed, pipeline

HOME = Home.of(PLACE)
ME = Owner("", "org", "proj", "dev")
THEIRS = "111122223333"


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


def test_an_older_version_of_this_package_is_refused() -> None:
    """It may not know what the newer one has deployed, and would take it away."""
    with (
        account(("get_object", holding({**ME.data(), "clusterless": "1000.2.3"}))) as existing,
        pytest.raises(InvalidInput, match=r"was deployed by clusterless 1000\.2\.3, and this is") as caught,
    ):
        existing.check_owner("p", "1", ME)
    assert caught.value.fix == "pip install 'clusterless[aws]>=1000.2.3'"
    for last in ("0.0.1", json.loads(owner_document(ME))["clusterless"], "", None, "unknown"):
        with account(("get_object", holding({**ME.data(), "clusterless": last}))) as existing:
            existing.check_owner("p", "1", ME)


def test_names_that_share_all_physical_names_are_one_deployment() -> None:
    assert owner_key("S3Simple", "1") == owner_key("s3-simple", "1") == "owners/name=s3-simple/version=1/owner.json"


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


def test_buckets_of_a_placement_that_another_stack_has_made_are_used_as_they_are() -> None:
    """A program makes them, too, unless it is told not to: to take them over would end the other stack's."""
    owners = {owner_key(SCOPE, VERSION): owner_document(Owner("", "org", "clusterless-bootstrap", "dev"))}
    theirs = type("Theirs", (Registered,), {"documents": {key: text.encode() for key, text in owners.items()}})
    with pytest.raises(InvalidInput, match="bootstrap 1 is deployed by stack org/clusterless-bootstrap/dev") as caught:
        deployed(config={"lookups": "true"}, existing=theirs)
    assert caught.value.fix == "use what it has made: pulumi config set clusterless:bootstrap false"
    assert deployed(config={"lookups": "true", "bootstrap": "false"}, existing=theirs).of("Function")


# -- records -----------------------------------------------------------------------------------------------------------------


class Registered(Existing):
    """An account whose metadata bucket holds these records, and nothing else is wrong with."""

    documents: dict[str, bytes]
    tags: Sequence[dict[str, str]] = ()
    """Of every bucket."""

    def _ask(self, service: str, operation: str, **arguments: Any) -> dict[str, Any] | None:
        if operation != "get_object":
            return {"Account": ACCOUNT, "EventBridgeConfiguration": {}, "TagSet": self.tags}
        found = self.documents.get(arguments["Key"])
        return None if found is None else {"Body": io.BytesIO(found)}


def registered(of: Pipeline) -> type[Registered]:
    documents = {key: json.dumps(document).encode() for key, document in records_of(of).items()}
    return type("Registered", (Registered,), {"documents": documents})


def other(*components: Any) -> Pipeline:
    return Pipeline("other", "1", placement=PLACE, components=components)


def test_a_second_producer_of_a_dataset_is_refused() -> None:
    theirs = registered(other(PutBoundary("theirs", into=RAW, every="5m")))
    with pytest.raises(InvalidInput, match="dataset raw/1 is produced by project other 1 already"):
        deployed(config={"lookups": "true"}, existing=theirs)


def test_a_boundary_that_would_take_in_again_what_it_took_in_is_refused() -> None:
    before = pipeline().model_copy(update={"boundaries": (PutBoundary("landing", into=RAW, every="15m"),)})
    with pytest.raises(InvalidInput, match="took raw/1 in with lots of '15m', and now says '5m'"):
        deployed(config={"lookups": "true"}, existing=registered(before))


def test_another_project_s_dataset_is_known_from_its_record() -> None:
    theirs = Dataset("theirs", "1", "s3://theirs/raw/")
    upstream = registered(other(PutBoundary("landing", into=theirs, every="15m")))
    of = Pipeline("ours", "1", placement=PLACE, components=[CopyArc("copy", reads=theirs, writes=COPIED)])
    graph = deployed(of, config={"lookups": "true"}, existing=upstream)
    (config,) = [FunctionConfig.from_json(node.inputs["code"].assets[FILE].text) for node in graph.of("Function")]
    assert isinstance(config.spec, ArcSpec)
    source = config.spec.sources["main"]
    assert (source.dataset.path, source.unit) == ("s3://theirs/raw/", "PT15M")
    with pytest.raises(ProjectErrors, match="theirs/1"):
        deployed(of)


# -- buckets that are watched ------------------------------------------------------------------------------------------------


QUEUES = {
    "QueueConfigurations": [{"Id": "mine", "QueueArn": "arn:aws:sqs:us-east-2:086903124729:q", "Events": ["s3:ObjectCreated:*"]}]
}


def test_a_bucket_that_announces_is_left_alone() -> None:
    with account(("get_bucket_notification_configuration", {"EventBridgeConfiguration": {}})) as existing:
        existing.check_announced("lake", switch=True, change=True)


@pytest.mark.parametrize("id", ["mine", "it's; mine"])
def test_one_that_does_not_is_told_with_the_command_that_keeps_its_other_notifications(id: str) -> None:
    queues = {"QueueConfigurations": [{**QUEUES["QueueConfigurations"][0], "Id": id}]}
    with (
        account(("get_bucket_notification_configuration", queues)) as existing,
        pytest.raises(InvalidInput, match="nothing would ever arrive") as caught,
    ):
        existing.check_announced("lake", switch=False, change=True)
    command = shlex.split(caught.value.fix.partition(", or let it")[0])
    assert json.loads(command[-1]) == {**queues, "EventBridgeConfiguration": {}}


def test_it_is_switched_on_where_that_is_asked_for_and_never_in_a_preview() -> None:
    read = ("get_bucket_notification_configuration", QUEUES)
    with account(read) as existing:
        existing.check_announced("lake", switch=True, change=False)
    client = boto3.client("s3", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        stubber.add_response(*read)
        wanted = {"Bucket": "lake", "NotificationConfiguration": {**QUEUES, "EventBridgeConfiguration": {}}}
        stubber.add_response("put_bucket_notification_configuration", {}, wanted)
        Existing(HOME, lambda name: client).check_announced("lake", switch=True, change=True)
        stubber.assert_no_pending_responses()


def test_a_watched_bucket_that_is_not_there_is_told() -> None:
    with (
        account(("get_bucket_notification_configuration", "NoSuchBucket")) as existing,
        pytest.raises(InvalidInput, match="the watched bucket 'lake' is not there"),
    ):
        existing.check_announced("lake", switch=True, change=True)


@contextmanager
def headed(*replies: dict[str, Any] | str, region: str | None = None) -> Iterator[Existing]:
    """An account that answers so when it is asked about a bucket; a refusal tells of its ``region``."""
    client = boto3.client("s3", region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        for reply in replies:
            if isinstance(reply, str):
                told = {"HTTPHeaders": {"x-amz-bucket-region": region}} if region else {}
                stubber.add_client_error("head_bucket", reply, response_meta=told)
            else:
                stubber.add_response("head_bucket", reply)
        yield Existing(HOME, lambda name: client)
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize("sender", [None, THEIRS])
def test_a_watched_bucket_is_where_it_is_heard_of(sender: str | None) -> None:
    with headed({"BucketRegion": REGION}) as existing:
        existing.check_place("lake", sender)
    with headed({}) as existing:  # who does not say where it is, is not doubted
        existing.check_place("lake", sender)


@pytest.mark.parametrize("sender", [None, THEIRS])
def test_one_of_another_region_is_refused(sender: str | None) -> None:
    words = f"the watched bucket 'lake' is in eu-west-1, and the pipeline, in {REGION}, hears nothing of it"
    with headed({"BucketRegion": "eu-west-1"}) as existing, pytest.raises(InvalidInput, match=words) as caught:
        existing.check_place("lake", sender)
    assert caught.value.where == "s3://lake"
    assert caught.value.fix == f"deploy to eu-west-1, or watch a bucket in {REGION} that S3 replicates it to"


def test_one_of_another_account_has_to_be_declared() -> None:
    with headed("403", {}) as existing, pytest.raises(InvalidInput, match=f"'lake' is not of account {ACCOUNT} ") as caught:
        existing.check_place("lake")
    assert 'clusterless:bucketAccounts["lake"]' in caught.value.fix
    with headed("403", "403") as existing, pytest.raises(InvalidInput, match=", or may not be looked at"):
        existing.check_place("lake")
    with headed("403", {}) as existing, pytest.raises(InvalidInput, match=f"'lake' is not of account {THEIRS}"):
        existing.check_place("lake", THEIRS)  # a third one's
    with headed("404") as existing, pytest.raises(InvalidInput, match="the watched bucket 'lake' is not there"):
        existing.check_place("lake", THEIRS)


def test_a_declared_one_need_not_be_seen_by_who_deploys() -> None:
    """Its own policy may let in the functions alone. A refusal tells of its region all the same."""
    with headed("403", "403", region=REGION) as existing:
        existing.check_place("lake", THEIRS)
    with headed("403", "403") as existing:
        existing.check_place("lake", THEIRS)
    with headed("403", "403", region="eu-west-1") as existing, pytest.raises(InvalidInput, match="is in eu-west-1"):
        existing.check_place("lake", THEIRS)


@pytest.mark.parametrize("declared", [False, True])
def test_a_bucket_of_another_account_is_looked_at_and_never_changed(declared: bool) -> None:
    asked: list[Asked] = []

    def existing(home: Home) -> Asked:
        asked.append(Asked(home))
        return asked[0]

    accounts = {"bucketAccounts": json.dumps({"lake": THEIRS})} if declared else {}
    deployed(config={"lookups": "true", **accounts}, existing=existing)
    assert ("head_bucket", "lake", THEIRS if declared else ACCOUNT) in asked[0].owners
    assert (("get_bucket_notification_configuration", "lake") in asked[0].questions) is not declared


LEFT_BEHIND = {"cls:project:name": "bootstrap", "cls:project:version": "1", "cls:project:stage": "DEV", "team": "logs"}


@pytest.mark.parametrize(("tags", "adopted"), [({}, False), ({"team": "logs"}, False), (LEFT_BEHIND, True)])
def test_buckets_that_a_deployment_left_behind_are_taken_up_again(tags: dict[str, str], adopted: bool) -> None:
    there = type("There", (registered(pipeline()),), {"tags": [{"Key": key, "Value": value} for key, value in tags.items()]})
    graph = deployed(config={"lookups": "true"}, existing=there)
    assert {node.imported == node.inputs["bucket"] for node in graph.of("Bucket")} == {adopted}


def test_a_bucket_s_name_that_another_has_taken_is_refused() -> None:
    with account(("head_bucket", "403")) as existing, pytest.raises(StoreDenied, match="the bucket 'lake' is not of account"):
        existing.left_behind("lake", {})
    with account(("head_bucket", {}), ("get_bucket_tagging", "NoSuchTagSet")) as existing:
        assert not existing.left_behind("lake", {"cls:project:name": "p"})


def test_a_bucket_that_another_deployment_has_made_is_refused_unless_it_is_said_what_is_to_become_of_it() -> None:
    """AWS would answer in us-east-1 that it is made."""
    tags = [{"Key": key, "Value": value} for key, value in {**LEFT_BEHIND, "cls:project:name": "shop"}.items()]
    of = pipeline(S3Bucket(name="lake", bucket_name="lake"))
    theirs = type("Theirs", (registered(of),), {"tags": tags})
    config = {"lookups": "true", "bootstrap": "false"}
    with pytest.raises(InvalidInput, match="'lake' is there already, and made by another deployment: shop 1 DEV") as caught:
        deployed(of, config=config, existing=theirs)
    assert "clusterless:existingBuckets '[\"lake\"]'" in caught.value.fix
    for said in ("existingBuckets", "adoptBuckets"):
        graph = deployed(of, config={**config, said: '["lake"]'}, existing=theirs)
        assert bool(graph.of("Bucket")) == (said == "adoptBuckets")


class Asked(Existing):
    """Notes what is asked, and finds nothing wrong."""

    questions: list[Any]
    owners: list[Any]
    """Whose buckets were asked about."""

    def __init__(self, home: Home) -> None:
        super().__init__(home, lambda name: None)
        self.questions, self.owners = [], []

    def _ask(self, service: str, operation: str, **arguments: Any) -> dict[str, Any] | None:
        self.questions.append((operation, arguments.get("Key") or arguments.get("Bucket")))
        self.owners.append((operation, arguments.get("Bucket"), arguments.get("ExpectedBucketOwner")))
        absent = operation == "get_object" or (operation == "head_bucket" and arguments["Bucket"] != "lake")
        return None if absent else {"Account": ACCOUNT, "EventBridgeConfiguration": {}}


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


def test_a_provider_of_another_account_is_refused() -> None:
    with pytest.raises(InvalidInput, match=f"provider is of account 111111111111, and the pipeline's placement is {ACCOUNT}"):
        deployed(config={"lookups": "true"}, existing=Asked, provider="111111111111")


def test_what_is_refused_registers_nothing() -> None:
    class Foreign(Asked):
        def check_account(self) -> None:
            raise InvalidInput("not yours")

    with pytest.raises(InvalidInput, match="not yours"):
        deployed(config={"lookups": "true"}, existing=Foreign)
