"""Three questions that people ask of an access log, answered by DuckDB from the Parquet files of the lake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clusterless import Dataset
from expected import Expected, by_day
from lake import Lake
from pipeline import daily, summary, usage

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class Question:
    """A question, the query that answers it, and how the raw log answers it."""

    text: str
    dataset: Dataset
    sql: str
    """``$files`` are the dataset's files, as its manifests list them."""
    columns: tuple[str, ...]
    expected: Callable[[Expected], Rows]


def _busiest(expected: Expected) -> Rows:
    requests, size = (expected.by_application(counts) for counts in (expected.requests, expected.size))
    best = sorted(requests, key=lambda name: (-requests[name], name))[:5]
    return [(name, requests[name], size[name]) for name in best]


def _traffic(expected: Expected) -> Rows:
    requests, size = (by_day(expected.by_lot(counts)) for counts in (expected.requests, expected.size))
    return [(day, requests[day], size[day]) for day in sorted(requests)]


def _failed(expected: Expected) -> Rows:
    requests, failed = by_day(expected.by_lot(expected.requests)), by_day(expected.errors)
    return [(day, failed[day], requests[day], 100 * failed[day] / requests[day]) for day in sorted(requests)]


QUESTIONS = (
    Question(
        "Which applications are used most?",
        usage,
        """SELECT application, sum(requests)::BIGINT AS requests, sum(bytes)::BIGINT AS bytes
           FROM read_parquet($files) GROUP BY application ORDER BY requests DESC, application LIMIT 5""",
        ("application", "requests", "bytes"),
        _busiest,
    ),
    Question(
        "How much traffic was there on each day?",
        daily,
        "SELECT date::VARCHAR, requests, bytes FROM read_parquet($files) ORDER BY date",
        ("day", "requests", "bytes"),
        _traffic,
    ),
    Question(
        "What share of the requests failed?",
        summary,
        """SELECT day::VARCHAR AS day, sum(errors)::BIGINT, sum(requests)::BIGINT, 100 * sum(errors) / sum(requests)
           FROM read_parquet($files, hive_partitioning = true) GROUP BY day ORDER BY day""",
        ("day", "errors", "requests", "percent"),
        _failed,
    ),
)


def answer(lake: Lake, question: Question) -> Rows:
    """What the lake says. Raises ``ValueError`` where it cannot: no files, or one that DuckDB cannot read."""
    import duckdb

    files = [str(file) for listed in lake.files(question.dataset).values() for file in listed]
    if not files:
        raise ValueError(f"{question.dataset.name} has no files")
    try:
        return duckdb.connect().execute(question.sql, {"files": files}).fetchall()
    except duckdb.Error as error:
        raise ValueError(str(error).partition("\n")[0]) from error
