"""The example: its arcs as functions of one lot, the log cut into uploads, and the demo from end to end."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyarrow import BufferReader
from pyarrow.parquet import read_table

import transforms
from clusterless.model.load import load_pipeline
from clusterless.model.verify import verify
from clusterless.providers.local.liveness import Worker
from clusterless.runtime.store import Writer
from clusterless.runtime.stores.memory import MemoryStore
from clusterless.workload import Item, Lot, Sink, Source
from expected import by_day, expect
from uploads import SERVERS, Upload, first_hour, last_hour, read_log, time_of, uploads

EXAMPLE = Path(__file__).parents[2] / "examples" / "access_logs"
START = datetime(2015, 5, 17, 10, 5, tzinfo=UTC)
ADDRESS, OTHER = "83.149.9.216", "2001:db8::7"
TOKEN = transforms.tokeniser("key")


def line(
    client: str = ADDRESS, request: str = "GET /blog/a.html HTTP/1.1", status: int = 200, size: str = "10", at: str = "10:05:03"
) -> str:
    return f'{client} - - [17/May/2015:{at} +0000] "{request}" {status} {size} "-" "Mozilla/5.0"\n'


class Trial:
    """A handler's run on objects in memory."""

    def __init__(self, *roles: str) -> None:
        self.store = MemoryStore()
        self.sinks: dict[str, Sink] = {}
        for role in roles or ("main",):
            self.sinks[role] = Sink(role, f"{role}/{{}}".format, self._writer(role), self.sinks)

    def _writer(self, role: str) -> Callable[[str], Writer]:
        return lambda name: self.store.write(f"{role}/{name}")

    @property
    def out(self) -> Sink:
        return next(iter(self.sinks.values()))

    @property
    def written(self) -> dict[str, bytes]:
        return {entry.key: self.store.get(entry.key) or b"" for entry in self.store.list("")}

    def text(self, key: str) -> str:
        return self.written[key].decode()


def lot_of(objects: Mapping[str, list[str | bytes]], length: timedelta = timedelta(minutes=5)) -> Lot:
    """A lot from the content of its objects, by role."""
    return Lot("20150517PT5M121", START, START + length, {role: source(role, bodies) for role, bodies in objects.items()})


def source(role: str, bodies: list[str | bytes]) -> Source:
    def item(number: int, body: str | bytes) -> Item:
        data = body.encode() if isinstance(body, str) else body
        return Item(f"memory:{number}", f"{number}", "20150517PT5M121", role, lambda: io.BytesIO(data))

    return Source(role, role, "1", ["20150517PT5M121"], lambda: iter([item(*it) for it in enumerate(bodies)]))


def rows(data: bytes) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = read_table(BufferReader(data)).to_pylist()
    return table


class TestTokenise:
    @pytest.fixture(autouse=True)
    def _key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(transforms, "secret", {"address-key": "key"}.__getitem__)

    def run(self, *bodies: str | bytes) -> Trial:
        trial = Trial("main", "rejects")
        transforms.tokenise(lot_of({"main": list(bodies)}), trial.out)
        return trial

    def test_replaces_the_client_and_nothing_else(self) -> None:
        assert self.run(line()).text("main/access.log") == line(TOKEN(ADDRESS))

    def test_keeps_every_line_of_every_object_in_one_file(self) -> None:
        trial = self.run(line() + line(OTHER), line(status=404))
        assert trial.text("main/access.log") == line(TOKEN(ADDRESS)) + line(TOKEN(OTHER)) + line(TOKEN(ADDRESS), status=404)

    def test_one_address_has_one_token_under_one_key_and_another_under_the_next(self) -> None:
        assert TOKEN(ADDRESS) == transforms.tokeniser("key")(ADDRESS)
        assert len({TOKEN(ADDRESS), TOKEN(OTHER), transforms.tokeniser("next")(ADDRESS)}) == 3

    def test_an_address_that_a_client_put_into_its_request_goes_too(self) -> None:
        assert ADDRESS not in self.run(line(request=f"GET /?me={ADDRESS} HTTP/1.1")).text("main/access.log")

    def test_a_client_that_is_no_address_takes_nothing_else_along(self) -> None:
        assert self.run(line("-")).text("main/access.log") == line(TOKEN("-"))

    def test_a_line_that_breaks_off_is_kept_apart_without_addresses(self) -> None:
        broken = line().rstrip('"\n')
        trial = self.run(line() + broken + f" {ADDRESS} {OTHER}\n")
        assert trial.text("main/access.log") == line(TOKEN(ADDRESS))
        reject = trial.text("rejects/rejected.log")
        assert reject.startswith(TOKEN(ADDRESS))
        assert ADDRESS not in reject
        assert OTHER not in reject

    @pytest.mark.parametrize("body", ["\n", "nonsense\n", line(at="25:05:03"), line(status=4), b"\xff\xfe\x00\n", line(size="x")])
    def test_no_line_is_lost_whatever_it_holds(self, body: str | bytes) -> None:
        written = self.run(body).written
        assert written["main/access.log"] == b""
        assert written["rejects/rejected.log"].count(b"\n") == 1

    def test_without_rejects_there_is_no_file_of_them(self) -> None:
        assert list(self.run(line()).written) == ["main/access.log"]


