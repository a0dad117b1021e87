"""``gan-lab sample``: a picture from a run."""

from pathlib import Path

import click


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--seed", type=int, help="One of the run's seeds; default: the first.")
@click.option("--number", type=click.IntRange(1), default=64, help="Number of samples.")
@click.option(
    "--noise", type=click.IntRange(0), default=0, help="Number of the random stream that latents come from."
)
@click.option("--interpolate", is_flag=True, help="Interpolate from one latent to another in each row.")
@click.option("--best", is_flag=True, help="Take the best generator, which keep_best=true has stored.")
@click.option("--device", default="cpu", help="auto, cpu, cuda, cuda:1 or mps.")
@click.option(
    "--trust",
    multiple=True,
    metavar="MODULE",
    help="Trust MODULE: build what the run's config.yaml names in it.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="PNG file; default: in the folder of the seed.",
)
def command(
    run: Path,
    seed: int | None,
    number: int,
    noise: int,
    interpolate: bool,
    best: bool,
    device: str,
    trust: tuple[str, ...],
    output: Path | None,
) -> None:
    """Draw samples of the generator in the folder RUN, finished or still running."""
    from gan_lab.runs.load import draw, load
    from gan_lab.utils.devices import select_device
    from gan_lab.utils.text import format_number

    trained = load(run, trust, changed_data=True)  # pictures of a generator need no data
    seed = trained.seeds[0] if seed is None else seed
    kind = ("interpolation" if interpolate else "samples") + ("_best" if best else "")
    output = output or run / f"seed_{seed}" / f"{kind}_{noise}.png"
    sample = trained.interpolate if interpolate else trained.sample
    draw(trained, sample(number, seed, noise, device=select_device(device), best=best), output)
    if best:
        about = trained.about_best(seed)
        score = f"{about['metric']} {format_number(about['score'])}"
        click.echo(f"best of seed {seed}: {score} at step {about['step']:,}", err=True)
    click.echo(output)
