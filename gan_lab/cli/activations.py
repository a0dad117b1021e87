"""``gan-lab activations``: what each activation is as a function, and what it costs here."""

import json
from pathlib import Path

import click


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.argument("names", nargs=-1)
@click.option(
    "--config-dir", type=click.Path(path_type=Path), help="A folder with your own activation/*.yaml."
)
@click.option("--device", default="auto", help="Where costs are measured: auto, cpu, cuda, cuda:1 or mps.")
@click.option("--timing/--no-timing", default=True, help="Measure costs, a few seconds in all.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON with all digits instead of the table.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Also draw a picture, PNG or SVG."
)
def command(
    names: tuple[str, ...],
    config_dir: Path | None,
    device: str,
    timing: bool,
    as_json: bool,
    output: Path | None,
) -> None:
    """The atlas of activations: all that are configured, or those called NAMES.

    A name may be followed by its keys: gan-lab activations elu elu activation.alpha=0.5.

    Range, derivative and kinks of the activations that gan-lab ships hold for every x in R; your own are
    sampled on [-16, 16], and their range is what was observed there. "smooth" is C0 (continuous), C1 (with a
    continuous derivative) or Cinf. The mean is E f(z), the gains are 1 / sqrt(E f(z)^2) forward and the same
    of f' backward, z standard normal, beside them torch.nn.init.calculate_gain's; ? stands for what is not
    known. Time and memory are multiples of ReLU's.
    """
    from gan_lab.atlas.choices import ActivationQuery, available, build_spec, parse, shadowed_files
    from gan_lab.atlas.cost import num_elements
    from gan_lab.atlas.describe import describe
    from gan_lab.atlas.plot import check_format, plot
    from gan_lab.atlas.table import data, text
    from gan_lab.utils.devices import describe_device, select_device
    from gan_lab.utils.errors import ConfigurationError, GanLabError
    from gan_lab.utils.progress import progress_bar

    if output is not None:
        check_format(output)
    torch_device = select_device(device)
    queries = parse(names) or [ActivationQuery(name) for name in available(config_dir)]
    specs, problems = [], []
    for query in progress_bar("reading", queries, unit="activation", leave=False):
        for path in shadowed_files(query.name, config_dir):
            problems.append(f"{path} is not read, because gan-lab has an entry of that name")
        try:
            specs.append(build_spec(query, config_dir))
        except GanLabError as error:
            if names and isinstance(error, ConfigurationError):
                raise
            problems.append(f"{query.label}: {error}")
    rows = [
        describe(spec, torch_device if timing else None)
        for spec in progress_bar("measuring", specs, unit="activation", leave=False)
    ]
    for sentence in problems:
        click.echo(f"gan-lab: {' '.join(sentence.split())}", err=True)
    if not rows:
        raise GanLabError("there is no activation left to measure")
    machine = f"{describe_device(torch_device)}, {num_elements(torch_device)} numbers"
    if as_json:
        content = {
            "measured_on": machine if timing else None,
            "activations": [data(row) for row in rows],
        }
        click.echo(json.dumps(content, indent=2))
    else:
        click.echo(text(rows, f"relative to ReLU ({machine})" if timing else None))
    if output is not None:
        plot(rows, output)
        click.echo(output, err=as_json)
