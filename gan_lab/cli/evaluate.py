"""``gan-lab evaluate``: scores of trained generators."""

import json
from pathlib import Path

import click


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--features", help="Features to compare: raw, classifier or inception; default: those of the run."
)
@click.option("--metric", "metrics", multiple=True, help="Only this metric; repeat for several.")
@click.option("--samples", type=click.IntRange(min=2), help="Number of generated and of real samples.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps.")
@click.option("--force", is_flag=True, help="Re-evaluate even if up-to-date results exist.")
@click.option(
    "--trust",
    multiple=True,
    metavar="MODULE",
    help="Trust MODULE: build what a run's config.yaml names in it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all results as JSON.")
def command(
    folder: Path,
    features: str | None,
    metrics: tuple[str, ...],
    samples: int | None,
    device: str,
    force: bool,
    trust: tuple[str, ...],
    as_json: bool,
) -> None:
    """Evaluate the generators of the run or study in FOLDER and write results.json for every seed.

    Seeds are skipped whose results are up to date: made in the same way from the same weights.
    """
    from gan_lab.evaluation.evaluate import EvalOverrides, evaluate_study
    from gan_lab.utils.devices import select_device
    from gan_lab.utils.errors import GanLabError
    from gan_lab.utils.text import format_number

    overrides = EvalOverrides(features, metrics or None, samples)
    results, errors = evaluate_study(folder, overrides, select_device(device), force=force, trust=trust)
    if as_json:
        click.echo(json.dumps({str(result.folder): result.results for result in results}, indent=2))
    else:
        for result in results:
            primary = result.results["primary"]
            score = result.results["metrics"][primary]
            last = format_number(score["last"], "diverged", digits=4)
            real_data = format_number(score["real_data"], digits=4)
            click.echo(
                f"{result.folder}  {primary} {last} (real data {real_data})"
                + (", up to date" if result.skipped else "")
            )
    if errors:
        raise GanLabError("; ".join(errors))
