"""``gan-lab train``: what is typed goes to Hydra, but for known mistakes."""

import os
import sys

import click


@click.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Train one configuration, or with -m a sweep of them."""
    # Hydra then raises what went wrong instead of printing it over several lines.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    from gan_lab.config.command_line import read_words
    from gan_lab.train import main

    sys.argv = ["gan-lab train", *read_words(arguments)]

    main()
