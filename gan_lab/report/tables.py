"""Tables for other programs: a tidy CSV that is safe in a spreadsheet, and a LaTeX table of the ranking."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from gan_lab.report import text
from gan_lab.report.entries import StudyRun
from gan_lab.utils.errors import GanLabError

# A cell that begins so is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # also full-width
_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    character: f"\\{character}" for character in "&%$#_{}"
}


def results_rows(study_runs: Sequence[StudyRun]) -> list[dict[str, Any]]:
    """Return one row per run, seed and metric, whether it counts or not; a column per key that varies."""
    rows = []
    for one in study_runs:
        for seed in one.run.seeds:
            try:
                results = seed.results or {}
            except GanLabError:
                results = {}
            features, samples = results.get("features", {}), results.get("samples", {})
            for name, spec in (results.get("metrics") or {"": {}}).items():
                untrained = one.series[seed.number].untrained(name) if seed.number in one.series else ()
                rows.append(
                    {
                        "run": one.run.name,
                        "activation": one.name,
                        **{f"setting.{key}": value for key, value in one.values.items()},
                        "seed": seed.number,
                        "state": "diverged" if seed.diverged is not None else one.run.state,
                        "counted": one.exclusion_reason is None,
                        "metric": name,
                        **{key: spec.get(key) for key in ("last", "best", "best_step", "mean", "direction")},
                        "real_data": spec.get("real_data"),
                        "untrained": untrained[0] if untrained else None,
                        "step": results.get("step", seed.diverged),
                        "features": features.get("name"),
                        "hash": features.get("hash"),
                        "fake_samples": samples.get("fake"),
                        "real_samples": samples.get("real"),
                        "reference": samples.get("reference"),
                    }
                )
    return rows


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as CSV; text that a spreadsheet would compute begins with an apostrophe."""
    buffer = io.StringIO()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(buffer, [_safe(column) for column in columns], lineterminator="\n")
    writer.writeheader()
    writer.writerows({_safe(key): _safe(value) for key, value in row.items()} for row in rows)
    return buffer.getvalue()


def to_latex(report: Mapping[str, Any]) -> str:
    """Return the ranking of every setting, and that over all settings, as tables for booktabs."""
    metric = report["primary"]["name"]
    parts = [
        _latex_table(part, f"{metric} (IQM)", part["name"]) for part in report["settings"] if part["rows"]
    ]
    if report["overall"]:
        parts.append(_latex_table(report["overall"], "untrained 0, real data 1", "all settings"))
    head = "% Needs \\usepackage{booktabs}. Written by gan-lab report; see report.json for all numbers.\n"
    return head + "\n".join(parts)


def _latex_table(part: Mapping[str, Any], score: str, name: str) -> str:
    header = [
        "activation",
        score,
        "95\\,\\% interval",
        "seeds",
        "diverged",
        "rank",
        "$p$ (winner)",
        "$p$ (worse)",
    ]
    lines = [
        [
            escape_latex(row["name"]),
            text.score(row["iqm"]),
            text.interval(row["interval"]).replace(" to ", "--"),
            _seeds(row["seeds"]),
            str(row["diverged"]),
            text.ranks(row["rank_interval"]).replace(" to ", "--"),
            text.p_value(row.get("p_winner")).replace("<", "$<$"),
            text.p_value(row["p_worse"]).replace("<", "$<$"),
        ]
        for row in part["rows"]
    ]
    body = "\n".join(" & ".join(cells) + r" \\" for cells in lines)
    title = f"% {escape_latex(name)}\n" if name else ""
    return (
        f"{title}\\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}\n\\toprule\n"
        f"{' & '.join([header[0], escape_latex(header[1]), *header[2:]])} \\\\\n\\midrule\n{body}\n"
        "\\bottomrule\n\\end{tabular}\n"
    )


def escape_latex(value: str) -> str:
    return "".join(_LATEX.get(character, character) for character in value)


def _seeds(count: Any) -> str:
    return "+".join(map(str, count)) if isinstance(count, list) else str(count)


def _safe(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
