"""The command `checkrein`. Each module here is one command, or one thing that commands share.

Modules import little at the top: whoever asks for `--help` does not wait for a web server.
"""

from __future__ import annotations

import rich_click as click

from gateway.cli.audit import audit
from gateway.cli.compare import compare
from gateway.cli.demo import demo
from gateway.cli.determinism import determinism
from gateway.cli.doctor import doctor
from gateway.cli.erase import erase
from gateway.cli.explain import explain
from gateway.cli.export import export
from gateway.cli.intent import intent
from gateway.cli.keys import keys
from gateway.cli.policy import policy
from gateway.cli.re_execute import re_execute
from gateway.cli.rejudge import rejudge
from gateway.cli.replay import replay
from gateway.cli.run_record import run_record
from gateway.cli.runs import runs
from gateway.cli.runs_export import runs_export
from gateway.cli.runs_find import agents, artifacts, search
from gateway.cli.runs_index import runs_index
from gateway.cli.serve import migrate, serve, work
from gateway.cli.settings import config
from gateway.cli.simulate import simulate
from gateway.cli.tour import tour
from gateway.cli.up import up
from gateway.cli.verify import verify
from gateway.cli.watch import watch

EXIT_CODES = """
Exit codes: 0 all is well; 1 something was found wrong; 2 the command or a setting cannot be
understood; 3 the data folder is in use; 4 there is no such thing; 5 no gateway answers.
"""


@click.group(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="checkrein-gateway", prog_name="checkrein")
def main() -> None:
    """Judge, remember and replay what AI agents do with their tools.

    Begin with `checkrein up`, or see `checkrein demo`.
    """


COMMANDS = (
    up,
    demo,
    tour,
    runs,
    watch,
    replay,
    simulate,
    run_record,
    explain,
    compare,
    determinism,
    rejudge,
    re_execute,
    intent,
    keys,
    policy,
    verify,
    export,
    erase,
    audit,
    doctor,
    config,
    serve,
    work,
    migrate,
)
for command in COMMANDS:
    main.add_command(command)
for command in (runs_export, search, artifacts, agents, runs_index):
    runs.add_command(command)