class TestUsage:
    def run(self, body: str) -> dict[str, bytes]:
        trial = Trial()
        transforms.total_usage(lot_of({"main": [body]}), trial.out)
        return trial.written

    def test_adds_up_requests_and_bytes_by_application(self) -> None:
        written = self.run(line() + line(request="GET /blog?x=/y HTTP/1.1", size="-") + line(request="GET / HTTP/1.1", size="5"))
        assert rows(written["main/month=2015-05/day=17/usage.parquet"]) == [
            {"application": "/", "requests": 1, "bytes": 5},
            {"application": "blog", "requests": 2, "bytes": 10},
        ]

    def test_a_lot_around_midnight_has_a_file_for_each_day(self) -> None:
        late = line().replace("17/May", "18/May")
        assert list(self.run(line() + late)) == [f"main/month=2015-05/day={day}/usage.parquet" for day in (17, 18)]

    def test_days_are_those_of_utc(self) -> None:
        assert list(self.run(line(at="23:30:00").replace("+0000", "-0200"))) == ["main/month=2015-05/day=18/usage.parquet"]

    def test_a_line_that_was_not_cleaned_is_an_error_and_not_skipped(self) -> None:
        with pytest.raises(ValueError, match="not a line of a cleaned log"):
            self.run(line() + "nonsense\n")

    def test_nothing_in_nothing_out(self) -> None:
        assert self.run("") == {}

    @pytest.mark.parametrize(
        ("request_line", "application"),
        [
            ("GET / HTTP/1.1", "/"),
            ("GET /?page=2 HTTP/1.1", "/"),
            ("GET //double HTTP/1.1", "/"),
            ("GET /blog HTTP/1.1", "blog"),
            ("GET /blog/a#b HTTP/1.1", "blog"),
            ("OPTIONS * HTTP/1.0", "-"),
            ("-", "-"),
            ("", "-"),
        ],
    )
    def test_an_application_is_the_first_segment_of_the_path(self, request_line: str, application: str) -> None:
        hit = transforms.parse(line(request=request_line))
        assert hit is not None
        assert hit.application == application


class TestErrors:
    def run(self, body: str) -> Trial:
        trial = Trial()
        transforms.select_errors(lot_of({"main": [body]}), trial.out)
        return trial

    def test_keeps_what_failed_as_json_lines_by_day_and_hour(self) -> None:
        trial = self.run(line() + line("token", status=404, request="GET /gone HTTP/1.1") + line(status=399) + line(status=500))
        first, second = trial.text("main/day=2015-05-17/hour=10/errors.jsonl").splitlines()
        assert json.loads(first) == {
            "time": "2015-05-17T10:05:03Z",
            "client": "token",
            "application": "gone",
            "method": "GET",
            "path": "/gone",
            "status": 404,
        }
        assert json.loads(second)["status"] == 500

    def test_each_hour_has_its_file(self) -> None:
        trial = self.run(line(status=404) + line(status=404, at="11:00:00"))
        assert list(trial.written) == [f"main/day=2015-05-17/hour={hour}/errors.jsonl" for hour in (10, 11)]

    def test_a_lot_without_errors_writes_nothing(self) -> None:
        assert self.run(line()).written == {}


class TestSummary:
    def run(self, usage: list[str | bytes], errors: list[str | bytes]) -> list[dict[str, Any]]:
        trial = Trial()
        transforms.summarise(lot_of({"usage": usage, "errors": errors}), trial.out)
        return rows(trial.written["main/day=2015-05-17/summary.parquet"])

    def test_joins_both_branches_into_one_row(self) -> None:
        usage = [{"application": "a", "requests": 3, "bytes": 30}, {"application": "b", "requests": 4, "bytes": 40}]
        assert self.run([transforms.parquet(usage)], ["{}\n{}\n"]) == [{"start": START, "requests": 7, "bytes": 70, "errors": 2}]

    def test_a_lot_without_errors_has_none(self) -> None:
        assert self.run([transforms.parquet([{"application": "a", "requests": 1, "bytes": 1}])], [])[0]["errors"] == 0


