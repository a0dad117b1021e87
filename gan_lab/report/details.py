"""What stands beside the ranking: curves, samples, health, secondary metrics, and the G x D grid."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gan_lab.report import comparison as statistics
from gan_lab.report.entries import Entry, Primary, metric_spec
from gan_lab.report.ranking import Floats, oriented, typical

Groups = Mapping[str, Sequence[Entry]]
QUANTITIES = ("dead", "dormant", "saturated")
# Each of these says nothing, or the wrong thing, without the others.
METRIC_GROUPS = (
    ("precision", "recall", "coverage"),
    ("modes", "modes_strict", "frac_high_quality", "reverse_kl"),
    ("stacked_modes", "stacked_kl", "frac_confident"),
)

History = list[dict[str, Any]]


def histories(groups: Groups) -> dict[str, list[tuple[Entry, History]]]:
    return {name: [(entry, entry.seed.stats()) for entry in own] for name, own in groups.items()}


def learning_curves(told: Mapping[str, list[tuple[Entry, History]]], metric: Primary) -> dict[str, Any]:
    """The metric over steps: IQM and quartiles over seeds; a seed that broke stays at the worst from then."""
    return {name: _curve(own, metric) for name, own in told.items()}


def _curve(own: Sequence[tuple[Entry, History]], metric: Primary) -> dict[str, Any]:
    tag = f"metrics/{metric.name}"
    series = [({line["step"]: line[tag] for line in h if tag in line}, entry) for entry, h in own]
    steps = sorted({step for seen, _ in series for step in seen})
    sign = -1.0 if metric.direction == "min" else 1.0
    points: dict[str, list[Any]] = {"step": [], "iqm": [], "low": [], "high": [], "seeds": []}
    for step in steps:
        values = [
            None if _failed_by(entry, step) else seen[step]
            for seen, entry in series
            if step in seen or _failed_by(entry, step)
        ]
        scores = statistics.orient_scores(values, metric.direction, metric.worst)
        # Quantiles that are seeds' own scores: between a number and minus infinity there is nothing.
        ends = sorted(sign * np.quantile(scores, [0.25, 0.75], method="inverted_cdf"))
        for key, value in zip(points, (step, sign * typical(scores), *ends, len(values)), strict=True):
            points[key].append(value)
    return points


def _failed_by(entry: Entry, step: int) -> bool:
    return entry.state != "finished" and step >= entry.step


def unit_health(told: Mapping[str, list[tuple[Entry, History]]]) -> dict[str, Any] | None:
    """Last diagnostics, mean over seeds: {player: {"sites": [...], "candidates": {name: {...}}}}."""
    latest = {name: [_latest(history) for _, history in own] for name, own in told.items()}
    tags = list(dict.fromkeys(tag for seeds in latest.values() for seen in seeds for tag in seen))
    players: dict[str, Any] = {}
    for player in ("generator", "discriminator"):
        start = f"diagnostics/{player}/"
        sites = [tag[len(start) :].rpartition("/")[0] for tag in tags if _is_site(tag, start)]
        sites = list(dict.fromkeys(sites))
        summaries = {
            name: {
                "sites": {q: [_mean(seeds, f"{start}{site}/{q}") for site in sites] for q in QUANTITIES},
                "all": {q: _mean(seeds, start + q) for q in (*QUANTITIES, "effective_rank", "non_finite")},
                "gradient_ratio": _geometric_mean(seeds, f"{start}gradient_ratio"),
            }
            for name, seeds in latest.items()
        }
        if any(tag.startswith(start) for tag in tags):
            players[player] = {"sites": sites, "candidates": summaries}
    return players or None


def _is_site(tag: str, start: str) -> bool:
    return tag.startswith(start) and tag.endswith("/dead") and tag.count("/") == start.count("/") + 1


def _latest(history: History) -> dict[str, float | None]:
    seen: dict[str, float | None] = {}
    for line in history:
        seen |= {tag: value for tag, value in line.items() if tag.startswith("diagnostics/")}
    return seen


def _mean(seeds: Sequence[Mapping[str, float | None]], tag: str) -> float | None:
    values = [value for seen in seeds if (value := seen.get(tag)) is not None]
    return float(np.mean(values)) if values else None


def _geometric_mean(seeds: Sequence[Mapping[str, float | None]], tag: str) -> float | None:
    """Of ratios, which spread over orders of magnitude; a single 0 makes it 0."""
    values = [value for seen in seeds if (value := seen.get(tag)) is not None]
    if not values:
        return None
    return 0.0 if min(values) <= 0 else float(np.exp(np.mean(np.log(values))))


def secondary_metrics(groups: Groups, metric: Primary, notes: list[str]) -> dict[str, Any]:
    """IQM over seeds of every other metric, with what real data score; unadjusted."""
    found = [entry for own in groups.values() for entry in own]
    measured = [entry for entry in found if entry.seed.results]
    names = list(dict.fromkeys(name for e in measured for name in (e.seed.results or {})["metrics"]))
    names = [name for name in names if all(name in (e.seed.results or {})["metrics"] for e in measured)]
    for group in METRIC_GROUPS:
        there = [name for name in group if name in names]
        if there and len(there) < len(group) and group[0] in there:
            notes.append(f"{group[0]} is not shown: it says nothing without {' and '.join(group[1:])}.")
            names.remove(group[0])
    order = [name for group in METRIC_GROUPS for name in group if name in names]
    order += [name for name in names if name not in order]
    columns: list[dict[str, Any]] = []
    values: dict[str, dict[str, float]] = {name: {} for name in groups}
    for name in order:
        if name == metric.name:
            continue
        spec = metric_spec(measured, name)
        columns.append({"name": name} | spec)
        sign = -1.0 if spec["direction"] == "min" else 1.0
        for candidate, own in groups.items():
            scores = oriented(own, name, spec["direction"], spec["worst"], "last")
            values[candidate][name] = sign * typical(scores)
    return {"columns": columns, "values": values}


def pairwise_table(groups: Groups, metric: Primary) -> dict[str, Any] | None:
    """Generator x discriminator: IQM of each pair and of each player's activation over all its partners."""
    players = {name: own[0].member.candidate for name, own in groups.items()}
    rows = sorted({c.generator for c in players.values()})
    columns = sorted({c.discriminator for c in players.values() if c.discriminator is not None})
    mixed = any(c.discriminator not in (None, c.generator) for c in players.values())
    if not mixed or len(rows) < 2 or len(columns) < 2:
        return None
    sign = -1.0 if metric.direction == "min" else 1.0

    def scores(generator: str | None, discriminator: str | None) -> Floats:
        parts = [
            oriented(own, metric.name, metric.direction, metric.worst, "last")
            for name, own in groups.items()
            if generator in (None, players[name].generator)
            and discriminator in (None, players[name].discriminator)
        ]
        return np.concatenate(parts) if parts else np.array([])

    rows.sort(key=lambda generator: -typical(scores(generator, None)))
    columns.sort(key=lambda discriminator: -typical(scores(None, discriminator)))
    pairs = [[scores(generator, discriminator) for discriminator in columns] for generator in rows]
    complete = all(len(pair) for line in pairs for pair in line)
    return {
        "generators": rows,
        "discriminators": columns,
        "tried": [[len(pair) > 0 for pair in line] for line in pairs],
        "values": [[sign * typical(pair) if len(pair) else None for pair in line] for line in pairs],
        # With pairs missing, a margin would compare activations by the partners they happened to have.
        "generator_margin": [sign * typical(scores(g, None)) for g in rows] if complete else None,
        "discriminator_margin": [sign * typical(scores(None, d)) for d in columns] if complete else None,
    }
