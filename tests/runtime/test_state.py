"""The predecessor's arc states: names and bodies."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterless.runtime.manifest import ManifestState
from clusterless.runtime.state import ArcState, RecordedFailure, parse_arc_state, parse_manifest_state, read_failures

words = st.sampled_from([*ArcState, *ManifestState, "lot", "state", "arcs", "a"])


@given(words, words, st.sampled_from(ArcState))
def test_words_in_names_say_nothing(project: str, arc: str, state: ArcState) -> None:
    key = f"arcs/project={project}/version=1/arc={arc}-orders/lot=20230227PT5M287/{state.file}"

    assert parse_arc_state(key) is state


@pytest.mark.parametrize("kind", [ArcState, ManifestState])
def test_a_state_is_read_in_each_way_it_is_written(kind: type[ArcState] | type[ManifestState]) -> None:
    parse = parse_arc_state if kind is ArcState else parse_manifest_state
    for state in kind:
        assert [parse(text) for text in (state, f"state={state}", state.upper(), f"{state}.arc", f"lot=x/{state}.arc")] == [
            state
        ] * 5


@pytest.mark.parametrize(
    "text", ["", "/", "lot=20230227PT5M287/", "{state}.arc", "completed.arc", "complete-orders", "complete/", "arc"]
)
def test_nothing_else_is_a_state(text: str) -> None:
    assert parse_arc_state(text) is None
    assert parse_manifest_state(text) is None


def test_the_two_kinds_of_state_are_not_confused() -> None:
    assert parse_arc_state("state=empty") is None
    assert parse_manifest_state("running.arc") is None


def test_only_a_lot_that_did_not_finish_is_run_again() -> None:
    assert [state for state in ArcState if state.may_run] == [ArcState.PARTIAL, ArcState.MISSING]


class TestBodies:
    @given(st.lists(st.builds(RecordedFailure, st.text(), st.text()), max_size=4))
    def test_tells_of_all_failures_oldest_first(self, failures: list[RecordedFailure]) -> None:
        lines = [json.dumps({"Error": failure.error, "Cause": failure.cause}) for failure in failures]

        assert read_failures("\n".join(lines).encode()) == failures

    def test_an_empty_body_tells_of_none(self) -> None:
        assert read_failures(b"") == read_failures(b"\n") == []

    def test_reads_text_of_every_script(self) -> None:
        assert read_failures('{"Error":"é","Cause":null}'.encode()) == [RecordedFailure("é")]

    @pytest.mark.parametrize("line", ['{"Error":"a"', "[1]", "plain text", '"text"', "[" * 100_000])
    def test_keeps_a_line_it_cannot_read(self, line: str) -> None:
        body = f'{line}\n{{"Error":"b"}}'.encode()

        assert read_failures(body) == [RecordedFailure(line), RecordedFailure("b")]

    def test_survives_bytes_that_are_no_text(self) -> None:
        assert read_failures(b"\xff\xfe") == [RecordedFailure("\ufffd\ufffd")]
