"""Commands of any language: what they are told, what becomes of what they write, and how they may misbehave."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from clusterless.runtime.errors import SourceChanged, WorkloadError, WorkloadTimeout
from clusterless.runtime.work import PartialResult, Produced
from clusterless.runtime.workloads import container, execute
from tests.runtime.workloads.world import CLEAN, LOT, RAW, World, command

FOLDER = f"{CLEAN}lot={LOT}/0001-0001/"
SHELL = shutil.which("sh") or "sh"
NODE = shutil.which("node")

PYTHON_UPPER = """
    import json, os, sys
    from urllib.request import urlopen

    lot, manifest = sys.argv[1:]
    with urlopen(manifest) as stream:
        uris = json.load(stream)["uris"]
    for uri in uris:
        with urlopen(uri) as source, open(f"{os.environ['CLS_SINK_PATH']}/{uri.rpartition('/')[2]}", "wb") as target:
            target.write(source.read().upper())
"""
NODE_UPPER = """
    const fs = require("fs");
    const [, , lot, manifest] = process.argv;
    for (const uri of JSON.parse(fs.readFileSync(new URL(manifest), "utf8")).uris) {
      const text = fs.readFileSync(new URL(uri), "utf8").toUpperCase();
      fs.writeFileSync(process.env.CLS_SINK_PATH + "/" + uri.split("/").pop(), text);
    }
"""
SHELL_UPPER = """
    manifest="${2#file://}"
    sed 's/.*"uris":\\[//; s/[]"}]//g' "$manifest" | tr ',' '\\n' | while read -r uri || [ -n "$uri" ]; do
      tr a-z A-Z < "${uri#file://}" > "$CLS_SINK_PATH/${uri##*/}"
    done
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "lake")


def python(text: str, *more: str) -> list[str]:
    return [sys.executable, "-c", dedent(text), *more]


def shell(text: str, *more: str) -> list[str]:
    return [SHELL, "-c", dedent(text), "sh", *more]


def run(world: World, words: list[str], sinks: dict[str, str] | None = None, **more: Any) -> dict[str, Produced]:
    """One command over one small lot."""
    work = world.work(command(*words, **more), world.given({"a.txt": "x"}), sinks=sinks)
    return dict(execute(work, timeout=30))


def names(produced: Produced) -> list[str]:
    return [uri.removeprefix(CLEAN) for uri in produced.uris]


class TestAnyLanguage:
    ARGUMENTS = ("$.arcNotifyEvent.lot", "$.arcNotifyEvent.manifest")

    def check(self, world: World, words: list[str]) -> None:
        work = world.work(command(*words, *self.ARGUMENTS), world.given({"a.txt": "one\n", "b.txt": "two\n"}))
        assert world.texts(execute(work, timeout=60)["main"]) == {f"{FOLDER}a.txt": "ONE\n", f"{FOLDER}b.txt": "TWO\n"}

    def test_python(self, world: World) -> None:
        self.check(world, python(PYTHON_UPPER))

    def test_shell(self, world: World) -> None:
        self.check(world, shell(SHELL_UPPER))

    def test_node(self, world: World, tmp_path: Path) -> None:
        if NODE is None:
            pytest.skip("no node on PATH: commands in JavaScript were not tried")
        script = tmp_path / "upper.js"
        script.write_text(NODE_UPPER)
        self.check(world, [NODE, str(script)])


