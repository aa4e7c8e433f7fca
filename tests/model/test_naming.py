"""Names, both ways, as the predecessor's vectors have them; and cut where they would be too long."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterless.model.labels import Label
from clusterless.model.naming import (
    LIMITS,
    Names,
    StoreKind,
    StoreName,
    bucket_problem,
    parse_store_name,
    shared_name,
    shorten,
)
from clusterless.model.refs import Ref, parse_ref, resolve
from clusterless.model.resources import GlueDatabase, S3Bucket
from clusterless.runtime.errors import InvalidInput

VECTORS = Path(__file__).parents[1] / "vectors" / "model"
RENDERINGS: dict[str, Callable[[Label], str]] = {
    "camelCase": lambda label: label.camel(),
    "lowerCamelCase": Label.lower_camel,
    "camelCasePath": Label.camel_path,
    "lowerHyphen": lambda label: label.hyphen(),
    "lowerHyphenPath": lambda label: label.hyphen_path(),
    "lowerHyphenPath/": lambda label: label.hyphen_path(trailing=True),
    "lowerUnderscore": lambda label: label.underscore(),
    "upperUnderscore": Label.upper_underscore,
    "lowerColonPath": Label.colon_path,
    "shortCamelCase": lambda label: label.camel(short=True),
    "shortLowerHyphen": lambda label: label.hyphen(short=True),
    "shortLowerUnderscore": lambda label: label.underscore(short=True),
}
KINDS = {"Meta": StoreKind.METADATA, "Manifest": StoreKind.MANIFEST, "Arc": StoreKind.ARC_STATE}
NAMES = Names("S3Simple", "20230101-00", "us-east-2", "dev")


def vectors(name: str, *operations: str) -> list[Any]:
    found = json.loads((VECTORS / f"{name}.json").read_text())
    return [pytest.param(it["input"], it["expect"], id=str(n)) for n, it in enumerate(found) if it["input"]["op"] in operations]


def label(parts: list[dict[str, Any]]) -> Label:
    """A label from a vector's parts."""
    made = Label()
    for part in parts:
        if "stage" in part:
            made = made.stage(part["stage"])
        elif "fixed" in part or "region" in part:
            made = made.fixed(part.get("fixed", part.get("region")))
        else:
            one = Label.of(part.get("of", part.get("lowerHyphen")), part.get("abbr"))
            made = Label(made.parts + (one.upper() if part.get("upperOnly") else one).parts)
    return made


@pytest.mark.parametrize(("given", "expected"), vectors("labels", "label"))
def test_labels(given: dict[str, Any], expected: dict[str, str]) -> None:
    made = label(given["parts"])
    made = made.relabelled() if given.get("become") else made
    assert {name: RENDERINGS[name](made) for name in expected} == expected


@pytest.mark.parametrize(("given", "expected"), vectors("labels", "name_parts"))
def test_names_are_labels(given: dict[str, Any], expected: str) -> None:
    assert label(given["parts"]).hyphen() == expected


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (NAMES.function("copyA", "Func"), "DEV-s3-simple-copy-a-func-20230101-00-us-east-2"),
        (NAMES.rule("IngressPutListener"), "DEV-s3-simple-ingress-put-listener-20230101-00-us-east-2"),
        (
            Names("S3FreqFiltCp", "20230101-00", "us-east-2", "dev").queue("FreqPutLstnr"),
            "DEV-s3-freq-filt-cp-freq-put-lstnr-20230101-00",
        ),
        (NAMES.state_machine("copyA"), "DEV-s3-simple-copy-a-20230101-00"),
        (NAMES.arc_rule("copyA"), "DEV-s3-simple-copy-a-20230101-00-rule"),
        (NAMES.job("pythonCopy"), "DEV-s3-simple-python-copy-20230101-00"),
        (NAMES.compute_environment("simpleComputeEnvironment"), "DEV-s3-simple-simple-compute-environment-20230101-00"),
        (NAMES.stack(), "DEV-s3-simple-resource-activity-boundary-20230101-00-us-east-2"),
        (NAMES.arc_stack("copyA"), "DEV-s3-simple-arc-copy-a-20230101-00-us-east-2"),
        (Names("S3Simple", "1", "us-east-2").job("copyA"), "s3-simple-copy-a-1"),
        (Names("S3Simple", "1.2.3", "us-east-2").rule("copyA"), "s3-simple-copy-a-1.2.3-us-east-2"),
        (Names("S3Simple", "1.2.3", "us-east-2").job("copyA"), "s3-simple-copy-a-1-2-3-4b68a466"),
        (shared_name("dev", "ArcEvents", "us-east-2"), "DEV-arc-events-us-east-2"),
        (shared_name(None, "ArcEvents", "us-east-2"), "arc-events-us-east-2"),
        (shared_name("dev", "CommonVpc"), "DEV-common-vpc"),
        (shared_name("dev", "ClusterlessBootstrap"), "DEV-clusterless-bootstrap"),
    ],
)
def test_names_of_what_is_deployed(made: str, expected: str) -> None:
    assert made == expected


