from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from clusterless.runtime.errors import StoreUnavailable
from tests.cli.conftest import Cls
from tests.providers.aws.test_trial import CLIENT

BAD = {
    "project": {"name": "shop", "version": "1"},
    "placement": {"provider": "local", "account": "local", "region": "disk", "root": "lake"},
    "boundaries": [{"type": "core:putBoundary", "name": "in", "dataset": {"name": "a", "version": "1"}, "lotUnits": "5m"}],
    "arcs": [{"type": "core:copyArk", "name": "copy"}],
}


def test_a_sound_pipeline_is_fine(shop: Cls) -> None:
    answer = shop("verify")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "shop is fine: 2 components, 0 warnings\n"


def test_all_that_is_wrong_is_told_at_once_with_where_and_what_to_do(cls: Cls) -> None:
    Path("project.json").write_text(json.dumps(BAD))
    answer = cls("verify", "-p", "project.json")
    assert (answer.code, answer.out) == (1, "")
    assert (
        "error: unknown field 'lotUnits'\n  where: project.json: boundaries[0].lotUnits\n  fix:   did you mean 'lotUnit'?"
        in answer.err
    )
    assert "core:copyArk" in answer.err
    assert answer.err.count("error: ") >= 3


def test_problems_for_programs(cls: Cls) -> None:
    Path("project.json").write_text(json.dumps(BAD))
    answer = cls("verify", "-p", "project.json", "--output", "json")
    assert answer.code == 1
    assert {"severity", "where", "what", "fix", "code"} == set(answer.json[0])


def test_what_is_wrong_with_the_whole_is_told_too(shop: Cls) -> None:
    text = Path("pipeline.py").read_text().replace('path="totals/"', 'path="inbox/totals/"')
    Path("pipeline.py").write_text(text)
    answer = shop("verify")
    assert answer.code == 1
    assert "where: pipeline.py" in answer.err


def test_a_file_that_is_not_there_has_an_exit_code_of_its_own(cls: Cls) -> None:
    for command in (["verify"], ["plan", "-p", "nowhere.py"], ["local", "run", "-p", "nowhere.json"], ["datasets", "status"]):
        answer = cls(*command)
        assert (answer.code, answer.out) == (74, "")
        assert "there is no such file" in answer.err


def test_a_folder_without_a_pipeline_is_told_likewise(cls: Cls) -> None:
    Path("empty").mkdir()
    answer = cls("verify", "-p", "empty")
    assert (answer.code, answer.out) == (74, "")
    assert "there is no such file\n  where: empty/pipeline.py\n  fix:   check the name given with -p" in answer.err


def test_a_folder_stands_for_the_pipeline_in_it(shop: Cls) -> None:
    assert shop("verify", "-p", ".").code == 0


@pytest.mark.parametrize("command", [("verify",), ("plan",), ("datasets", "status", "-p", "pipeline.py"), ("local", "run")])
def test_one_value_is_taken_once(shop: Cls, command: tuple[str, ...]) -> None:
    answer = shop(*command, "-p", "other.py", "--pipeline", "pipeline.py")
    assert (answer.code, answer.out) == (2, "")
    assert "'--pipeline' / '-p': is given more than once" in answer.err


# -- as it would be deployed -----------------------------------------------------------------------------------------------


SETTINGS = """\
account = "086903124729"
region = "us-east-2"
root = "s3://our-lake/"
"""