class TestWhatItIsTold:
    def told(self, world: World, **more: Any) -> dict[str, str]:
        text = "import json, os; json.dump(dict(os.environ), open(os.environ['CLS_SINK_PATH'] + '/env', 'w'))"
        produced = run(world, python(text), **more)["main"]
        found: dict[str, str] = json.loads(next(iter(world.texts(produced).values())))
        return found

    def test_nothing_is_inherited_that_is_not_named(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "geheim")
        told = self.told(world, environment={"MODE": "fast"})
        told.pop("LC_CTYPE", None)  # Python sets it for itself
        told.pop("__CF_USER_TEXT_ENCODING", None)  # macOS
        ours = {name for name in told if name.startswith("CLS_")}
        assert ours == {
            "CLS_ARC_PROPS_JSON", "CLS_LOCAL", "CLS_LOT", "CLS_SINK_PATH", "CLS_SINK_PATHS", "CLS_SOURCE_MANIFESTS",
        }  # fmt: skip
        allowed = {"PATH", "HOME", "LANG", "TMPDIR", "MODE", "AWS_BATCH_JOB_ID", "AWS_BATCH_JOB_ATTEMPT"}
        assert set(told) - ours <= allowed
        assert told["MODE"] == "fast"

    def test_the_variables_say_what_there_is_to_do(self, world: World) -> None:
        told = self.told(world, workloadProps={"depth": 3})
        props = json.loads(told["CLS_ARC_PROPS_JSON"])
        assert list(props) == ["sources", "sinks", "sourceManifestPaths", "sinkManifestTemplates", "workloadProps"]
        assert props["sources"] == {"main": {"name": "source-main", "version": "1", "subscribe": True}}
        assert props["sinks"]["main"]["pathURI"] == f"file://{told['CLS_SINK_PATH']}/"
        assert props["sinkManifestTemplates"]["main"].endswith(
            "/datasets/name=sink-main/version=1/lot={lot}/state={state}{/attempt*}/manifest.json"
        )
        assert props["workloadProps"] == {"depth": 3}
        assert json.loads(told["CLS_SINK_PATHS"]) == {"main": told["CLS_SINK_PATH"]}
        (manifest,) = json.loads(told["CLS_SOURCE_MANIFESTS"])["main"]
        expanded = props["sourceManifestPaths"]["main"].replace("{lot}", told["CLS_LOT"])
        assert expanded == f"file://{manifest}"
        assert (told["CLS_LOT"], told["CLS_LOCAL"]) == (LOT, "true")
        assert told["AWS_BATCH_JOB_ID"] == "00000000-0000-0000-0000-000000000000"
        assert told["AWS_BATCH_JOB_ATTEMPT"] == "1"

    def test_a_declared_variable_cannot_take_the_place_of_ours(self, world: World) -> None:
        assert self.told(world, environment={"CLS_LOT": "another"})["CLS_LOT"] == LOT

    def test_it_runs_in_its_directory_below_the_pipelines_folder(self, world: World, tmp_path: Path) -> None:
        (tmp_path / "jobs").mkdir()
        (tmp_path / "jobs" / "here.txt").write_text("found")
        work = world.work(command(*shell("cp here.txt $CLS_SINK_PATH/"), directory="jobs"), world.given({"a": "x"}))
        assert list(world.texts(execute(work, folder=tmp_path)["main"]).values()) == ["found"]

    def test_a_window_has_a_manifest_for_each_lot(self, world: World) -> None:
        inputs = [world.given({"1": "x"}, lot="20150517PT5M120"), world.given({"2": "x"})]
        text = """
            import json, os
            manifests = json.loads(os.environ["CLS_SOURCE_MANIFESTS"])["main"]
            lots = [json.load(open(name))["lotId"] for name in manifests]
            open(os.environ["CLS_SINK_PATH"] + "/lots", "w").write(" ".join(lots))
        """
        produced = execute(world.work(command(*python(text)), *inputs))["main"]
        assert list(world.texts(produced).values()) == [f"20150517PT5M120 {LOT}"]

    def test_an_empty_source_shows_in_the_manifests_name(self, world: World) -> None:
        words = shell('echo "$1" > $CLS_SINK_PATH/name', "$.arcNotifyEvent.manifest")
        produced = execute(world.work(command(*words), world.given()))["main"]
        assert f"lot={LOT}/state=empty/manifest.json" in next(iter(world.texts(produced).values()))

    def test_secrets_are_files_that_only_their_owner_can_read(self, world: World) -> None:
        text = """
            import os, stat
            folder = os.environ["CLS_SECRETS_DIR"]
            modes = [oct(stat.S_IMODE(os.stat(path).st_mode)) for path in (folder, f"{folder}/key")]
            told = [*os.listdir(folder), *modes, open(f"{folder}/key").read(), str("geheim" in str(os.environ))]
            open(os.environ["CLS_SINK_PATH"] + "/told", "w").write(" ".join(told))
        """
        work = world.work(command(*python(text)), world.given({"a": "x"}), secrets=("key",))
        produced = execute(work, secrets={"key": "geheim", "other": "x"}.__getitem__)["main"]
        assert list(world.texts(produced).values()) == ["key 0o700 0o600 geheim False"]