@given(st.text("abcXYZ019-", min_size=1, max_size=200), st.integers(20, 128))
def test_a_name_fits_its_limit_and_keeps_what_fits(name: str, limit: int) -> None:
    short = shorten(name, limit)
    assert len(short) <= limit
    assert shorten(short, limit) == short
    assert short == name or short.rsplit("-", 1)[0] == name[: limit - 9].rstrip("-")


@given(st.sets(st.text("ab", min_size=70, max_size=80), min_size=2, max_size=2))
def test_names_that_are_cut_stay_apart(names: set[str]) -> None:
    assert len({shorten("x" * 64 + name, 64) for name in names}) == 2


def test_names_that_only_differ_by_a_dot_stay_apart() -> None:
    functions = {Names("S3Simple", version, "us-east-2").function("copyA", "func") for version in ("1.2", "1-2", "12")}
    assert len(functions) == 3
    assert not any("." in name for name in functions)


@pytest.mark.parametrize(
    ("kind", "made"),
    [("function", NAMES.function("a" * 80, "func")), ("queue", NAMES.queue("a" * 80)), ("rule", NAMES.arc_rule("a" * 80))],
)
def test_no_name_is_too_long_for_its_target(kind: str, made: str) -> None:
    assert len(made) == LIMITS[kind]


@pytest.mark.parametrize(("given", "expected"), vectors("bucket_names", "bucket_valid"))
def test_bucket_names(given: dict[str, str], expected: bool) -> None:
    assert (bucket_problem(given["name"]) is None) is expected


@pytest.mark.parametrize("name", ["1.2.3.4", "a" * 64, "a-", "a b c", "a\n\n"])
def test_more_names_no_bucket_can_have(name: str) -> None:
    assert bucket_problem(name)


@pytest.mark.parametrize(("given", "expected"), vectors("stores", "store_name"))
def test_store_names(given: dict[str, Any], expected: str) -> None:
    placement = {name: value for name, value in given["placement"].items() if name != "provider"}
    assert str(StoreName(KINDS[given["store"]], **placement)) == expected


@pytest.mark.parametrize(("given", "expected"), vectors("stores", "store_parse"))
def test_store_names_are_read_back(given: dict[str, str], expected: dict[str, Any]) -> None:
    if "error" in expected:
        with pytest.raises(InvalidInput, match="is no bucket of a placement"):
            parse_store_name(given["name"])
        return
    found = parse_store_name(given["name"])
    if found.kind is StoreKind.ARC_STATE:  # the predecessor took the hyphen of arc-state for a separator
        expected = {**expected, "account": "00000000", "region": "us-west-2"}
    assert (found.stage, found.account, found.region) == (expected["stage"], expected["account"], expected["region"])