def test_the_roll_up_adds_the_summaries_of_a_day() -> None:
    trial = Trial()
    summaries = [transforms.parquet([{"start": START, "requests": n, "bytes": 10 * n, "errors": n % 2}]) for n in (3, 5)]
    transforms.roll_up(lot_of({"main": list(summaries)}, timedelta(days=1)), trial.out)
    assert rows(trial.written["main/month=2015-05/daily.parquet"]) == [
        {"date": date(2015, 5, 17), "lots": 2, "requests": 8, "bytes": 80, "errors": 2}
    ]


@pytest.fixture(scope="module")
def log() -> list[bytes]:
    return read_log()


@pytest.fixture(scope="module")
def files(log: list[bytes]) -> list[Upload]:
    return uploads(log)


class TestUploads:
    def test_the_log_is_ten_thousand_lines_of_84_hours(self, log: list[bytes]) -> None:
        assert len(log) == 10_000
        assert last_hour(log) - first_hour(log) == 84 * 3600

    def test_all_lines_fall_in_one_lot_of_each_hour(self, log: list[bytes]) -> None:
        lots = expect(log).lines
        assert len(lots) == 84
        assert {(int(lot[-3:]) * 5) % 60 for lot in lots} == {5}

    def test_there_are_hundreds_of_files_that_hold_every_line_once(self, log: list[bytes], files: list[Upload]) -> None:
        assert len(files) >= 500
        assert sorted(b"".join(file.data for file in files).splitlines(keepends=True)) == sorted(log)

    def test_each_has_a_name_of_its_own_from_server_and_time(self, files: list[Upload]) -> None:
        assert len({file.key for file in files}) == len(files)
        assert files[0].key == "inbox/web-4/20150517T100517.log"
        assert len({file.key.split("/")[1] for file in files}) == SERVERS

    def test_they_come_in_the_order_of_the_log_at_the_time_of_their_last_line(self, files: list[Upload]) -> None:
        assert [file.modified for file in files] == sorted(file.modified for file in files)
        for file in files:
            times = [time_of(line) for line in file.data.splitlines()]
            assert times == sorted(times)
            assert times[-1] == file.modified

    def test_a_client_always_comes_to_the_same_server(self, files: list[Upload]) -> None:
        seen = {(line.split(b" ")[0], file.key.split("/")[1]) for file in files for line in file.data.splitlines()}
        assert len(seen) == len({client for client, _ in seen})

    def test_the_same_log_gives_the_same_files(self, log: list[bytes], files: list[Upload]) -> None:
        assert uploads(log) == files


def test_the_pass_over_the_raw_log_finds_what_is_known_of_it() -> None:
    expected = expect(read_log())
    assert sum(expected.lines.values()) == 10_000
    assert expected.rejects == {"20150520PT5M145": 1}
    assert sum(expected.errors.values()) == 220
    assert len(expected.errors) == 77
    assert len(expected.clients) == 1_753
    assert by_day(expected.lines) == {"2015-05-17": 1632, "2015-05-18": 2893, "2015-05-19": 2896, "2015-05-20": 2579}


def test_the_pipeline_has_no_problem_and_importing_it_needs_no_parquet() -> None:
    assert verify(load_pipeline(EXAMPLE / "pipeline.py")) == []
    code = "import pipeline, sys; sys.exit('pyarrow' in sys.modules or 'duckdb' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=EXAMPLE, check=True)


def demo(lake: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLE / "demo.py"), "--lake", str(lake), *options]
    wide = {**os.environ, "COLUMNS": "160", "PYTHONWARNINGS": "error"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=wide, cwd=lake.parent)


HOURS = ("--hours", "6")