class TestWhatBecomesOfWhatItWrites:
    def test_partitions_come_before_the_folder_of_the_attempt(self, world: World) -> None:
        words = shell('mkdir -p "$CLS_SINK_PATH/month=05/day=17/sub" && echo x > "$CLS_SINK_PATH/month=05/day=17/sub/k=v.txt"')
        assert names(run(world, words)["main"]) == [f"month=05/day=17/lot={LOT}/0001-0001/sub/k=v.txt"]

    def test_nothing_written_is_an_empty_lot(self, world: World) -> None:
        assert run(world, shell("true"))["main"].state == "empty"

    def test_each_sink_has_its_folder(self, world: World) -> None:
        text = """
            import json, os
            for role, path in json.loads(os.environ["CLS_SINK_PATHS"]).items():
                open(f"{path}/{role}.txt", "w").write(role)
        """
        produced = run(world, python(text), {"good": "g/", "bad": "b/"})
        assert {role: list(it.uris) for role, it in produced.items()} == {
            "good": [f"g/lot={LOT}/0001-0001/good.txt"],
            "bad": [f"b/lot={LOT}/0001-0001/bad.txt"],
        }

    def test_nothing_is_left_behind_elsewhere(self, world: World, tmp_path: Path) -> None:
        scratch = tmp_path / "scratch"
        words = shell("echo x > $TMPDIR/y; echo x > $CLS_SINK_PATH/z; pwd > $CLS_SINK_PATH/where")
        produced = execute(world.work(command(*words), world.given({"a": "x"})), scratch=scratch)["main"]
        assert any(str(scratch) in text for text in world.texts(produced).values())
        assert list(scratch.iterdir()) == []

    def test_what_a_child_of_it_writes_later_is_too_late(self, world: World, tmp_path: Path) -> None:
        pid = tmp_path / "pid"
        words = shell('sleep 60 > /dev/null 2>&1 & echo $! > "$1"; echo x > "$CLS_SINK_PATH/now"', str(pid))
        assert names(run(world, words)["main"]) == [f"lot={LOT}/0001-0001/now"]
        assert ends(int(pid.read_text()))


MANIFEST = """
    import json, os, sys
    from pathlib import Path

    def manifest(uris, state="complete", attempt="", role="main", document="", **more):
        template = json.loads(os.environ["CLS_ARC_PROPS_JSON"])["sinkManifestTemplates"][role]
        path = template.replace("{lot}", LOT).replace("{state}", state).replace("{/attempt*}", attempt)
        fields = {"state": document or state, "comment": None, "lotId": LOT, "uriType": "identifier", "uris": uris, **more}
        write(Path(path.removeprefix("file://")), json.dumps(fields))

    def write(path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path.as_uri()

    LOT = os.environ["CLS_LOT"]
    sink = Path(os.environ["CLS_SINK_PATH"])
"""


def scripted(text: str) -> list[str]:
    return python(dedent(MANIFEST) + dedent(text))


