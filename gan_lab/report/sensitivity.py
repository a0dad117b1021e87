"""How many seeds find which difference, before anything is trained; in the metric where runs are finished."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_lab.report.comparison.permutation import critical_value, untied_maxima
from gan_lab.report.comparison.power import minimum_detectable_effect, pair_critical_value, pooled_sd
from gan_lab.report.entries import Entry, by_candidate, entries, study_runs
from gan_lab.report.scoring import oriented
from gan_lab.report.strata import setting_leaves
from gan_lab.runs.folder import run_folders
from gan_lab.runs.run import Run
from gan_lab.runs.study import read_study
from gan_lab.utils.errors import GanLabError

ALPHA = 0.05


def detectable_differences(candidates: int, seeds: Iterable[int]) -> list[dict[str, Any]]:
    """Return {"seeds", "pair", "joint"} for each number of seeds, differences in standard deviations.

    What is found four times out of five: "pair", by a test of two, as of the best against another; "joint",
    by the test of all ``candidates`` for who is worse. None where no difference, however large, can be found.
    """
    rows = []
    for n in sorted(set(seeds)):
        joint = critical_value(untied_maxima(candidates, n)[:, -1], ALPHA) if candidates > 1 else None
        rows.append(
            {
                "seeds": n,
                "pair": minimum_detectable_effect(n, n, pair_critical_value(n, n, ALPHA)),
                "joint": None if joint is None else minimum_detectable_effect(n, n, joint),
            }
        )
    return rows


def detectable_at_looks(looks: Sequence[int], levels: Sequence[float]) -> list[dict[str, Any]]:
    """Return {"seeds", "pair"} for each look of a race of which two are left, as `detectable_differences`."""
    return [
        {"seeds": n, "pair": minimum_detectable_effect(n, n, pair_critical_value(n, n, level))}
        for n, level in zip(looks, levels, strict=True)
    ]


def typical_spread(outputs: Path, configs: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return {"metric", "sd", "seeds", "studies"} of finished runs like those, None if there are none.

    Those like one of ``configs`` differ from it in activations, seeds and what is watched only; sd: of the
    metric that decides, over the seeds of a candidate, pooled over all candidates.
    """
    wanted = {(_setting(cfg), int(cfg["steps"])) for cfg in configs}
    found: list[Entry] = []
    studies: list[str] = []
    for folder in sorted(path for path in outputs.glob("*/") if run_folders(path)):
        own = [run for run in read_study(folder).runs if _is_like(run, wanted)]
        if own:
            found += [entry for entry in entries(study_runs(own), notes=[]) if entry.results]
            studies.append(folder.name)
    metrics = {str(entry.results["primary"]) for entry in found}
    if len(metrics) != 1:
        return None
    (metric,) = metrics
    spec = found[0].metric(metric)
    samples = [
        oriented(own, metric, spec["direction"], spec.get("worst")) for own in by_candidate(found).values()
    ]
    sd = pooled_sd(samples)
    if sd is None:
        return None
    return {"metric": metric, "sd": sd, "seeds": len(found), "studies": studies}


def _is_like(run: Run, wanted: set[tuple[str, int]]) -> bool:
    try:
        return run.status.state == "finished" and (_setting(run.config), run.status.step) in wanted
    except GanLabError:
        return False


def _setting(config: Mapping[str, Any]) -> str:
    """Return the setting of a configuration; null and absent are the same."""
    return repr(sorted((key, str(v)) for key, v in setting_leaves(config).items() if v not in (None, {}, [])))
