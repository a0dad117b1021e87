"""A study's numbers as pandas has them, and in a sentence."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from gan_lab.report.entries import study_runs
from gan_lab.report.tables import results_rows
from gan_lab.report.write import read_runs
from gan_lab.runs.folder import run_folders
from gan_lab.runs.study import read_study
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.text import plural, truncate

if TYPE_CHECKING:
    import pandas


def scores(folder: Path) -> "pandas.DataFrame":
    """Return one row per run, seed and metric."""
    return _frame(results_rows(study_runs(read_runs(folder).runs)))


def curves(folder: Path) -> "pandas.DataFrame":
    """Return one row per run, seed and step that was logged, and NaN where a step has no such number."""
    rows = [
        {
            "run": one.run.name,
            "activation": one.name,
            **{f"setting.{key}": value for key, value in one.values.items()},
            "seed": seed.number,
            **line,
        }
        for one in study_runs(read_runs(folder).runs)
        for seed in one.run.seeds
        for line in seed.stats()
    ]
    return _frame(rows)


def describe(folder: Path) -> str:
    """Say in two lines how many runs there are, in which states, and what they are called."""
    if not run_folders(folder):
        return f"no runs yet in {folder}\ntrain(activation=[...], seeds=8) trains some"
    runs = read_study(folder).runs
    states = ", ".join(f"{count} {state}" for state, count in Counter(run.state for run in runs).items())
    names = truncate(", ".join(run.name for run in runs), 100)
    return f"{plural(len(runs), 'run')} in {folder}, {states}\n{names}"


def _frame(rows: "list[dict[str, object]]") -> "pandas.DataFrame":
    try:
        import pandas
    except ImportError:
        raise GanLabError(
            "scores() and curves() are tables of pandas, which is not installed: pip install pandas, or take "
            "report(), which writes results.csv"
        ) from None
    return pandas.DataFrame(rows)
