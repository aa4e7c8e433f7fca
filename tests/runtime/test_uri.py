"""URIs and keys, both ways."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.uri import decode_path, encode_path, expand, is_relative, join, relative_to, split

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
awkward = st.text(alphabet="ab/:%.~=+?#{} é\u0301\u3000\n", max_size=20)
keys = (texts | awkward).filter(bool)
bases = st.sampled_from(
    ["", "inbox/", "inbox", "s3://bucket", "s3://bucket/", "s3://bucket/a%20b/", "file:///data/", "in%3Abox/x/"]
)
TEMPLATE = "s3://m/datasets/name=d/version=1/lot={lot}/state={state}{/attempt*}/manifest.json"
ENCODED = "s3://m/datasets/name=d/version=1/lot=%7Blot%7D/state=%7Bstate%7D%7B/attempt*%7D/manifest.json"


class TestPaths:
    @given(keys)
    def test_gives_the_key_back(self, key: str) -> None:
        assert decode_path(encode_path(key)) == key

    @given(keys, keys)
    def test_two_keys_never_share_a_path(self, one: str, other: str) -> None:
        assert (encode_path(one) == encode_path(other)) == (one == other)

    @given(keys)
    def test_holds_nothing_that_a_uri_quotes(self, key: str) -> None:
        path = encode_path(key)

        assert not set(path) & set(' "#<>?[\\]^`{|}')
        assert not any(unicodedata.category(char) in ("Cc", "Zs", "Zl", "Zp") for char in path)
        assert "//" not in path
        assert not path.startswith("/")

    @given(st.text(st.characters(categories=["L", "M", "N"]), max_size=20))
    def test_keeps_letters_marks_and_digits_of_every_script(self, key: str) -> None:
        assert encode_path(key) == key

    def test_keeps_both_forms_of_an_accent_apart(self) -> None:
        composed, decomposed = "caf\u00e9", "cafe\u0301"

        assert encode_path(composed) == composed
        assert encode_path(decomposed) == decomposed

    @pytest.mark.parametrize(
        ("key", "path"),
        [
            ("a//b", "a/%2Fb"),
            ("a///b", "a/%2F%2Fb"),
            ("/a", "%2Fa"),
            ("a/", "a/"),
            ("a//", "a/%2F"),
            ("100%", "100%25"),
            ("day=2023-01-01/a+b,c;d@e!f~(g)'h'*$&", "day=2023-01-01/a+b,c;d@e!f~(g)'h'*$&"),
            ("a\nb", "a%0Ab"),
            ("a\u2003b", "a%E2%80%83b"),
        ],
    )
    def test_examples(self, key: str, path: str) -> None:
        assert encode_path(key) == path
        assert decode_path(path) == key

    @pytest.mark.parametrize("path", ["100%", "%", "%2", "%zz", "a%%20"])
    def test_refuses_a_percent_sign_that_begins_no_byte(self, path: str) -> None:
        with pytest.raises(InvalidInput, match="hexadecimal") as caught:
            decode_path(path)
        assert caught.value.fix == "write a percent sign as %25"

    def test_refuses_bytes_that_are_no_text(self) -> None:
        with pytest.raises(InvalidInput, match="UTF-8"):
            decode_path("a%ff")

    def test_reads_what_others_quote_more_than_needed(self) -> None:
        assert decode_path("%61%2f%c3%bc") == "a/ü"


class TestUris:
    @given(bases, keys)
    def test_a_key_below_a_base_is_found_there_again(self, base: str, key: str) -> None:
        assert relative_to(base, join(base, key)) == key

    @given(bases, keys)
    def test_has_the_scheme_and_bucket_of_its_base(self, base: str, key: str) -> None:
        uri = join(base, key)

        assert is_relative(uri) == is_relative(base)
        assert split(uri)[:2] == split(base)[:2]
        assert split(uri)[2].endswith(key)

    @given(keys)
    def test_without_a_scheme_is_the_key_itself(self, key: str) -> None:
        assert split(join("", key)) == ("", "", key)

    @pytest.mark.parametrize(
        ("uri", "parts"),
        [
            ("s3://bucket/a%20b.txt", ("s3", "bucket", "a b.txt")),
            ("s3://bucket/", ("s3", "bucket", "")),
            ("s3://bucket", ("s3", "bucket", "")),
            ("S3://Bucket/k", ("s3", "Bucket", "k")),
            ("file:///data/lake/a", ("file", "", "data/lake/a")),
            ("glue:///db/table", ("glue", "", "db/table")),
            ("inbox/a:b", ("", "", "inbox/a:b")),
            ("in%3Abox/a", ("", "", "in:box/a")),
            ("", ("", "", "")),
        ],
    )
    def test_splits(self, uri: str, parts: tuple[str, str, str]) -> None:
        assert split(uri) == parts

    def test_a_colon_at_the_start_of_a_relative_uri_is_no_scheme(self) -> None:
        assert join("", "web:1/a:b") == "web%3A1/a:b"
        assert join("inbox/", "web:1/a") == "inbox/web:1/a"

    @pytest.mark.parametrize("uri", ["/data/inbox/a", "//host/a", "s3:bucket/a", "web:1/a"])
    def test_refuses_what_could_be_read_in_two_ways(self, uri: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            split(uri)
        assert caught.value.where == uri
        assert caught.value.fix

    @pytest.mark.parametrize(
        ("base", "uri"),
        [
            ("inbox/", "inbox/"),
            ("inbox/", "inbox2/a"),
            ("inbox", "inbox2/a"),
            ("inbox/", "s3://inbox/a"),
            ("s3://b/in/", "s3://c/in/a"),
            ("s3://b/in/", "gs://b/in/a"),
            ("s3://b/in/", "in/a"),
        ],
    )
    def test_below_is_not_merely_beginning_alike(self, base: str, uri: str) -> None:
        assert relative_to(base, uri) is None

    def test_below_does_not_depend_on_how_much_is_quoted(self) -> None:
        assert relative_to("s3://b/a b/".replace(" ", "%20"), "s3://b/%61%20b/c") == "c"


class TestTemplates:
    @pytest.mark.parametrize("template", [TEMPLATE, ENCODED])
    def test_is_filled(self, template: str) -> None:
        complete = expand(template, "20230101PT5M050", "complete")
        partial = expand(template, "20230101PT5M050", "partial", "0002")

        assert complete == "s3://m/datasets/name=d/version=1/lot=20230101PT5M050/state=complete/manifest.json"
        assert partial == "s3://m/datasets/name=d/version=1/lot=20230101PT5M050/state=partial/attempt=0002/manifest.json"

    @pytest.mark.parametrize("state", ["partial", "removed"])
    def test_lets_no_piece_of_it_into_a_key(self, state: str) -> None:
        with pytest.raises(InvalidInput, match="needs the attempt"):
            expand(TEMPLATE, "20230101PT5M050", state)

    def test_refuses_a_variable_nobody_fills(self) -> None:
        with pytest.raises(InvalidInput, match=r"unknown variable \{day\}"):
            expand("s3://m/{day}/lot={lot}", "20230101PT5M050", "complete")

    @given(texts)
    def test_a_value_stays_one_segment(self, attempt: str) -> None:
        uri = expand(TEMPLATE, "20230101PT5M050", "partial", attempt)

        assert uri.count("/") == TEMPLATE.count("/")
