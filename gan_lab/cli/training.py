"""``gan-lab train``: what is typed goes to Hydra, but for known mistakes."""

import os
import sys

import click
from click.shell_completion import CompletionItem


def _complete(
    context: click.Context, _: click.Parameter | None, incomplete: str
) -> "list[CompletionItem[str]]":
    from gan_lab.config.completion import complete

    words: tuple[str, ...] = context.params.get("arguments") or ()
    if words and words[-1] in ("--config-dir", "-cd"):
        return [CompletionItem(incomplete, type="dir")]
    return [CompletionItem(word) for word in complete(words, incomplete)]


class TrainCommand(click.Command):
    """Completes Hydra's flags as it does overrides."""

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem[str]]":
        return _complete(ctx, None, incomplete)


@click.command(
    cls=TrainCommand,
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, shell_complete=_complete)
def command(arguments: tuple[str, ...]) -> None:
    """Train one configuration, or with -m a sweep of them."""
    for shell in ("bash", "zsh"):
        if f"install={shell}" in arguments and {"-sc", "--shell-completion"} & set(arguments):
            from gan_lab.cli.completion import script  # Hydra's own knows no commands

            click.echo(script(shell), nl=False)
            return
    if {"--help", "-h"} & set(arguments):
        from gan_lab.config.command_line import config_folders
        from gan_lab.config.help import explain, overview

        at = min(arguments.index(flag) for flag in ("--help", "-h") if flag in arguments)
        names = arguments[at + 1 : at + 2]
        folders = config_folders(arguments)
        click.echo(
            explain(names[0].partition("=")[0], folders) if names and names[0][:1] != "-" else overview()
        )
        return
    # Hydra then raises what went wrong instead of printing it over several lines.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    from gan_lab.config.command_line import read_words
    from gan_lab.train import main

    sys.argv = ["gan-lab train", *read_words(arguments)]

    main()
