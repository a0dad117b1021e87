"""The shell: one small file a command, each imported only when it is called."""

import os
from importlib import import_module

import click

# name -> one line for `gan-lab --help`; each command is gan_lab/cli/<name>.py, function `command`.
COMMANDS = {
    "train": "Train a GAN, or sweep over many: gan-lab train activation=elu.",
    "sample": "Draw a picture from a finished or running run.",
    "evaluate": "Measure the generators of a run or of a study.",
    "report": "Say what a study says: ranking, figures and a page.",
    "ls": "List studies and runs.",
    "activations": "The atlas: what each activation is as a function, and what it costs here.",
}

# The package has one file called train.py, and it is not this one.
COMMAND_MODULES = {"train": "training"}


class LazyGroup(click.Group):
    """A group that knows its commands' names and help without importing them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # Wherever it stands: `gan-lab train` leaves all that follows it to Hydra.
        if os.environ.get("HYDRA_FULL_ERROR") == "1" or "--debug" in args:
            os.environ["GAN_LAB_DEBUG"] = "1"
        return super().parse_args(ctx, [word for word in args if word != "--debug"])

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # before a command has begun; click's own exit code would be 1
            click.echo("gan-lab: stopped", err=True)
            ctx.exit(130)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found = import_module(f"gan_lab.cli.{COMMAND_MODULES.get(cmd_name, cmd_name)}").command
        assert isinstance(found, click.Command)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gan-lab")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
def main() -> None:
    """Which activation function should this GAN use? Train, compare, and look.

    \b
    gan-lab train activation=elu
    gan-lab train -m activation=sigmoid,tanh,relu,leaky_relu,prelu,elu seeds=10
    gan-lab sample outputs/digits/<run>
    tensorboard --logdir outputs/digits
    """