class TestAManifestOfItsOwn:
    def test_it_decides_what_the_result_is(self, world: World) -> None:
        text = """
            kept = write(sink / "day=1" / "kept it.txt", "1")
            write(sink / "_temporary", "2")
            manifest([kept])
        """
        produced = run(world, scripted(text))["main"]
        assert world.texts(produced) == {f"{CLEAN}day=1/lot={LOT}/0001-0001/kept%20it.txt": "1"}

    def test_the_predecessors_examples_write_a_field_more_and_name_plain_paths(self, world: World) -> None:
        text = """
            write(sink / "a b.txt", "1")
            manifest([str(sink / "a b.txt")], dataset={"name": "x"})
        """
        assert names(run(world, scripted(text))["main"]) == [f"lot={LOT}/0001-0001/a%20b.txt"]

    def test_it_may_be_a_folder_of_parts_as_hadoop_writes_it(self, world: World) -> None:
        text = """
            one, two = write(sink / "1", "1"), write(sink / "2", "2")
            path = json.loads(os.environ["CLS_ARC_PROPS_JSON"])["sinkManifestTemplates"]["main"].removeprefix("file://")
            folder = Path(path.replace("{lot}", LOT).replace("{state}", "complete").replace("{/attempt*}", ""))
            for number, uris in enumerate(([one], [two, one])):
                document = {"state": "complete", "lotId": LOT, "uriType": "identifier", "uris": uris}
                write(folder / f"part-{number}-manifest-data.json", json.dumps(document))
            write(folder / "_SUCCESS", "")
        """
        assert names(run(world, scripted(text))["main"]) == [f"lot={LOT}/0001-0001/{name}" for name in "12"]

    def test_it_may_name_places(self, world: World) -> None:
        text = """
            for name in ("day=1/a", "day=1/b", "day=10/c"):
                write(sink / name, name)
            manifest([(sink / "day=1").as_uri() + "/"], uriType="path")
        """
        assert names(run(world, scripted(text))["main"]) == [f"day=1/lot={LOT}/0001-0001/{name}" for name in "ab"]

    def test_an_empty_one_makes_an_empty_lot_whatever_lies_there(self, world: World) -> None:
        assert run(world, scripted('write(sink / "a", "1"); manifest([], state="empty")'))["main"].state == "empty"

    def test_each_sink_may_have_one(self, world: World) -> None:
        text = """
            for role, path in json.loads(os.environ["CLS_SINK_PATHS"]).items():
                manifest([write(Path(path) / role, role)], role=role)
        """
        produced = run(world, scripted(text), {"a": "a/", "main": "b/"})
        assert {role: it.count for role, it in produced.items()} == {"a": 1, "main": 1}

    def test_it_may_list_what_the_command_put_into_the_datasets_storage_by_itself(self, world: World, tmp_path: Path) -> None:
        text = f"""
            there = Path({str(tmp_path)!r}) / "lake" / {CLEAN!r} / "own.txt"
            manifest([write(there, "1")])
        """
        assert world.texts(run(world, scripted(text))["main"]) == {f"{CLEAN}own.txt": "1"}

    def test_a_partial_one_fails_the_attempt_and_is_kept(self, world: World) -> None:
        text = """
            uris = [write(sink / "a", "1")]
            manifest(uris, state="partial", attempt="/attempt=7", comment="one source was down")
        """
        with pytest.raises(PartialResult, match="a partial manifest for sink 'main': one source was down") as caught:
            run(world, scripted(text))
        assert names(caught.value.produced["main"]) == [f"lot={LOT}/0001-0001/a"]

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ('manifest(["file:///etc/hosts"])', "lists an object outside of its sink 'main'"),
            ('manifest(["s3://bucket/x"])', "outside of its sink"),
            ('manifest([sink.as_uri() + "/../../secrets/key"])', "outside of its sink"),
            ('manifest([sink.as_uri() + "/%2E%2E/x"])', "outside of its sink"),
            ('manifest([sink.as_uri() + "/missing"])', "missing: the command lists an object of sink 'main' that it did not"),
            ('manifest([sink.as_uri() + "/day=1/"], uriType="path")', "lists a place at which nothing lies"),
            ('manifest(["%zz"])', "'%' in a URI begins two"),
            ('manifest([], lotId="L")', f"wrote a manifest of lot L under the key of lot {LOT}"),
            ('manifest([str(sink / "a")], document="empty")', "says empty under a key that says complete"),
            ("manifest([], comment=3)", "comment a text or null"),
            ("manifest(3)", "the manifest has no uris"),
            ('(sink / "link").symlink_to("/etc/hosts"); manifest([(sink / "link").as_uri()])', "link: .*cannot be an object"),
        ],
    )
    def test_what_it_may_not_say(self, world: World, text: str, told: str) -> None:
        with pytest.raises(WorkloadError, match=told):
            run(world, scripted(text))
        assert list(world.data.list(CLEAN)) == []


class TestMisbehaviour:
    def test_the_exit_code_and_the_last_lines_are_told(self, world: World) -> None:
        with pytest.raises(WorkloadError, match=r"the command ended with exit code 4:\nfirst\nsecond$"):
            run(world, shell("echo first >&2; echo second >&2; exit 4"))

    def test_what_it_printed_is_told_where_it_complained_about_nothing(self, world: World) -> None:
        with pytest.raises(WorkloadError, match=r"exit code 1:\nhello"):
            run(world, shell("echo hello; exit 1"))

    def test_the_signal_that_ended_it_is_named(self, world: World) -> None:
        with pytest.raises(WorkloadError, match="the command was killed by SIGTERM:"):
            run(world, shell("kill -TERM $$"))

    def test_a_flood_of_output_is_read_and_dropped(self, world: World) -> None:
        text = "import sys; sys.stderr.write('x' * 79 + '\\n' + ('y' * 79 + '\\n') * 100_000); sys.exit('last line')"
        with pytest.raises(WorkloadError) as caught:
            run(world, python(text))
        assert caught.value.what.endswith("\nlast line")
        assert len(caught.value.what) < 4000
        assert "…" in caught.value.what

    def test_it_is_killed_at_its_limit_with_all_that_it_started(self, world: World, tmp_path: Path) -> None:
        pid = tmp_path / "pid"
        words = shell('sleep 60 & echo $! > "$1"; wait', str(pid))
        start = time.monotonic()
        with pytest.raises(WorkloadTimeout, match=r"still at work after 0\.5 s"):
            execute(world.work(command(*words), world.given({"a": "x"})), timeout=0.5)
        assert time.monotonic() - start < 20
        assert ends(int(pid.read_text()))

    def test_nothing_of_a_failed_command_is_taken_over(self, world: World) -> None:
        with pytest.raises(WorkloadError):
            run(world, shell("echo x > $CLS_SINK_PATH/a; exit 1"))
        assert list(world.data.list(CLEAN)) == []

    def test_a_link_out_of_its_folder_is_refused(self, world: World) -> None:
        with pytest.raises(WorkloadError, match="cannot be an object: a symbolic link leads out"):
            run(world, shell('ln -s /etc/hosts "$CLS_SINK_PATH/hosts"'))

    def test_a_program_that_is_not_there(self, world: World) -> None:
        with pytest.raises(WorkloadError, match=r"no-such-program: there is no such program .*on PATH"):
            run(world, ["no-such-program"])

    def test_a_program_that_may_not_be_run(self, world: World, tmp_path: Path) -> None:
        file = tmp_path / "plain.txt"
        file.write_text("x")
        with pytest.raises(WorkloadError, match="the program cannot be started"):
            run(world, [str(file)])

    def test_a_directory_that_is_not_there(self, world: World) -> None:
        with pytest.raises(WorkloadError, match="the command's directory is not there"):
            run(world, ["true"], directory="nowhere")

    def test_an_object_that_was_replaced_meanwhile(self, world: World) -> None:
        given = world.given({"a": "x"}, arrived=True)
        words = shell('echo more >> "$1"', str(world.root) + f"/{RAW}a")
        with pytest.raises(SourceChanged):
            execute(world.work(command(*words), given))


