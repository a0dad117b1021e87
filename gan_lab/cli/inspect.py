"""``gan-lab inspect``: the activations in the networks of a configuration."""

from pathlib import Path

import click


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "ignore_unknown_options": True},
)
@click.argument("overrides", nargs=-1, type=click.UNPROCESSED)
@click.option("--config-dir", type=click.Path(path_type=Path), help="A folder with your own model/*.yaml.")
def command(overrides: tuple[str, ...], config_dir: Path | None) -> None:
    """List the activations in both networks that OVERRIDES choose, and train nothing.

    \b
    gan-lab inspect --config-dir mine model=yours activation=elu
    """
    from gan_lab.training.inspect import inspect

    for line in inspect(overrides, config_dir):
        click.echo(line)
