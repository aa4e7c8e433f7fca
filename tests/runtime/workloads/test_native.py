"""Handlers of Node on this machine: how they are found and called, what becomes of what they write, and how they fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from clusterless.runtime.errors import InvalidInput, WorkloadError, WorkloadTimeout
from clusterless.runtime.workloads import execute
from clusterless.runtime.workloads.native import module_of
from tests.house.pages import ROOT, blocks
from tests.runtime.workloads.world import CLEAN, LOT, World

FOLDER = f"{CLEAN}lot={LOT}/0001-0001/"
UPPER = """
    import { readFileSync, writeFileSync } from "node:fs";

    export async function handler(event, context) {
      const { workloadProps } = JSON.parse(event.CLS_ARC_PROPS_JSON);
      for (const manifest of JSON.parse(event.CLS_SOURCE_MANIFESTS).main) {
        for (const uri of JSON.parse(readFileSync(manifest, "utf8")).uris) {
          const text = `${workloadProps.greeting} ${readFileSync(new URL(uri), "utf8").toUpperCase()} ${process.env.LEVEL}`;
          writeFileSync(`${event.CLS_SINK_PATH}/${uri.split("/").pop()}`, text);
        }
      }
      console.log(event.CLS_LOT, context.awsRequestId, context.getRemainingTimeInMillis() > 0);
      setInterval(() => {}, 1000); // what is left running is not waited for
    }
"""
CALLED_BACK = 'exports.handler = (event, context, done) => setTimeout(() => done(event.CLS_LOT ? null : "no lot"), 1);'
THROWS = 'export const handler = async () => { throw new Error("this lot is poison"); };'

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no node on PATH: handlers in JavaScript were not called")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "lake")


def native(folder: Path, files: dict[str, str], handler: str = "index.handler", **more: Any) -> dict[str, Any]:
    """The workload of a handler, whose files lie below ``folder``."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text))
    return {"kind": "native", "function": handler, "runtime": "node22", "code": "code", **more}


@needs_node
def test_the_example_of_the_documentation_runs_in_a_folder(tmp_path: Path) -> None:
    script = "set -eu\n"
    for block in blocks(ROOT / "docs" / "native-handlers.md"):
        if block.file:
            (tmp_path / block.file).parent.mkdir(exist_ok=True)
            (tmp_path / block.file).write_text(block.code)
        elif block.language == "sh":
            script += block.code
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    own = os.environ | {"PATH": path}
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("HELLO\n!")


@needs_node
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_a_handler_is_told_the_lot_and_what_it_writes_is_its_result(world: World, tmp_path: Path, packed: bool) -> None:
    more = {"environment": {"LEVEL": "info"}, "workloadProps": {"greeting": "hello"}}
    spec = native(tmp_path, {"code/src/index.mjs": UPPER}, "src/index.handler", **more)
    if packed:
        spec["code"] = "code.zip"
        with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
            archive.write(tmp_path / "code" / "src" / "index.mjs", "src/index.mjs")
    produced = execute(world.work(spec, world.given({"a": "1x", "b": "2y"})), folder=tmp_path)["main"]
    assert world.texts(produced) == {f"{FOLDER}a": "hello 1X info", f"{FOLDER}b": "hello 2Y info"}


@needs_node
def test_a_handler_of_three_arguments_calls_back(world: World, tmp_path: Path) -> None:
    spec = native(tmp_path, {"code/index.js": CALLED_BACK})
    assert execute(world.work(spec, world.given({"a": "1"})), folder=tmp_path)["main"].count == 0


@needs_node
def test_a_function_of_a_name_within_is_found(world: World, tmp_path: Path) -> None:
    spec = native(tmp_path, {"code/index.mjs": "export default { of: { lots: async () => {} } };"}, "index.of.lots")
    assert execute(world.work(spec, world.given({"a": "1"})), folder=tmp_path)["main"].count == 0


@needs_node
@pytest.mark.parametrize(
    ("files", "handler", "told"),
    [
        ({"code/index.mjs": THROWS}, "index.handler", "this lot is poison"),
        ({"code/index.mjs": "export const other = 1;"}, "index.handler", "exports no function handler"),
        ({"code/index.mjs": 'import "not-there";'}, "index.handler", "Cannot find package 'not-there'"),
        (
            {"code/index.cjs": 'exports.handler = (event, context, done) => done("no");'},
            "index.handler",
            "ended with exit code 1",
        ),
    ],
)
def test_a_handler_that_fails_says_why(world: World, tmp_path: Path, files: dict[str, str], handler: str, told: str) -> None:
    with pytest.raises(WorkloadError, match=told) as caught:
        execute(world.work(native(tmp_path, files, handler), world.given({"a": "1"})), folder=tmp_path)
    assert caught.value.where == handler


@needs_node
def test_a_handler_past_its_limit_is_ended(world: World, tmp_path: Path) -> None:
    spec = native(tmp_path, {"code/index.mjs": "export const handler = () => new Promise((done) => setTimeout(done, 60000));"})
    with pytest.raises(WorkloadTimeout):
        execute(world.work(spec, world.given({"a": "1"})), folder=tmp_path, timeout=0.5)


def test_code_that_is_not_there_or_is_none_is_told(world: World, tmp_path: Path) -> None:
    work = world.work(native(tmp_path, {"other/index.js": ""}), world.given({"a": "1"}))
    with pytest.raises(WorkloadError, match="the handler's code is not there"):
        execute(work, folder=tmp_path)
    (tmp_path / "code").write_text("no zip file")
    with pytest.raises(WorkloadError, match="neither a folder nor a zip file"):
        execute(work, folder=tmp_path)


def test_a_machine_without_node_says_so(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    work = world.work(native(tmp_path, {"code/index.js": ""}), world.given({"a": "1"}))
    with pytest.raises(WorkloadError, match="there is no such program") as caught:
        execute(work, folder=tmp_path)
    assert caught.value.where == "node"


@pytest.mark.parametrize(
    ("handler", "names", "found"),
    [
        ("index.handler", {"index.js", "index.mjs"}, ("index.js", "handler")),
        ("a/b/index.of.lots", {"a/b/index.cjs"}, ("a/b/index.cjs", "of.lots")),
    ],
)
def test_where_a_handler_is(handler: str, names: set[str], found: tuple[str, str]) -> None:
    assert module_of(names.__contains__, handler, "code") == found


def test_a_module_that_is_not_there_is_told() -> None:
    with pytest.raises(InvalidInput) as caught:
        module_of({"index.ts", "main.js"}.__contains__, "index.handler", "code")
    assert caught.value.fix == "looked for index.js, index.mjs, index.cjs"