FAKE_DOCKER = """#!/bin/sh
    # Stands for a container engine: notes what it is asked for, and runs the command right here.
    echo "$@" >> "$(dirname "$0")/asked"
    case "$1" in
      version) exit 0 ;;
      kill) exit 0 ;;
    esac
    while [ "$1" != "the-image" ]; do
      if [ "$1" = "--env" ]; then export "$2"; fi
      shift
    done
    shift
    exec "$@"
"""


class TestAContainer:
    @pytest.fixture(autouse=True)
    def asked_anew(self) -> None:
        container.usable.cache_clear()

    @pytest.fixture
    def engine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A container engine that notes what it is asked for; the file with the notes."""
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "docker").write_text(dedent(FAKE_DOCKER).lstrip())
        (folder / "docker").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return folder / "asked"

    def test_an_image_is_run_with_its_folders_and_without_a_network(self, world: World, engine: Path, tmp_path: Path) -> None:
        work = world.work(command(*shell("echo x > $CLS_SINK_PATH/a"), image="the-image"), world.given({"a": "x"}))
        assert names(execute(work)["main"]) == [f"lot={LOT}/0001-0001/a"]
        asked = engine.read_text().splitlines()[1]
        assert asked.startswith("run --rm --init --name clusterless-")
        assert "--network none" in asked
        data = tmp_path / "lake/logs/raw"
        assert f"--mount type=bind,source={data},target={data},readonly" in asked
        assert asked.count("--mount") == 2  # and what lies beside the data, secrets for example, it cannot see
        assert "--env CLS_LOCAL=true" in asked
        assert "--env PATH=" not in asked  # the image has its own

    def test_a_network_is_there_if_it_is_declared(self, world: World, engine: Path) -> None:
        execute(world.work(command("true", image="the-image", network="bridge"), world.given({"a": "x"})))
        assert "--network bridge" in engine.read_text()

    def test_the_container_is_ended_at_the_limit_not_just_its_client(self, world: World, engine: Path) -> None:
        with pytest.raises(WorkloadTimeout):
            execute(world.work(command("sleep", "60", image="the-image"), world.given({"a": "x"})), timeout=0.5)
        name = engine.read_text().splitlines()[1].split("--name ")[1].split(" ")[0]
        assert f"kill {name}" in engine.read_text().splitlines()

    def test_without_an_engine_the_command_runs_as_a_process(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(container, "PROGRAM", "no-such-engine")
        words = [SHELL, "-c", 'echo x > "$CLS_SINK_PATH/a"']
        assert run(world, words, image="the-image")["main"].count == 1

    def test_a_real_engine(self, world: World) -> None:
        image = os.environ.get("CLS_TEST_IMAGE", "")
        if not image or not container.usable():
            pytest.skip("no container engine, or CLS_TEST_IMAGE names no image with a shell: no real container was run")
        work = world.work(command("sh", "-c", "echo x > $CLS_SINK_PATH/a", image=image), world.given({"a": "x"}))
        assert execute(work, timeout=120)["main"].count == 1


def ends(pid: int) -> bool:
    """Whether a process that was killed is gone; a kill takes effect when the system gets to it."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True  # nobody has asked for its exit code yet
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.01)
    return False
