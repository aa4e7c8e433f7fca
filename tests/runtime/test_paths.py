"""The path filter: Ant's patterns, and how includes and excludes combine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.paths import PathFilter, Pattern
from clusterless.runtime.spec import FilterSpec

SPECIFIED = [
    ("test", "test", True),
    ("/test", "test", False),
    ("t?st", "test", True),
    ("tes?", "tes", False),
    ("*", "a/b", False),
    ("test*", "testTest", True),
    ("test*", "test/t", False),
    ("test/*", "test/", True),
    ("test/*", "test", False),
    ("*.*", "test.test.test", True),
    ("*.txt", "path/my.txt", False),
    ("**", "a/b/c", True),
    ("**/*", "a", True),
    ("**/_*", "_SUCCESS", True),
    ("**/_*", "a/b/_SUCCESS", True),
    ("**/_*", "a/_meta/x.txt", False),
    ("_*", "a/_SUCCESS", False),
    ("a/**", "a", True),
    ("a/**/b", "a/b", True),
    ("/bla/**/bla", "/bla/testing/testing/bla/bla", True),
    ("/**/*bla", "/bla/bla/bla/bbb", False),
    ("/*bla*/**/bla/*", "/XXXblaXXXX/testing/testing/bla/testing", True),
    ("*bla*/**/bla/*", "XXXblaXXXX/testing/testing/bla/testing/testing", False),
    ("/foo/bar/**", "/foo/bar", True),
    ("/{bla}.*", "/testing.html", True),
    ("{n:[a-z]+}.txt", "ABC.txt", False),
    ("[ab].txt", "a.txt", False),
    ("/organizations/*/fields", "/organizations/1/farms/2/fields", False),
    ("a/b/", "a/b", False),
]

OURS = [
    ("a//b", "a/b", True),
    ("a/b", "a//b", True),
    ("/", "/", True),
    ("/**", "/", True),
    ("", "", True),
    ("**", "", False),
    ("", "a", False),
    ("a.b", "aXb", False),
    ("a\\*b", "a\\xb", True),
    ("{n:[0-9]{4}}-*", "2023-x", True),
    ("{n:[0-9]{4}}-*", "23-x", False),
    ("{n:a|b}c", "bc", True),
    ("{n:a|b}c", "a", False),
    ("{}", "{}", True),
    ("{a", "{a", True),
    ("a}", "a}", True),
    ("{a}{b}", "x", True),
    ("***", "a", True),
    ("a**b", "axyb", True),
    ("a**b", "a/b", False),
    ("*", "a\nb", True),
    ("{n:\\w+}", "é", False),
]


class TestPatterns:
    @pytest.mark.parametrize(("pattern", "path", "expected"), SPECIFIED + OURS)
    def test_matches(self, pattern: str, path: str, expected: bool) -> None:
        assert Pattern(pattern).matches(path) is expected

    def test_case_matters_unless_told_otherwise(self) -> None:
        assert not Pattern("*.CSV").matches("a.csv")
        assert Pattern("*.CSV", ignore_case=True).matches("a.csv")
        assert Pattern("A/{n:[B]}", ignore_case=True).matches("a/b")

    def test_the_separator_is_the_users(self) -> None:
        assert Pattern("a:*:c", ":").matches("a:b/b:c")
        assert not Pattern("a:*", ":").matches("a:b:c")

    @given(st.text(alphabet="ab*?/{}:.[(\\", max_size=12), st.text(alphabet="ab/{}:.[(", max_size=12))
    def test_any_text_is_a_pattern_or_is_refused(self, pattern: str, path: str) -> None:
        try:
            answer = Pattern(pattern).matches(path)
        except InvalidInput:
            assert "{" in pattern
        else:
            assert isinstance(answer, bool)

    @given(
        st.lists(st.sampled_from(["a", "b", "*", "**", "?", "a*"]), min_size=1, max_size=6),
        st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=6),
    )
    def test_a_deep_pattern_means_what_its_definition_says(self, pattern: list[str], path: list[str]) -> None:
        assert Pattern("/".join(pattern)).matches("/".join(path)) is matches_by_definition(pattern, path)

    @given(st.lists(st.text(alphabet="abc._-=", min_size=1, max_size=5), min_size=1, max_size=5).map("/".join))
    def test_a_path_without_wildcards_matches_itself_alone(self, path: str) -> None:
        assert Pattern(path).matches(path)
        assert not Pattern(path).matches(path + "x")

    def test_many_wildcards_cost_no_more_than_one_pass_each(self) -> None:
        """An expression over the whole path would backtrack for ever here."""
        assert not Pattern("/".join(["**", "a"] * 30 + ["b"])).matches("/".join(["a"] * 500))
        assert not Pattern("*" * 200 + "b").matches("a" * 1000)

    @pytest.mark.parametrize("pattern", ["{n:[}", "x/{n:(}", "{n:*}", "{n:[[a]]}"])
    def test_an_invalid_expression_is_refused_where_it_is_declared(self, pattern: str) -> None:
        with pytest.raises(InvalidInput, match="invalid expression in a path pattern"):
            Pattern(pattern)


def matches_by_definition(pattern: list[str], path: list[str]) -> bool:
    if not pattern:
        return not path
    if pattern[0] == "**":
        return matches_by_definition(pattern[1:], path) or (bool(path) and matches_by_definition(pattern, path[1:]))
    return bool(path) and segment_by_definition(pattern[0], path[0]) and matches_by_definition(pattern[1:], path[1:])


def segment_by_definition(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return segment_by_definition(pattern[1:], text) or (bool(text) and segment_by_definition(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and segment_by_definition(pattern[1:], text[1:])


def keeps(path: str, base: str = "ingress/", **spec: tuple[str, ...]) -> bool:
    return PathFilter(FilterSpec(**spec), base).keep(path)  # type: ignore[arg-type]


class TestFilters:
    def test_keeps_everything_where_nothing_is_declared(self) -> None:
        assert keeps("ingress/a")
        assert keeps("ingress/a", includes=("",), excludes=("",))

    def test_one_include_is_enough_and_one_exclude_too_much(self) -> None:
        assert keeps("ingress/a.csv", includes=("*.txt", "*.csv"))
        assert not keeps("ingress/a.csv", includes=("*.txt",))
        assert not keeps("ingress/a.csv", excludes=("*.txt", "*.csv"))
        assert keeps("ingress/a.csv", excludes=("*.txt",))
        assert not keeps("ingress/_a.csv", includes=("*.csv",), excludes=("_*",))

    def test_a_pattern_is_relative_to_the_dataset_unless_it_begins_with_the_separator(self) -> None:
        assert keeps("ingress/a/b.csv", includes=("a/*.csv",))
        assert not keeps("ingress/a/b.csv", includes=("ingress/a/*.csv",))
        assert keeps("ingress/a/b.csv", includes=("/ingress/a/*.csv",))
        assert not keeps("ingress/a/b.csv", includes=("/a/*.csv",))

    @pytest.mark.parametrize("base", ["ingress/", "/ingress/"])
    @pytest.mark.parametrize("path", ["ingress/_SUCCESS", "/ingress/_SUCCESS"])
    def test_a_key_and_its_absolute_path_are_the_same(self, base: str, path: str) -> None:
        assert not keeps(path, base, excludes=("/**/_*",))
        assert not keeps(path, base, excludes=("_*",))

    def test_a_base_without_its_slash_leaves_relative_patterns_nothing(self) -> None:
        assert not keeps("ingress/a.csv", "ingress", includes=("*.csv",))
        assert keeps("ingress/a.csv", "ingress", includes=("/ingress/*.csv",))

    def test_the_root_of_a_bucket_is_a_base(self) -> None:
        assert keeps("a.csv", "", includes=("*.csv",))
        assert keeps("a.csv", "/", includes=("*.csv",))

    @pytest.mark.parametrize("path", ["", "i", "elsewhere/a.csv", "ingress"])
    def test_what_lies_elsewhere_matches_no_relative_pattern(self, path: str) -> None:
        assert not keeps(path, includes=("**", "*.csv"))
        assert keeps(path, excludes=("**",))
