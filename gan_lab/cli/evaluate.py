"""gan-lab evaluate: scores of trained generators."""

import json
from pathlib import Path

import click

from gan_lab.cli.errors import one_sentence


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--features", help="Features to compare: raw, classifier or inception; the run's own by default."
)
@click.option("--metric", "metrics", multiple=True, help="Only these metrics; may be given several times.")
@click.option("--samples", type=click.IntRange(min=2), help="How many samples of each kind.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 or mps.")
@click.option("--again", is_flag=True, help="Also what has been measured in the same way already.")
@click.option(
    "--trust", multiple=True, metavar="MODULE", help="Also build what a run's config.yaml names in MODULE."
)
@click.option("--json", "as_json", is_flag=True, help="Print all results as JSON.")
def command(
    folder: Path,
    features: str | None,
    metrics: tuple[str, ...],
    samples: int | None,
    device: str,
    again: bool,
    trust: tuple[str, ...],
    as_json: bool,
) -> None:
    """Measure the generators of the run or study in FOLDER, and write a results.json for every seed.

    What stands there already, made in the same way from the same weights, is skipped.
    """
    with one_sentence():
        from gan_lab.evaluation.evaluate import EvalOverrides, evaluate
        from gan_lab.utils.devices import select_device
        from gan_lab.utils.errors import GanLabError

        changes = EvalOverrides(features, metrics or None, samples)
        done, failed = evaluate(folder, changes, select_device(device), again=again, trust=trust)
        if as_json:
            click.echo(json.dumps({str(one.folder): one.results for one in done}, indent=2))
        else:
            for one in done:
                primary = one.results["primary"]
                score = one.results["metrics"][primary]
                click.echo(
                    f"{one.folder}  {primary} {_number(score['last'])} "
                    f"(real data {_number(score['real_data'])})" + (", done before" if one.skipped else "")
                )
        if failed:
            raise GanLabError("; ".join(failed))


def _number(value: float | None) -> str:
    return "diverged" if value is None else f"{value:.4g}"
