"""The command line: finds the command, turns errors into one sentence and an exit code.

Commands are imported only when they are called, so that `perforch --help` and the publishing job start at once.
"""

from __future__ import annotations

import importlib
import os
import sys

import click

import perforch
from perforch.errors import PerforchError
from perforch.sandbox import isolation

# name -> (module under perforch.commands that defines a click command of that name, one line of help)
COMMANDS = {
    "demo": ("demo", "Run the whole pipeline on the sample pull request; no key, no network."),
    "optimize": ("optimize", "Prove faster versions of the functions that a change touches."),
    "functions": ("functions", "List the functions that a change touches."),
    "bench": ("bench", "Compare two command lines and say which one is faster, if either is."),
    "doctor": ("doctor", "Say whether this runner is fit to measure."),
    "rankings": ("rankings", "Show, check and merge the Memory: the evidence about models."),
    "profile": ("profile", "Collect evidence about models on a benchmark suite."),
    "validate": ("validate", "Run a suite's own solutions through our test runners."),
    "evaluate": ("evaluate", "Print the evaluation tables of the paper for the models at hand."),
    "gate": ("gate", "Workflow: decide what an event asks for and who asks it."),
    "publish": ("publish", "Workflow: post a result to its pull request."),
    "init": ("init", "Write workflows and a commented configuration into a repository."),
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"perforch.commands.{COMMANDS[cmd_name][0]}")
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _version(context: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        click.echo(f"perforch, version {perforch.__version__}")
        context.exit()


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
)
def cli() -> None:
    """Make pull requests faster, and prove it."""


def main() -> None:
    """Entry point. Exit codes: 0 fine, 1 unexpected, 2 usage, 3 no sandbox, 4 budget exhausted, 5 GitHub refused."""
    arguments = sys.argv[1:]
    try:
        isolation.begin(arguments)
    except PerforchError as error:
        _complain(error.message, error.hint)
        sys.exit(error.exit_code)
    sys.exit(run(arguments))


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; the one place that catches everything."""
    try:
        outcome = cli.main(args=arguments, prog_name="perforch", standalone_mode=False)
    except PerforchError as error:
        _complain(error.message, error.hint)
        return error.exit_code
    except click.exceptions.Abort:
        _complain("interrupted")
        return 130
    except click.ClickException as error:
        error.show()
        return 2
    except BrokenPipeError:
        # The reader of our output went away; nothing is left to say, and Python must not say it either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        if os.environ.get("PERFORCH_DEBUG"):
            raise
        _complain(
            f"unexpected {type(error).__name__}: {error}",
            "This is a bug in perforch. Run again with PERFORCH_DEBUG=1 for the traceback and please report it.",
        )
        return 1
    return outcome if isinstance(outcome, int) else 0


def _complain(message: str, hint: str = "") -> None:
    click.echo(f"perforch: {message}", err=True)
    if hint:
        click.echo(f"  {hint}", err=True)
