"""One number per run, for sweepers that search: what they minimize."""

from gan_lab.report.comparison.scores import iqm, orient_scores
from gan_lab.runs.run import Run


def value_to_minimize(run: Run) -> float | None:
    """Return a run's primary score, negated where higher is better, so that lower is always better.

    It is the interquartile mean over the seeds, as in reports: a seed that diverged is worse than any score,
    and the mean is inf once one of the middle half has. None if nothing was measured. Raises GanLabError if
    the scores cannot be read.
    """
    if set(run.status.diverged) >= set(run.status.seeds):
        return float("inf")
    results = [seed.results for seed in run.seeds]
    measured = next((one for one in results if one is not None), None)
    if measured is None:
        return None
    primary = measured["primary"]
    spec = measured["metrics"][primary]
    last = [
        None if one is None or seed.diverged is not None else one["metrics"].get(primary, {}).get("last")
        for seed, one in zip(run.seeds, results, strict=True)
    ]
    return -iqm(orient_scores(last, spec["direction"], spec.get("worst")))
