"""A race as a sweep: rounds, what stands in race.json, killed and repeated, refused where it is another."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from gan_lab.runs.race_file import RACE, RaceRecord
from gan_lab.runs.status import Status
from gan_lab.sweeps.race import _common, race, round_runs, rounds_left
from gan_lab.sweeps.race_declaration import declare
from gan_lab.utils.errors import ConfigurationError, GanLabError, RunFailedError
from tests.helpers.synthetic import make_run

STUDY = Path("outputs/r")
CENTERS = {"relu": 100.0, "elu": 101.0, "tanh": 300.0, "sigmoid": 900.0}
KEYS = {"race.seeds": 16, "race.hours": None, "race.alpha": 0.05, "report.margin": None}


@pytest.fixture(autouse=True)
def _any_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("sweep", "race_declaration"):
        for name in ("check", "check_choices"):
            monkeypatch.setattr(f"gan_lab.sweeps.{module}.{name}", lambda cfg: None)
    monkeypatch.setattr("gan_lab.sweeps.sweep.existing_status", lambda cfg, folder: Status.load(folder))


def composed(words: Sequence[str], **changes: Any) -> DictConfig:
    asked = dict(word.split("=") for word in words)
    keys = {**KEYS, **changes}
    return DictConfig(
        {
            "activation": {"_target_": asked["activation"]},
            "optimizer": {"lr": asked.get("optimizer.lr")},
            "rerun": changes.get("rerun", False),
            "steps": 2000,
            "seed": int(asked.get("seed", 0)),
            "seeds": int(asked.get("seeds", changes.get("seeds", 4))),
            "metric": {"fid": {}},
            "metrics": {"samples": 100},
            "features": None,
            "report": {
                "primary": changes.get("primary"),
                "reference": "relu",
                "margin": keys["report.margin"],
            },
            "race": {name: keys[f"race.{name}"] for name in ("seeds", "hours", "alpha")},
            "hydra": {"sweep": {"dir": str(STUDY), "subdir": ",".join(words)}},
        }
    )


class Trainer:
    """A launcher that writes runs; it dies, or a run fails, when it comes to so many."""

    def __init__(
        self,
        kill_at: int | None = None,
        fail_at: int | None = None,
        margin: str | None = None,
        untrained: float | None = None,
    ) -> None:
        self.kill_at, self.fail_at, self.margin, self.untrained = kill_at, fail_at, margin, untrained
        self.trained = list[str]()

    def __call__(self, overrides: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
        done = []
        for words in overrides:
            if len(self.trained) == self.kill_at:
                raise KeyboardInterrupt
            asked = dict(word.split("=") for word in words)
            name, seed, seeds = asked["activation"], int(asked["seed"]), int(asked["seeds"])
            noise = np.random.default_rng([len(name), seed]).normal(0, 5, seeds)
            state = "failed" if len(self.trained) == self.fail_at else "finished"
            changes = {"optimizer.lr": float(asked.get("optimizer.lr", 2e-4)), "report.margin": self.margin}
            if (STUDY / ",".join(words)).is_dir():  # the sweep has made it, and nothing is in it yet
                (STUDY / ",".join(words)).rmdir()
            scores = [float(CENTERS[name] + x) for x in noise]
            told: dict[str, Any] = {"state": state, "changes": changes, "untrained": self.untrained}
            make_run(STUDY, name, scores, name=",".join(words), first=seed, **told)
            self.trained.append(",".join(words))
            done.append(JobReturn(status=JobStatus.COMPLETED))
        return done


def run(trainer: Trainer, *more: str, names: Sequence[str] = tuple(CENTERS), **changes: Any) -> RaceRecord:
    words = [[f"activation={name}", *more] for name in names]
    race(words, lambda one: composed(one, **changes), lambda path: None, trainer)
    record = RaceRecord.load(STUDY)
    assert record is not None
    return record


def test_the_worse_are_out_and_the_others_get_more_seeds_in_further_runs(capsys: Any) -> None:
    trainer = Trainer()
    record = run(trainer)
    assert record.looks == [6, 12, 16]
    assert record.ended == "seeds"
    assert record.primary == "fid"
    first, second, third = record.rounds
    assert set(first.looks[""]["dropped"]) == {"tanh", "sigmoid"}
    # Six seeds in runs of at most four: 0 to 3 and 4 to 5; then six more, then four.
    runs = [(0, 4), (4, 2), (6, 4), (10, 2), (12, 4)]
    of_relu = [name for name in trainer.trained if name.startswith("activation=relu")]
    assert of_relu == [f"activation=relu,seed={seed},seeds={seeds}" for seed, seeds in runs]
    assert len(trainer.trained) == 8 + 4 + 2
    assert not any("sigmoid" in name for name in (*second.runs, *third.runs))
    out = capsys.readouterr().out
    assert "round 1 of at most 3: 6 seeds each of 4 candidates, 8 runs" in out
    assert "out  sigmoid" in out
    assert "since round 1" in out
    assert "44 seeds of at most 64 (69%)" in out
    assert record.seconds == pytest.approx(sum(Status.load(STUDY / name).seconds for name in trainer.trained))  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("untrained", "sentence"),
    [
        (50.0, "nobody has learned: no fid is better than that of untrained generators"),
        (600.0, "sigmoid has not learned"),
        (2000.0, ""),
        (None, ""),
    ],
)
def test_the_end_says_who_has_not_learned(untrained: float | None, sentence: str, capsys: Any) -> None:
    run(Trainer(untrained=untrained))
    end = capsys.readouterr().out.rpartition("the race is over")[2].splitlines()
    assert [line.strip() for line in end[1:-1]] == ([sentence] if sentence else [])


def test_the_table_has_the_best_first_and_the_worst_last(capsys: Any) -> None:
    run(Trainer(), names=("sigmoid", "elu", "tanh", "relu"))
    table = capsys.readouterr().out.partition("after round 1")[2].partition("round 2")[0]
    rows = [line.split() for line in table.splitlines()[2:] if line.split()]
    assert [row[0] for row in rows] == ["in", "in", "out", "out"]
    scores = [float(row[2]) for row in rows]
    assert scores[:2] == sorted(scores[:2])
    assert scores[2:] == sorted(scores[2:])


def test_the_runs_of_all_rounds_are_named_alike() -> None:
    words = [[f"activation={name}", "dataset=ring"] for name in CENTERS]
    asked = declare([[*one, "seeds=4"] for one in words], composed)
    for number in range(3):
        assert _common(asked, round_runs(asked, number)) == {"dataset=ring", "seeds=4", "seeds=2"} - (
            {"seeds=2"} if number == 2 else set()
        )


def test_a_round_says_what_it_costs_and_when_it_is_done_where_runs_train_at_once(
    capsys: Any, monkeypatch: Any
) -> None:
    """Each run says that it took 60 seconds and ten per letter; the first round is over in half of that."""
    times = iter(["10:00:00", "10:07:00", *["11:00:00"] * 4])
    monkeypatch.setattr("gan_lab.sweeps.race.now", lambda: f"2026-11-26T{next(times)}+00:00")
    run(Trainer())
    out = capsys.readouterr().out
    # 24 seeds took 2 x (100 + 90 + 100 + 130) s: 35 s each, and 6 more of relu and elu take 12 x 35 s.
    assert "6 seeds each of 2 candidates, 4 runs\n  still in: elu, relu\n  7 min of training" in out
    assert "done in about 4 min; at most 6 min to the end, if nobody else drops out" in out


def test_a_round_that_was_killed_knows_the_names_that_its_runs_have(monkeypatch: Any) -> None:
    monkeypatch.setattr("gan_lab.sweeps.sweep.shorter_name", lambda name, *_: name.replace("activation=", ""))
    trainer = Trainer(kill_at=0)
    with pytest.raises(KeyboardInterrupt):
        run(trainer)
    record = RaceRecord.load(STUDY)
    assert record is not None
    assert "elu,seed=0,seeds=4" in record.rounds[0].runs


def test_killed_twice_and_repeated_it_decides_the_same_and_trains_nothing_twice() -> None:
    whole = run(Trainer())
    for path in sorted(STUDY.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    trained: list[str] = []
    for kill_at in (3, 7):
        trainer = Trainer(kill_at=kill_at)
        with pytest.raises(KeyboardInterrupt):
            run(trainer)
        trained += trainer.trained
    trainer = Trainer()
    again = run(trainer)
    trained += trainer.trained
    assert len(trained) == len(set(trained)) == 14
    assert [one.looks for one in again.rounds] == [one.looks for one in whole.rounds]
    idle = Trainer()
    run(idle)
    assert idle.trained == []


def test_the_rounds_to_come_are_those_of_who_is_in() -> None:
    words = [[f"activation={name}"] for name in CENTERS]
    assert [len(one) for one in rounds_left(declare(words, composed))] == [8, 8, 4]
    with pytest.raises(KeyboardInterrupt):
        run(Trainer(kill_at=9))
    second, third = rounds_left(declare(words, composed))
    assert [word for run in second for word in run if "activation" in word] == [
        "activation=elu", "activation=elu", "activation=relu", "activation=relu",
    ]  # fmt: skip
    assert len(third) == 2
    run(Trainer())
    assert rounds_left(declare(words, composed)) == []


def test_a_run_that_fails_pauses_the_race_with_a_sentence() -> None:
    trainer = Trainer(fail_at=2)
    with pytest.raises(RunFailedError, match=r"the race pauses, because activation=relu.*: failed at step"):
        run(trainer)
    record = RaceRecord.load(STUDY)
    assert record is not None
    assert [one.decided for one in record.rounds] == [""]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"primary": "kid"}, r"report\.primary=kid, but the race in outputs/r was declared with report\.primary=null"),  # noqa: E501
        ({"race.alpha": 0.2}, r"race\.alpha=0\.2, but"),
        ({"race.seeds": 64}, r"race\.seeds=64, but"),
        ({"report.margin": "10%"}, r"report\.margin=10%, but"),
        ({"rerun": True}, r"rerun=true starts runs over"),
    ],
)  # fmt: skip
def test_a_race_is_not_repeated_with_what_would_fit_better(changes: dict[str, Any], sentence: str) -> None:
    run(Trainer(), names=("relu", "sigmoid"))
    with pytest.raises(ConfigurationError, match=sentence):
        run(Trainer(), names=("relu", "sigmoid"), **changes)


def test_nobody_joins_a_race_and_no_other_runs_are_in_its_study() -> None:
    run(Trainer(), names=("relu", "sigmoid"))
    with pytest.raises(ConfigurationError, match=r"with other candidates or settings \(relu, sigmoid\)"):
        run(Trainer(), names=("relu", "sigmoid", "elu"))
    (STUDY / RACE).unlink()
    with pytest.raises(ConfigurationError, match=r"has runs that no race has trained.*study=r_race"):
        run(Trainer(), names=("relu", "sigmoid"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([["activation=relu"]], "at least two activations in every setting"),
        ([["activation=relu", "seed=0"], ["activation=relu", "seed=4"]], "leave seed=0,4 out"),
    ],
)
def test_what_cannot_be_raced_is_refused_before_anything_is_written(
    words: list[list[str]], sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        race(words, composed, lambda path: None, Trainer())
    assert not Path("outputs").exists()


def test_hours_are_looked_at_between_rounds_and_more_hours_resume() -> None:
    """Each run takes 60 seconds and ten for each letter of its activation."""
    record = run(Trainer(), names=("relu", "elu"), **{"race.hours": 0.01})
    assert (record.ended, len(record.rounds)) == ("hours", 1)
    record = run(Trainer(), names=("relu", "elu"), **{"race.hours": None})
    assert (record.ended, len(record.rounds)) == ("seeds", 3)


def test_equivalents_end_a_race() -> None:
    record = run(Trainer(margin="50%"), names=("relu", "elu"), **{"report.margin": "50%"})
    assert (record.ended, len(record.rounds)) == ("equivalent", 1)


def test_each_setting_is_a_race_of_its_own(capsys: Any) -> None:
    words = [[f"activation={name}", f"optimizer.lr={lr}"] for name in ("relu", "sigmoid") for lr in (1, 2)]
    race(words, composed, lambda path: None, Trainer())
    record = RaceRecord.load(STUDY)
    assert record is not None
    assert set(record.rounds[0].looks) == {"optimizer.lr=1", "optimizer.lr=2"}
    assert all(look["dropped"] == {"sigmoid": "relu"} for look in record.rounds[0].looks.values())
    assert record.ended == "winner"
    out = capsys.readouterr().out
    assert "race of 2 candidates in each of 2 settings, declared" in out
    assert "no verdict over all of them" in out


@pytest.mark.parametrize(
    "damage", [{"alpha": 2}, {"levels": [0.1]}, {"ended": "x"}, {"arms": [{"name": "a"}]}, {"rounds": [{}]}]
)
def test_a_damaged_race_is_said(damage: dict[str, Any]) -> None:
    run(Trainer(), names=("relu", "sigmoid"))
    content = json.loads((STUDY / RACE).read_text())
    (STUDY / RACE).write_text(json.dumps(content | damage))
    with pytest.raises(GanLabError, match=r"race\.json is damaged.*: move it away"):
        RaceRecord.load(STUDY)