@pytest.fixture(scope="module")
def six_hours(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    lake = tmp_path_factory.mktemp("demo") / "lake"
    return lake, demo(lake, *HOURS)


def cells(output: str, name: str) -> list[str]:
    """A table's row that begins with ``name``."""
    rows = [[cell.strip() for cell in text.strip("│ ").split("│")] for text in output.splitlines()]
    return next(row for row in rows if row[0] == name)


class TestDemo:
    def test_counts_the_lots_and_finds_all_of_them_right(self, six_hours: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
        _, ran = six_hours
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert cells(ran.stdout, "access-logs") == ["access-logs", "6", "66", "0", "0"]
        assert cells(ran.stdout, "summary") == ["summary", "6", "66", "0", "0"]
        assert cells(ran.stdout, "daily") == ["daily", "1", "0", "0", "0"]

    def test_answers_three_questions(self, six_hours: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
        assert six_hours[1].stdout.count("?") == 3

    def test_the_commands_to_look_further_work_as_they_are_printed(
        self, six_hours: tuple[Path, subprocess.CompletedProcess[str]]
    ) -> None:
        lake, ran = six_hours
        commands = ran.stdout.partition("To look further:\n")[2].splitlines()
        assert len(commands) == 5
        for command in commands:
            shown = subprocess.run(command, shell=True, cwd=lake.parent, capture_output=True, text=True, check=False)
            assert shown.returncode == 0, command + shown.stdout + shown.stderr
            assert shown.stdout

    def test_checks_a_lake_that_is_there(self, six_hours: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
        assert demo(six_hours[0], *HOURS, "--check-only").returncode == 0

    def test_removes_nothing_that_is_no_lake(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("years of work")
        ran = demo(tmp_path, *HOURS)
        assert ran.returncode == 1
        assert "no lake" in ran.stderr
        assert (tmp_path / "thesis.txt").exists()

    def test_leaves_a_lake_alone_that_somebody_works_in(self, tmp_path: Path) -> None:
        with closing(Worker(tmp_path / ".clusterless/workers")):
            ran = demo(tmp_path, *HOURS)
        assert ran.returncode == 1
        assert "another process is at work" in ran.stderr

    def test_replaces_an_earlier_lake(self, tmp_path: Path) -> None:
        (tmp_path / "lake/.clusterless").mkdir(parents=True)
        (tmp_path / "lake/old.txt").touch()
        assert demo(tmp_path / "lake", "--hours", "1").returncode == 0
        assert not (tmp_path / "lake/old.txt").exists()
        assert [path.name for path in tmp_path.iterdir()] == ["lake"]

    def test_the_secret_is_its_owners_alone(self, six_hours: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
        assert (six_hours[0] / ".clusterless/secrets/address-key").stat().st_mode & 0o777 == 0o600


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def flipped(file: Path, at: int) -> None:
    data = bytearray(file.read_bytes())
    data[at] ^= 0xFF
    file.write_bytes(data)


def flipped_first(file: Path) -> None:
    flipped(file, 0)


def flipped_page(file: Path) -> None:
    flipped(file, file.read_bytes().index(b"\x15", 4) + 30)


def flipped_statistics(file: Path) -> None:
    flipped(file, file.stat().st_size * 3 // 4)


def gone(file: Path) -> None:
    file.unlink()


def emptied(file: Path) -> None:
    file.write_bytes(b"")


class TestDemoRefuses:
    @pytest.fixture
    def lake(self, six_hours: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path) -> Path:
        return Path(shutil.copytree(six_hours[0], tmp_path / "lake"))

    def refused(self, lake: Path) -> str:
        ran = demo(lake, *HOURS, "--check-only")
        assert ran.returncode == 1, ran.stdout
        assert "Traceback" not in ran.stderr
        return ran.stdout

    @pytest.mark.parametrize("dataset", ["usage", "summary", "daily"])
    @pytest.mark.parametrize("harm", [truncated, flipped_first, flipped_page, flipped_statistics, gone, emptied])
    def test_a_corrupted_parquet_file_and_names_it(self, lake: Path, dataset: str, harm: Any) -> None:
        file = min((lake / "reports" / dataset).rglob("*.parquet"))
        harm(file)
        assert str(file.relative_to(lake)) in self.refused(lake)

    def test_rows_that_differ_from_the_raw_log(self, lake: Path) -> None:
        file = min((lake / "reports/summary").rglob("*.parquet"))
        changed = [{**row, "requests": row["requests"] + 1} for row in rows(file.read_bytes())]
        file.write_bytes(transforms.parquet(changed))
        assert "the raw log says" in self.refused(lake)

    def test_a_client_address_anywhere(self, lake: Path) -> None:
        file = min((lake / "reports/errors").rglob("*.jsonl"))
        client = read_log()[0].split(b" ")[0].decode()
        with file.open("a") as stream:
            stream.write(json.dumps({"status": 404, "client": client}) + "\n")
        assert f"personal data: {file.relative_to(lake)} holds" in self.refused(lake)

    def test_a_lot_that_is_missing(self, lake: Path) -> None:
        next(lake.glob("*manifest*/datasets/name=usage/*/lot=20150517PT5M121/*/manifest.json")).unlink()
        assert "lots of usage: 5 complete, 66 empty, 1 missing" in self.refused(lake)


@pytest.mark.full
def test_the_whole_log_has_84_lots_with_data_and_924_without(tmp_path: Path) -> None:
    ran = demo(tmp_path / "lake")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert cells(ran.stdout, "access-logs") == ["access-logs", "84", "924", "0", "0"]
    assert cells(ran.stdout, "errors") == ["errors", "77", "931", "0", "0"]
    assert cells(ran.stdout, "daily") == ["daily", "4", "0", "0", "0"]
