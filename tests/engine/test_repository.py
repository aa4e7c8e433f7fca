"""The repository's own program: the example, deployed by ``pulumi`` and by the Automation API."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.engine import Project
from tests.support.ministack import ACCOUNT, REGION, MiniStack

ARCS = ("clean", "daily", "errors", "summary", "usage")
KEPT = {f"dev-clusterless-{kind}-{ACCOUNT}-{REGION}" for kind in ("arc-state", "manifest", "metadata")} | {"lake-of-tests"}


@pytest.fixture
def stack(root: Project) -> Project:
    root.configure(account=ACCOUNT, region=REGION, root="s3://lake-of-tests/")
    return root


def functions(cloud: MiniStack) -> dict[str, str]:
    return {it["FunctionName"]: it["CodeSha256"] for it in cloud.client("lambda").list_functions()["Functions"]}


@pytest.mark.full
def test_the_repositorys_program_is_deployed_changed_and_removed(stack: Project, cloud: MiniStack) -> None:
    planned = stack.deploy("preview").changes
    assert set(planned) == {"create"}
    assert stack.deploy("up").changes == planned
    assert len(functions(cloud)) == 1 + len(ARCS)
    unchanged = {"same": planned["create"]}
    assert stack.deploy("preview").changes == unchanged
    assert stack.deploy("refresh").changes == unchanged

    stack.pulumi("config", "set", "--path", "clusterless:components.clean.memory", "1024")
    assert stack.deploy("up").steps == [("update", "access-logs-clean-function")]

    before = functions(cloud)
    with (stack.folder / "examples" / "access_logs" / "transforms.py").open("a") as code:
        code.write("\n# another line\n")
    assert stack.deploy("up").steps == [("update", f"access-logs-{arc}-function") for arc in ARCS]
    after = functions(cloud)
    assert [name for name in after if after[name] == before[name]] == [f"DEV-access-logs-landing-int-20150501-00-{REGION}"]

    stack.deploy("destroy")
    assert stack.resources() == []
    assert {it["Name"] for it in cloud.client("s3").list_buckets()["Buckets"]} == KEPT
    assert functions(cloud) == {}
    for service, operation, found in LEFT:
        assert not getattr(cloud.client(service), operation)().get(found), f"{operation}: something is left"


@pytest.mark.full
def test_handlers_that_cannot_be_imported_are_told_in_words_and_nothing_is_made(stack: Project, cloud: MiniStack) -> None:
    code = stack.folder / "examples" / "access_logs" / "transforms.py"
    code.write_text(code.read_text().replace("import hashlib\n", "import hashlib\nimport rich\n"))
    refused = stack.deploy("up", fails=True)
    assert refused.output.count("cannot be imported from its archive: ModuleNotFoundError: No module named 'rich'") >= len(ARCS)
    assert "Traceback" not in refused.output
    assert (refused.steps, stack.resources(), functions(cloud)) == ([], [], {})


PLANNED = """
import json, sys
from pathlib import Path
from pulumi import automation as auto

sys.path.insert(0, sys.argv[1])
folder, settings = Path(sys.argv[2]), json.loads(sys.argv[3])

def program():
    import clusterless
    from pipeline import pipeline
    clusterless.provision(pipeline)

def stack():
    project = auto.ProjectSettings(name="planned", runtime="python")
    options = auto.LocalWorkspaceOptions(work_dir=str(folder), project_settings=project)
    made = auto.create_or_select_stack("dev", project_name="planned", program=program, opts=options)
    made.set_all_config({f"clusterless:{name}": auto.ConfigValue(value) for name, value in settings.items()})
    return made

def changes(result):
    return result.summary.resource_changes

plan, told, made = str(folder / "plan.json"), {}, stack()
told["preview"] = dict(made.preview(plan=plan).change_summary)
told["up"] = changes(made.up(plan=plan))
made.preview(plan=plan)
made.set_config("clusterless:memory", auto.ConfigValue("256"))
try:
    made.up(plan=plan)
except auto.CommandError as error:
    told["deviating"] = "violates plan" in str(error)
events = []
made.preview(on_event=events.append)
steps = [it.resource_pre_event.metadata for it in events if it.resource_pre_event]
told["steps"] = [[it.op.value, it.urn.rsplit("::", 1)[1], it.diffs] for it in steps if it.op.value != "same"]
made.destroy()
print(json.dumps(told))
"""


@pytest.mark.full
def test_an_up_does_what_its_plan_showed_and_nothing_else(stack: Project, tmp_path: Path) -> None:
    """By the Automation API, with the program inline: as a command line would deploy."""
    script, work = tmp_path / "planned.py", tmp_path / "work"
    script.write_text(PLANNED)
    work.mkdir()
    settings = {"account": ACCOUNT, "region": REGION, "root": "s3://lake-of-tests/", "provider": "aws", "stage": "dev"}
    command = [sys.executable, str(script), str(stack.folder / "examples" / "access_logs"), str(work), json.dumps(settings)]
    run = subprocess.run(command, env=stack.environment, capture_output=True, text=True, timeout=280, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    told = json.loads(run.stdout)
    assert told["preview"] == told["up"]
    assert set(told["up"]) == {"create"}
    assert told["deviating"] is True
    assert sorted(told["steps"]) == [
        ["update", f"access-logs-{it}-function", ["memorySize"]] for it in sorted((*ARCS, "landing"))
    ]


LEFT = [
    ("sqs", "list_queues", "QueueUrls"),
    ("iam", "list_roles", "Roles"),
    ("events", "list_rules", "Rules"),
    ("logs", "describe_log_groups", "logGroups"),
    ("scheduler", "list_schedules", "Schedules"),
]
