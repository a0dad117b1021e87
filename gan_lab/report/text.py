"""What the numbers say, in sentences. Every sentence is made here, from the numbers in the report."""

from collections.abc import Mapping, Sequence
from typing import Any

from gan_lab.report.entries import Primary
from gan_lab.utils.text import format_number, plural

Rows = Mapping[str, Any]


def score(value: float | None) -> str:
    """A score; what is missing has failed."""
    return format_number(value, "failed")


def interval(ends: Sequence[float | None] | None, missing: str = "failed") -> str:
    return "-" if ends is None else f"{format_number(ends[0], missing)} to {format_number(ends[1], missing)}"


def signed(value: float | None) -> str:
    return ("+" if value is not None and value > 0 else "") + score(value)


def percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def percents(ends: Sequence[float | None] | None) -> str:
    return "" if ends is None else f"{percent(ends[0])} to {percent(ends[1])}"


def ranks(ends: Sequence[int] | None) -> str:
    if ends is None:
        return "-"
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def p_value(value: float | None) -> str:
    return "-" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def span(seeds: Sequence[int]) -> str:
    """seeds 0 to 9"""
    whole = len(seeds) > 1 and list(seeds) == list(range(seeds[0], seeds[-1] + 1))
    said = f"{seeds[0]} to {seeds[-1]}" if whole else ", ".join(map(str, seeds))
    return f"seed{'s' if len(seeds) > 1 else ''} {said}"


def trouble(run: Rows) -> str:
    """What went wrong in a run, or nothing."""
    said = [f"seed {seed} diverged at step {step:,}" for seed, step in run["diverged"].items()]
    if run["state"] in ("failed", "interrupted", "running"):
        reason = f": {run['reason']}" if run["reason"] else ""
        said.append(f"{run['state']} at step {run['step']:,} of {run['steps']:,}{reason}")
    return "; ".join(said)


def listing(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def verdict(found: Rows, metric: Primary, where: str) -> str:
    """One or two sentences; a winner only where the statistics name one."""
    rows = found["rows"]
    best, count = rows[0], len(rows)
    seeds = _seeds(rows)
    told = _told(best, found["level"])
    if count == 1:
        return (
            f"Only {best['name']} was tried{where}: {metric.name} {told}, {seeds}; nothing to compare with."
        )
    if all(row["failures"] == row["seeds"] for row in rows):
        return f"Every seed of all {count} candidates failed or diverged{where}: there is nothing to rank."
    if found["exploratory"]:
        return (
            f"Exploratory, {seeds}: {best['name']} scores best by {metric.name}{where}, {told}. "
            "Under five seeds nothing is claimed."
        )
    if found["winner"] is not None:
        return (
            f"{found['winner']} is the best of {count} candidates by {metric.name}{where}: {told}, {seeds}. "
            f"{_against(found)}"
        )
    tied = [row["name"] for row in rows if row["tied_with_best"] or row is best]
    worse = [row["name"] for row in rows if row["name"] not in tied]
    if not worse:
        first = f"No difference found by {metric.name}{where}: {_group(tied, count)}"
        return f"{first} cannot be told apart with {seeds}. {best['name']} scores best, {told}."
    clearly = f"; {listing(worse) if len(worse) <= 8 else f'the other {len(worse)}'} scored worse"
    if len(tied) == 1:
        return (
            f"No single winner by {metric.name}{where}, {seeds}: {best['name']} scores best, {told}, "
            f"but its rank is not certain{clearly}."
        )
    return (
        f"No single winner by {metric.name}{where}: {listing(tied)} cannot be told apart with "
        f"{seeds}{clearly}. {best['name']} scores best, {told}."
    )


def _group(names: Sequence[str], count: int) -> str:
    return listing(names) if count <= 8 else f"all {count} candidates"


def _seeds(rows: Sequence[Rows]) -> str:
    counts = sorted({row["seeds"] for row in rows})
    if len(counts) == 1:
        return plural(counts[0], "seed") + (" each" if len(rows) > 1 else "")
    return f"{counts[0]} to {counts[-1]} seeds each"


def _told(row: Rows, level: float) -> str:
    failed = f", {row['failures']} of {row['seeds']} seeds failed" if row["failures"] else ""
    return f"{score(row['iqm'])} ({level:.0%} interval {interval(row['interval'])}{failed})"


def _against(found: Rows) -> str:
    reference = next(row for row in found["rows"] if row["reference"])
    if reference["name"] == found["winner"]:
        runner_up = found["rows"][1]
        return f"It is the reference itself; second is {runner_up['name']} with {score(runner_up['iqm'])}."
    return f"The reference {reference['name']} scores {score(reference['iqm'])}."


def power(found: Rows, metric: Primary) -> str:
    """What the study could have seen, and what it would take to separate the two best."""
    if len(found["rows"]) < 2 or "name" not in found:
        return ""
    first, second = (row["name"] for row in found["rows"][:2])
    if found["smallest_effect"] is None:
        said = "With so few seeds for so many candidates no difference, however large, could be significant."
    else:
        size = _deviations(found, "smallest_effect", metric)
        said = f"The smallest difference that a study of this size finds four times out of five is {size}."
    if found["seeds_needed"] is None:
        unlikely = f"Not even 1,000 seeds each would tell {first} from {second}, as alike as they are here."
        return f"{said} {unlikely}"
    needed = plural(int(found["seeds_needed"]), "seed") + f" each{_everywhere(found)}"
    return f"{said} To tell {first} from {second}, if they differ as they did here, takes {needed}."


def bias(found: Rows, metric: Primary) -> str:
    """Why the best looks better than it is."""
    rows = found["rows"]
    if len(rows) < 2 or "name" not in found:
        return ""
    size = _deviations(found, "winner_bias", metric)
    return (
        f"The best of {len(rows)} was picked for its score, and so looks better than it is: by {size} if all "
        f"were equal. Before believing its margin, train {rows[0]['name']} on fresh seeds:"
    )


def _everywhere(found: Rows) -> str:
    return "" if "name" in found else " in each setting"


def _deviations(found: Rows, key: str, metric: Primary) -> str:
    own = found[f"{key}_score"]
    unit = metric.name if "name" in found else "normalized score"
    in_units = f" ({format_number(own)} in {unit})" if own else ""
    return f"{format_number(found[key])} standard deviations{in_units}"


def method(found: Rows) -> list[str]:
    """The statistics in three lines."""
    return [
        f"IQM: interquartile mean over independent seeds, the mean of the middle half; {found['level']:.0%} "
        "expanded percentile bootstrap intervals (about 93% at five seeds), "
        f"{found['resamples']:,} resamples, random generator seeded with {found['seed']}.",
        "Failed and diverged seeds count as worse than any other and are never dropped; p: two-sided "
        f"permutation test against {found['reference']}, Holm's correction over all of these tests. "
        "The best is named where it beats everybody in such tests; who scored worse is found by a joint "
        "permutation test of all pairs.",
        "Improvement: probability that a seed of the candidate beats one of the reference; rank interval "
        "and P(best): ranks of the IQMs over bootstrap resamples (Agarwal et al. 2021, arXiv:2108.13264).",
    ]
