"""Sections beside the ranking: learning curves, unit health, other metrics, generator by discriminator."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gan_lab.report.comparison import iqm, orient_scores
from gan_lab.report.declared import PrimaryMetric, metric_spec
from gan_lab.report.entries import Entry
from gan_lab.report.scoring import Groups, oriented, primary_scores, real_data_draws, untrained_scores

QUANTITIES = ("dead", "dormant", "saturated")
# Each of these says nothing, or the wrong thing, without the others.
METRIC_GROUPS = (
    ("precision", "recall", "coverage"),
    ("modes", "modes_strict", "frac_high_quality", "reverse_kl"),
    ("stacked_modes", "stacked_kl", "frac_confident"),
)


def learning_curves(groups: Groups, metric: PrimaryMetric) -> dict[str, Any]:
    """Return the metric over steps per candidate: IQM and quartiles over seeds.

    A seed that diverged stays at the worst from then on.
    """
    return {name: _curve(entries, metric) for name, entries in groups.items()}


def _curve(entries: Sequence[Entry], metric: PrimaryMetric) -> dict[str, Any]:
    series = [(entry.series.after_start(metric.name), entry) for entry in entries]
    steps = sorted({step for scores, _ in series for step in scores})
    points: dict[str, list[Any]] = {"step": [], "iqm": [], "low": [], "high": [], "seeds": []}
    for step in steps:
        values = [
            None if _failed_by(entry, step) else scores[step]
            for scores, entry in series
            if step in scores or _failed_by(entry, step)
        ]
        oriented_values = orient_scores(values, metric.direction, metric.worst)
        # Quantiles that are seeds' scores: between a number and minus infinity there is nothing.
        ends = sorted(metric.sign * np.quantile(oriented_values, [0.25, 0.75], method="inverted_cdf"))
        for key, value in zip(
            points, (step, metric.sign * iqm(oriented_values), *ends, len(values)), strict=True
        ):
            points[key].append(value)
    return points


def _failed_by(entry: Entry, step: int) -> bool:
    return entry.seed.diverged is not None and step >= entry.seed.diverged


def unit_health(groups: Groups) -> dict[str, Any] | None:
    """Return the last diagnostics over seeds: {network: {"sites", "layers", "candidates": {name: ...}}}.

    sites: hidden activations; layers: those with weights, both from input to output. Of each candidate:
    "sites", shares of units per site, and "all", of all units, are means; "scale", the standard deviation of
    each site's inputs, "gradients", each layer's gradient over its weight, and "gradient_ratio", of the first
    layer to the last, are geometric means. "at_start" has these three of the initial weights.
    """
    latest = {name: [entry.series.diagnostics for entry in entries] for name, entries in groups.items()}
    first = {name: [entry.series.first_diagnostics for entry in entries] for name, entries in groups.items()}
    tags = list(dict.fromkeys(tag for seeds in latest.values() for seed in seeds for tag in seed))
    networks: dict[str, Any] = {}
    for network in ("generator", "discriminator"):
        start = f"diagnostics/{network}/"
        sites, layers = (_parts_with(tags, start, quantity) for quantity in ("dead", "gradient_relative"))
        if any(tag.startswith(start) for tag in tags):
            candidates = {
                name: {
                    "sites": {q: [_mean(seeds, f"{start}{site}/{q}") for site in sites] for q in QUANTITIES},
                    "all": {
                        q: _mean(seeds, start + q) for q in (*QUANTITIES, "effective_rank", "non_finite")
                    },
                    **_signal(seeds, start, sites, layers),
                    "at_start": _signal(first[name], start, sites, layers),
                }
                for name, seeds in latest.items()
            }
            networks[network] = {"sites": sites, "layers": layers, "candidates": candidates}
    return networks or None


def _signal(
    seeds: Sequence[Mapping[str, float | None]], start: str, sites: Sequence[str], layers: Sequence[str]
) -> dict[str, Any]:
    """Return how large what passes through a network is, forwards and backwards."""
    return {
        "scale": [_geometric_mean(seeds, f"{start}{site}/spread") for site in sites],
        "gradients": [_geometric_mean(seeds, f"{start}{layer}/gradient_relative") for layer in layers],
        "gradient_ratio": _geometric_mean(seeds, f"{start}gradient_ratio"),
    }


def _parts_with(tags: Sequence[str], start: str, quantity: str) -> list[str]:
    """Return the sites or layers of a network that have a quantity of their own, in the order of the tags."""
    ends = f"/{quantity}"
    own = [tag[len(start) : -len(ends)] for tag in tags if tag.startswith(start) and tag.endswith(ends)]
    return list(dict.fromkeys(part for part in own if part and "/" not in part))


def _mean(seeds: Sequence[Mapping[str, float | None]], tag: str) -> float | None:
    values = [value for seed in seeds if (value := seed.get(tag)) is not None]
    return float(np.mean(values)) if values else None


def _geometric_mean(seeds: Sequence[Mapping[str, float | None]], tag: str) -> float | None:
    """Average ratios, which spread over orders of magnitude; a single 0 makes it 0."""
    values = [value for seed in seeds if (value := seed.get(tag)) is not None]
    if not values:
        return None
    return 0.0 if min(values) <= 0 else float(np.exp(np.mean(np.log(values))))


def secondary_metrics(groups: Groups, metric: PrimaryMetric, notes: list[str]) -> dict[str, Any]:
    """Return the IQM over seeds of every other metric, with that of real data and of untrained generators.

    Nothing here is tested. As everywhere, a seed that diverged or has no such score counts as worse than all.
    """
    measured = [entry for own in groups.values() for entry in own if entry.results]
    columns: list[dict[str, Any]] = []
    values: dict[str, dict[str, float]] = {name: {} for name in groups}
    for name in _shown_metrics(measured, notes):
        if name == metric.name:
            continue
        spec = metric_spec(measured, name)
        sign = -1.0 if spec["direction"] == "min" else 1.0
        untrained = [value for own in groups.values() for value in untrained_scores(own, name)]
        draws = real_data_draws(spec)
        columns.append(
            {
                "name": name,
                "direction": spec["direction"],
                "real_data": float(np.mean(draws)) if draws else None,
                "untrained": sign * iqm(orient_scores(untrained, spec["direction"])) if untrained else None,
            }
        )
        for candidate, own in groups.items():
            scores = oriented(own, name, spec["direction"], spec.get("worst"))
            values[candidate][name] = sign * iqm(scores)
    return {"columns": columns, "values": values}


def _shown_metrics(measured: Sequence[Entry], notes: list[str]) -> list[str]:
    """Return the scores that every seed has, those that belong together side by side."""
    names = list(dict.fromkeys(name for entry in measured for name in entry.results["metrics"]))
    names = [name for name in names if all(entry.metric(name) for entry in measured)]
    for group in METRIC_GROUPS:
        present = [name for name in group if name in names]
        if present and len(present) < len(group) and group[0] in present:
            notes.append(f"{group[0]} is not shown: it says nothing without {' and '.join(group[1:])}.")
            names.remove(group[0])
    order = [name for group in METRIC_GROUPS for name in group if name in names]
    return order + [name for name in names if name not in order]


def pairwise_table(groups: Groups, metric: PrimaryMetric) -> dict[str, Any] | None:
    """Generator x discriminator: IQM of each pair, and of each network's activation over all partners."""
    players = {name: own[0].study_run.candidate for name, own in groups.items()}
    rows = sorted({c.generator for c in players.values()})
    columns = sorted({c.discriminator for c in players.values() if c.discriminator is not None})
    mixed = any(c.discriminator not in (None, c.generator) for c in players.values())
    if not mixed or len(rows) < 2 or len(columns) < 2:
        return None
    every = primary_scores(groups, metric)

    def typical(generator: str | None, discriminator: str | None) -> float:
        return iqm(
            np.concatenate(
                [
                    scores
                    for name, scores in every.items()
                    if generator in (None, players[name].generator)
                    and discriminator in (None, players[name].discriminator)
                ]
            )
        )

    rows.sort(key=lambda generator: -typical(generator, None))
    columns.sort(key=lambda discriminator: -typical(None, discriminator))
    tried = [
        [any(c.generator == g and c.discriminator == d for c in players.values()) for d in columns]
        for g in rows
    ]
    complete = all(all(line) for line in tried)
    sign = metric.sign
    return {
        "generators": rows,
        "discriminators": columns,
        "tried": tried,
        "values": [
            [sign * typical(g, d) if known else None for d, known in zip(columns, line, strict=True)]
            for g, line in zip(rows, tried, strict=True)
        ],
        # With pairs missing, a margin would compare activations by the partners they happened to have.
        "generator_margin": [sign * typical(g, None) for g in rows] if complete else None,
        "discriminator_margin": [sign * typical(None, d) for d in columns] if complete else None,
    }
