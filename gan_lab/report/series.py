"""What a seed's log holds that a report needs, read once: scores over steps, first and last diagnostics."""

from dataclasses import dataclass

from gan_lab.runs.run import Seed

_SCORE, _DIAGNOSTIC = "metrics/", "diagnostics/"


@dataclass(frozen=True)
class SeedSeries:
    """One seed. scores: metric -> {step: value}, step 0 included; diagnostics: tag -> last value.

    first_diagnostics: likewise at step 0, of the initial weights.
    """

    scores: dict[str, dict[int, float | None]]
    diagnostics: dict[str, float | None]
    first_diagnostics: dict[str, float | None]

    def untrained(self, metric: str) -> tuple[float | None, ...]:
        """Return the score at step 0, nothing if it was not measured."""
        at_start = self.scores.get(metric, {})
        return (at_start[0],) if 0 in at_start else ()

    def after_start(self, metric: str) -> dict[int, float | None]:
        """Return {step: value} of a score without step 0."""
        return {step: value for step, value in self.scores.get(metric, {}).items() if step > 0}


def read_series(seed: Seed) -> SeedSeries:
    """Read a seed's ``stats.jsonl``; raises GanLabError if it is corrupt."""
    scores: dict[str, dict[int, float | None]] = {}
    diagnostics: dict[str, float | None] = {}
    first_diagnostics: dict[str, float | None] = {}
    for line in seed.stats():
        for key, value in line.items():
            if key.startswith(_SCORE):
                scores.setdefault(key.removeprefix(_SCORE), {})[int(line["step"])] = value
            elif key.startswith(_DIAGNOSTIC):
                diagnostics[key] = value
                if line["step"] == 0:
                    first_diagnostics[key] = value
    for name, spec in ((seed.results or {}).get("metrics") or {}).items():
        if spec.get("untrained") is not None:
            scores.setdefault(name, {})[0] = spec["untrained"]
    return SeedSeries(scores, diagnostics, first_diagnostics)
