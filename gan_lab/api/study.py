"""A study as Python code trains it, and reads it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_lab.utils.checks import check_name, check_texts
from gan_lab.utils.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas

    from gan_lab.runs.load import TrainedRun


class Study:
    """Runs that belong together, in ``outputs/<name>``."""

    def __init__(self, name: str) -> None:
        self.name: str = check_name("study", name)

    @property
    def folder(self) -> Path:
        """Where the runs are, below the current folder."""
        return Path("outputs") / self.name

    def train(
        self, overrides: Sequence[str] = (), /, *, config_dir: str | Path | None = None, **choices: Any
    ) -> "list[TrainedRun]":
        """Train a run for every combination of values and return them, as `gan_lab.train_run` does for one.

        A list has several values: ``train(activation=["relu", "elu"], seeds=8)`` are two runs of eight seeds,
        ``train(["activation=relu,elu", "seeds=8"])`` the same ones. Finished runs are not trained again, and
        a run that fails does not stop the others.
        """
        from gan_lab.api.overrides import check_words
        from gan_lab.api.training import train_all

        if "study" in choices or any(word.startswith("study=") for word in check_words(overrides)):
            raise ConfigurationError(f"study is the name of this study, {self.name!r}: leave it out")
        return train_all(overrides, config_dir=config_dir, study=self.name, **choices)

    def runs(self, trust: Sequence[str] = ()) -> "list[TrainedRun]":
        """Return all runs that are there, by name; ``trust``: see `gan_lab.load`."""
        from gan_lab.runs.load import load
        from gan_lab.runs.study import read_study

        check_texts("trust", trust, "a list of modules' names, such as ['my_module']")
        return [load(run.folder, trust) for run in read_study(self.folder).runs]

    def scores(self) -> "pandas.DataFrame":
        """Return one row per run, seed and metric: the columns of the report's ``results.csv``.

        Raises GanLabError without pandas, and if there are no runs.
        """
        from gan_lab.api.tables import scores

        return scores(self.folder)

    def curves(self) -> "pandas.DataFrame":
        """Return one row per run, seed and logged step: losses, metrics and diagnostics by their tags.

        Raises GanLabError without pandas, and if there are no runs.
        """
        from gan_lab.api.tables import curves

        return curves(self.folder)

    def report(
        self, *, primary: str | None = None, reference: str | None = None, margin: str | None = None
    ) -> Path:
        """Write the report into ``<folder>/report``, print its verdict, and return where its page is.

        What is given here was chosen after the runs, and the page says so. Beside the page, ``report.json``
        has all numbers. Raises GanLabError without runs.
        """
        from gan_lab.report.terminal import lines
        from gan_lab.report.write import read_runs, write

        page = self.folder / "report" / "index.html"
        report = write(
            read_runs(self.folder), page.parent, primary=primary, reference=reference, margin=margin
        )
        for line in lines(report):
            print(line)
        return page

    def __repr__(self) -> str:
        from gan_lab.api.tables import describe

        return f"Study({self.name!r}): {describe(self.folder)}"
