"""``cls``: the command line. Thin: each command parses, calls one operation, and prints what it answers.

What lives here: options, output, exit codes, and nothing that decides anything. Modules import only Typer and the standard
library at their top, and everything else inside the command that needs it, so that ``cls --help`` is quick.

    app          the commands put together
    options      options that several commands share
    home         where a command looks: a pipeline's file, a folder of placements
    output       records as table, JSON, CSV, TSV
    errors       errors for people, exit codes for programs
    declare, show, start, local, drop, deploy, reports, control, story     the commands
    subject      what is to be deployed, and how
    session      what a command that deploys shows, asks and tells
    outcome      what a local run ends with
    watched      how a deployment is getting on
"""

from __future__ import annotations


def main() -> None:
    """The entry point of ``cls``."""
    from clusterless.cli.app import app

    app(prog_name="cls")