@pytest.fixture
def deployable(shop: Cls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cls:
    """A repository with settings; packages are those of this environment, and nothing is remembered from before."""
    Path("deploy.toml").write_text(SETTINGS)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("clusterless.providers.aws.package.installed", lambda *_: CLIENT)
    monkeypatch.setattr("clusterless.providers.aws.trial.interpreter", lambda python: None)
    return shop


def test_a_new_repository_can_be_deployed_as_it_is(deployable: Cls) -> None:
    for options in (("--provider", "aws"), ("--provider", "aws", "--no-imports"), ("--provider", "local"), ()):
        answer = deployable("verify", *options)
        assert (answer.code, answer.err, answer.out) == (0, "", "shop is fine: 2 components, 0 warnings\n")


def test_a_handler_that_would_fail_there_is_told_and_here_is_fine(deployable: Cls) -> None:
    Path("adding.py").write_text(Path("adding.py").read_text().replace("import csv\n", "import csv\nimport rich\n"))
    assert deployable("verify").code == 0
    answer = deployable("verify", "--provider", "aws")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == (
        "error: the handler adding:add_up cannot be imported from its archive: ModuleNotFoundError: No module named 'rich' "
        "(tried on this Python, as 3.13 is not here)\n"
        "  where: pipeline.py: arcs.add-up (adding.py:6)\n"
        "  fix:   add the package that has 'rich' to the requirements of 'add-up' in the settings, or its file to the files\n"
    )
    assert deployable("verify", "--provider", "aws", "--no-imports").code == 0


def test_a_pipeline_placed_on_a_cloud_is_checked_as_it_would_be_deployed(deployable: Cls) -> None:
    text = Path("pipeline.py").read_text().replace("import Dataset, Pipeline, local", "import Dataset, Pipeline, aws")
    Path("pipeline.py").write_text(text.replace('local("./lake", stage="dev")', 'aws("086903124729", "us-east-2")'))
    assert deployable("verify").code == 0
    Path("adding.py").write_text("import rich\ndef add_up(lot, out): ...\n")
    assert "cannot be imported from its archive" in deployable("verify").err
    Path("deploy.toml").write_text('root = "s3://our-lake/"\nmemory = 5\n')
    assert "deploy.toml: memory\n" in deployable("verify").err


def test_a_file_of_settings_that_is_named_is_looked_at(deployable: Cls) -> None:
    Path("prod.toml").write_text('provider = "aws"\nmemory = 5\n' + SETTINGS)
    assert deployable("verify").code == 0
    assert "prod.toml: memory\n" in deployable("verify", "--settings", "prod.toml").err
    Path("prod.toml").write_text('provider = "awz"\n')
    answer = deployable("verify", "--settings", "prod.toml")
    assert answer.err == "error: no provider 'awz' is known here\n  where: prod.toml\n  fix:   did you mean 'aws'?\n"


def test_looking_at_what_would_be_deployed_takes_no_pulumi(deployable: Cls) -> None:
    """To import it takes longer than all the rest."""
    code = "import sys; from clusterless.cli.app import app; app(standalone_mode=False); print('pulumi' in sys.modules)"
    command = [sys.executable, "-c", code, "verify", "--provider", "aws", "--no-imports"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False", done.stderr


def test_without_the_package_index_the_rest_is_checked(deployable: Cls, monkeypatch: pytest.MonkeyPatch) -> None:
    def installed(*_: object) -> None:
        raise StoreUnavailable("the package index could not be reached", fix="try again")

    monkeypatch.setattr("clusterless.providers.aws.package.installed", installed)
    answer = deployable("verify", "--provider", "aws")
    assert (answer.code, answer.out) == (0, "shop is fine: 2 components, 1 warnings\n")
    assert answer.err.startswith("warning: the package index could not be reached\n")


def test_where_it_cannot_go_is_told_by_its_settings(deployable: Cls) -> None:
    Path("deploy.toml").unlink()
    answer = deployable("verify", "--provider", "aws")
    assert (answer.code, answer.out) == (1, "")
    assert "nothing says which AWS account it is to be deployed to" in answer.err
    answer = deployable("verify", "--provider", "awz")
    assert answer.err == "error: no provider 'awz' is known here\n  where: --provider\n  fix:   did you mean 'aws'?\n"


def test_a_pipeline_that_raises_is_told_by_its_line(cls: Cls) -> None:
    Path("pipeline.py").write_text("x = 1\nraise ValueError('no luck')\n")
    answer = cls("verify")
    assert answer.code == 1
    assert "raises ValueError: no luck\n  where: pipeline.py:2" in answer.err
    assert "Traceback" not in answer.err


def test_tracebacks_are_for_those_who_ask(cls: Cls) -> None:
    Path("pipeline.py").write_text("raise ValueError('no luck')\n")
    assert "Traceback" in cls("-vv", "verify").err


def test_a_project_on_standard_input(shop: Cls) -> None:
    text = shop("show", "project").out
    answer = shop("plan", "-p", "-", "--output", "json", stdin=text)
    assert answer.code == 0
    assert answer.json[0]["step"] == "CreateBucket"


def test_a_plan_is_told_step_by_step_and_nothing_is_done(shop: Cls) -> None:
    answer = shop("plan")
    assert answer.code == 0
    assert [line.split()[1] for line in answer.lines[2:]] == [
        "CreateBucket", "CreateBucket", "CreateBucket", "CreateDataset", "WatchPath", "CreateDataset", "Subscribe", "RunWorkload",
    ]  # fmt: skip
    assert "run the function adding:add_up for each lot, writing totals/1" in answer.out
    assert not Path("lake").exists()


def test_a_plan_for_programs_holds_the_steps_fields(shop: Cls) -> None:
    step = shop("plan", "--output", "json").json[4]
    assert step == {
        "step": "WatchPath", "boundary": "landing", "path": "inbox/", "unit": "PT5M", "lotFrom": "arrival", "grace": 60.0,
        "dataset": "orders/1",
    }  # fmt: skip
