"""What must not stand in one table."""

from pathlib import Path

import pytest

from gan_lab.utils.errors import GanLabError
from tests.helpers.reports import report_on
from tests.helpers.synthetic import make_run


def test_different_extractors_are_refused(study: Path) -> None:
    make_run(study, "elu", [1.0] * 5)
    other = {"features": {"name": "classifier", "hash": "ffff", "dimensions": 32}}
    make_run(study, "relu", [1.0] * 5, results=other)
    with pytest.raises(GanLabError, match=r"activation=elu .*0f3c0f3c0f3c0f3c.*activation=relu .*ffff"):
        report_on(study)


def test_different_sample_counts_are_refused(study: Path) -> None:
    make_run(study, "elu", [1.0] * 5)
    make_run(study, "relu", [1.0] * 5, results={"samples": {"fake": 5, "real": 5, "reference": "held-out"}})
    with pytest.raises(GanLabError, match=r"activation=elu .*597.*activation=relu .*5 samples"):
        report_on(study)


def test_different_extractors_of_two_data_sets_are_two_settings(study: Path) -> None:
    other = {"features": {"name": "classifier", "hash": "ffff", "dimensions": 32}}
    for name in ("elu", "relu"):
        make_run(study, name, [1.0] * 5)
        ring = {"dataset.name": "ring"}
        make_run(
            study, name, [1.0] * 5, name=f"{name}-2", results=other, changes=ring, choices={"dataset": "ring"}
        )
    assert [setting["name"] for setting in report_on(study)["settings"]] == ["dataset=digits", "dataset=ring"]


@pytest.mark.parametrize(
    ("samples", "told"), [(12, "60 samples and 12 samples"), (60, "60 samples of other content")]
)
def test_runs_that_were_trained_on_other_data_are_refused(study: Path, samples: int, told: str) -> None:
    make_run(study, "elu", [1.0] * 5, facts={"data_fingerprint": "a" * 64, "data_samples": 60})
    make_run(study, "relu", [1.0] * 5, facts={"data_fingerprint": "b" * 64, "data_samples": samples})
    with pytest.raises(
        GanLabError, match="activation=elu and activation=relu were trained on different data"
    ) as error:
        report_on(study)
    assert told in str(error.value)
    assert "rerun=true" in str(error.value)
    assert "--force" not in str(error.value)


def test_a_missing_run_on_other_data_does_not_stop_a_report(study: Path) -> None:
    make_run(study, "elu", [1.0] * 5, facts={"data_fingerprint": "a" * 64, "data_samples": 60})
    make_run(study, "tanh", [1.0] * 5, facts={"data_fingerprint": "a" * 64, "data_samples": 60})
    other = {"data_fingerprint": "b" * 64, "data_samples": 60}
    make_run(study, "relu", [1.0] * 5, facts=other, state="interrupted", step=500)
    assert report_on(study)["verdict"]["incomplete"] == ["relu"]
