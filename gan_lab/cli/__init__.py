"""The command line: one small file per command, imported only when it is called."""

import atexit
import difflib
import gc
import os
import shlex
import sys
from collections.abc import MutableMapping
from importlib import import_module
from typing import Any

import click

from gan_lab.cli.errors import DEBUG, report_errors
from gan_lab.utils.cores import wait_awake_for_a_moment
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.terminal import nobody_reads, safe_terminal
from gan_lab.utils.text import truncate

# name -> one line for `gan-lab --help`; each command is gan_lab/cli/<name>.py, function `command`.
COMMANDS = {
    "train": "Train a GAN, or sweep over many: gan-lab train activation=elu.",
    "sample": "Draw samples from a finished or running run.",
    "evaluate": "Evaluate the generators of a run or of a study.",
    "report": "Analyze a study: ranking, figures and an HTML report.",
    "ls": "List studies and runs.",
    "prune": "Free disk space: old checkpoints, runs put aside, caches.",
    "activations": "Describe activations as functions, and time them on this machine.",
    "plan": "Say beforehand how long a sweep or race will take here, and what it can find.",
    "inspect": "List the activations in the networks of a configuration, without training.",
    "completion": "Print the script that completes commands and overrides in bash or zsh.",
}

# An ending process looks for cycles among all objects of PyTorch, several times, and gives its memory back
# anyway: a run of one step took a sixth longer.
atexit.register(gc.freeze)

CLOSED_PIPE = 141  # 128 + SIGPIPE, as of every tool that `| head` ends
COMPLETING = "_GAN_LAB_COMPLETE"  # set by a shell that asks how a word may go on

# The package has one file called train.py, and it is not this one.
COMMAND_MODULES = {"train": "training"}


class LazyGroup(click.Group):
    """A group that knows its commands' names and help without importing them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Anywhere on the line, because `gan-lab train` passes everything after it to Hydra.
        if os.environ.get("HYDRA_FULL_ERROR") == "1" or "--debug" in args:
            os.environ[DEBUG] = "1"
        words = [word for word in args if word != "--debug"]
        if words[:1] in (["-m"], ["--multirun"]) and len(words) > 1:  # gan-lab -m train ...
            words = [words[1], words[0], *words[2:]]
        return super().parse_args(ctx, words)

    def _main_shell_completion(
        self, ctx_args: MutableMapping[str, Any], prog_name: str, complete_var: str | None = None
    ) -> None:
        if COMPLETING in os.environ:
            import_module("gan_lab.cli.completion")  # teaches click to complete overrides
        super()._main_shell_completion(ctx_args, "gan-lab", COMPLETING)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS:
            raise ConfigurationError(_no_such_command(args))
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        if COMPLETING in os.environ:  # click writes bytes then
            return super().main(*args, **kwargs)
        wait_awake_for_a_moment(os.environ)
        os.environ.setdefault("NO_COLOR", "1")  # of libraries: what is printed shows escapes as text
        with safe_terminal():
            return super().main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        with report_errors():
            result: object = super().invoke(ctx)
        # What training makes is the run; what the others make is read.
        if ctx.invoked_subcommand != "train" and nobody_reads():
            sys.exit(CLOSED_PIPE)
        return result

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"gan_lab.cli.{COMMAND_MODULES.get(cmd_name, cmd_name)}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


# what people call a command elsewhere -> how it is typed here
OTHER_NAMES = {
    **dict.fromkeys(("run", "fit", "start", "resume", "launch"), "gan-lab train"),
    **dict.fromkeys(("sweep", "multirun", "grid", "search"), "gan-lab train -m"),
    **dict.fromkeys(("estimate", "forecast", "predict"), "gan-lab plan"),
    **dict.fromkeys(("generate", "draw", "samples"), "gan-lab sample"),
    **dict.fromkeys(("eval", "score", "metrics", "test"), "gan-lab evaluate"),
    **dict.fromkeys(("analyze", "analyse", "compare", "plot", "rank"), "gan-lab report"),
    **dict.fromkeys(("list", "status", "runs", "studies", "show"), "gan-lab ls"),
    **dict.fromkeys(("clean", "delete", "rm"), "gan-lab prune"),
    **dict.fromkeys(("atlas", "activation"), "gan-lab activations"),
    "tensorboard": "tensorboard --logdir outputs",
}


def _no_such_command(words: list[str]) -> str:
    """Say what to type instead of a command that there is not: gan-lab elu, gan-lab trian."""
    first, rest = words[0], words[1:]
    if first in ("help", "version"):
        return f"type gan-lab --{first}"
    if first in OTHER_NAMES:
        command = " ".join([OTHER_NAMES[first], *map(shlex.quote, rest)])
        return f"there is no command {first!r}: type {truncate(command, 600)}"
    near = difflib.get_close_matches(first, COMMANDS, n=1)
    if near and "=" not in first:
        return f"there is no command {first!r}, did you mean {near[0]!r}? type gan-lab {near[0]}"
    from gan_lab.config.command_line import is_for_training, read_words

    if is_for_training(first):
        try:
            read_words(words)
        except ConfigurationError as error:  # not the only mistake, and it says what to type
            return f"train comes first, and {error}"
        return f"train comes first: {truncate(shlex.join(['gan-lab', 'train', *words]), 600)}"
    return f"there is no command {truncate(first, 60)!r}; choose from {', '.join(COMMANDS)}"


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gan-lab")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
def main() -> None:
    """Compare activation functions in GANs: train, evaluate, report.

    \b
    gan-lab train activation=elu
    gan-lab train -m activation=sigmoid,tanh,relu,leaky_relu,prelu,elu seeds=10
    gan-lab sample outputs/digits/<run>
    tensorboard --logdir outputs/digits/tensorboard
    """
