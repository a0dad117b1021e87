"""``gan-lab activations``: what each activation is as a function, and what it costs here."""

import json
from pathlib import Path

import click

from gan_lab.cli.errors import one_sentence


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

    Range, derivative, Lipschitz constant and gains (1 / sqrt(E f(z)^2) forward, the same of f' backward, z
    standard normal; beside them torch.nn.init.calculate_gain's) are computed from the function itself in
    float64; ? stands for what that cannot tell. Time and memory are multiples of ReLU's.
    """
    with one_sentence():
        from tqdm import tqdm

        from gan_lab import atlas
        from gan_lab.atlas.plot import check_format, draw
        from gan_lab.atlas.table import data, text
        from gan_lab.utils.devices import describe_device, select_device
        from gan_lab.utils.errors import ConfigurationError, GanLabError

        if output is not None:
            check_format(output)
        where = select_device(device)
        requests = atlas.parse(names) or [atlas.Request(name) for name in atlas.known(config_dir)]
        choices, bad = [], []
        for request in tqdm(requests, desc="reading", unit="", leave=False, disable=None):
            for path in atlas.hidden(request.name, config_dir):
                bad.append(f"{path} is not read, because gan-lab has an entry of that name")
            try:
                choices.append(atlas.choose(request, config_dir))
            except GanLabError as error:
                if names and isinstance(error, ConfigurationError):
                    raise
                bad.append(f"{request.label}: {error}")
        entries = [
            atlas.look_up(choice, where if timing else None)
            for choice in tqdm(choices, desc="measuring", unit="", leave=False, disable=None)
        ]
        for sentence in bad:
            click.echo(f"gan-lab: {' '.join(sentence.split())}", err=True)
        if not entries:
            raise GanLabError("there is no activation left to measure")
        machine = f"{describe_device(where)}, {atlas.elements(where)} numbers"
        if as_json:
            rows = [data(entry) for entry in entries]
            click.echo(
                json.dumps({"measured_on": machine if timing else None, "activations": rows}, indent=2)
            )
        else:
            click.echo(text(entries, f"relative to ReLU ({machine})" if timing else None))
        if output is not None:
            draw(entries, output)
            click.echo(output, err=as_json)