@pytest.mark.parametrize(("given", "expected"), vectors("stores", "stores_filter"))
def test_stores_among_other_buckets(given: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    found = []
    for name in given["names"]:
        try:
            store = parse_store_name(name)
        except InvalidInput:
            continue
        if store.kind is KINDS[given["store"]]:
            found.append({"provider": None, "stage": store.stage, "account": store.account, "region": store.region})
    assert found == expected


ACCOUNTS = {
    "aws": st.from_regex(r"[0-9]{12}", fullmatch=True),
    "gcp": st.from_regex(r"[a-z]([a-z0-9]|-[a-z0-9]){4,12}", fullmatch=True),
    "azure": st.uuids().map(str),
    "local": st.sampled_from(["local", "my-team", "000000000000"]),
}
REGIONS = {
    "aws": ["us-east-2", "ap-southeast-3", "us-gov-west-1", "us-isob-east-1", "cn-northwest-1", "mx-central-1", "eusc-de-east-1"],
    "gcp": ["us-central1", "europe-west12", "northamerica-northeast1", "australia-southeast2", "us", "eu", "nam4"],
    "azure": ["westeurope", "eastus2", "southcentralus", "germanywestcentral"],
    "local": ["disk", "us-east-2", "europe-west1"],
}


@given(
    st.sampled_from(StoreKind),
    st.one_of(st.none(), st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,4})?", fullmatch=True)),
    st.sampled_from(sorted(REGIONS)).flatmap(lambda cloud: st.tuples(ACCOUNTS[cloud], st.sampled_from(REGIONS[cloud]))),
)
def test_every_store_name_is_read_as_it_was_made(kind: StoreKind, stage: str | None, where: tuple[str, str]) -> None:
    name = StoreName(kind, stage, *where)
    assert parse_store_name(str(name)) == name


@pytest.mark.parametrize("where", ["a-b", "team-a-zone1", "my-own-region-of-mine"])
def test_whatever_a_region_is_called_the_placements_buckets_are_the_same(where: str) -> None:
    read = parse_store_name(f"dev-clusterless-metadata-{where}")
    for kind in StoreKind:
        assert str(StoreName(kind, read.stage, read.account, read.region)) == f"dev-clusterless-{kind.value}-{where}"


@pytest.mark.parametrize(
    "name", ["clusterless-metadata-", "clusterless-metadata-account", "clusterless-meta-a-b", "a-clusterless-b"]
)
def test_other_buckets(name: str) -> None:
    with pytest.raises(InvalidInput, match="is no bucket of a placement"):
        parse_store_name(name)


@pytest.mark.parametrize(("given", "expected"), vectors("refs", "ref"))
def test_references(given: dict[str, Any], expected: str) -> None:
    name = given["resourceName"]
    ref = Ref(
        given["provider"], given["qualifier"], given["scope"], given["scopeVersion"], given["resourceNs"], given["resourceType"],
        name if isinstance(name, str) else label(name), given.get("stage"),
    )  # fmt: skip
    assert str(ref) == expected
    assert str(parse_ref(expected)) == expected


@pytest.mark.parametrize(("given", "expected"), vectors("refs", "ref_parse"))
def test_references_are_read_back(given: dict[str, str], expected: dict[str, str]) -> None:
    found = parse_ref(given["value"])
    assert (found.provider, found.qualifier) == (expected["provider"], expected["qualifier"].lower())


@pytest.mark.parametrize("text", ["arn:aws:s3", "ref:aws:id", "ref:aws:what:a:b:c:d:e", ""])
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no reference"):
        parse_ref(text)


class TestLocalReferences:
    BUCKET, DATABASE = S3Bucket(name="logs", bucket_name="bucket"), GlueDatabase(name="logs", database_name="d")
    OTHER = S3Bucket(name="other", bucket_name="bucket")
    ALL = (BUCKET, DATABASE, OTHER)

    @pytest.mark.parametrize("text", ["s3Bucket:logs", "s3-bucket:logs", "core:s3Bucket:logs", "aws:core:s3Bucket:Logs"])
    def test_narrow_from_the_right(self, text: str) -> None:
        assert resolve(text, self.ALL) is self.BUCKET

    def test_a_name_alone_is_enough_where_it_is_unique(self) -> None:
        assert resolve("other", self.ALL) is self.OTHER

    @pytest.mark.parametrize(
        ("text", "message"), [("logs", "names 2 resources"), ("log", "no resource is named"), ("a:b:c:d:e", "more parts")]
    )
    def test_none_or_several_are_told(self, text: str, message: str) -> None:
        with pytest.raises(InvalidInput, match=message):
            resolve(text, self.ALL)
