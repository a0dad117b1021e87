"""The deciding metric, the reference and the margin: declared before the runs, or chosen after them."""

from pathlib import Path

import pytest

from gan_lab.report.terminal import lines
from gan_lab.utils.errors import GanLabError
from tests.helpers.reports import make_three, report_on, row, sentences
from tests.helpers.synthetic import draws, make_run, metric


def test_runs_that_disagree_on_the_metric_are_refused_unless_one_is_named(study: Path) -> None:
    make_run(study, "elu", [1.0] * 5, metrics={"kid": metric(0.1)})
    make_run(study, "relu", [1.0] * 5, metrics={"kid": metric(0.2)}, changes={"report.primary": "kid"})
    message = r"activation=elu has declared fid as the metric that decides, activation=relu has declared kid"
    with pytest.raises(GanLabError, match=message):
        report_on(study)
    report = report_on(study, primary="kid")
    assert report["primary"]["name"] == "kid"
    assert report["primary"]["post_hoc"]


def test_an_unknown_metric_is_refused_with_those_there_are(study: Path) -> None:
    make_three(study, seeds=5)
    with pytest.raises(GanLabError, match=r"'fud' was not measured .* fid"):
        report_on(study, primary="fud")


def test_a_reference_that_is_not_in_the_study_is_not_replaced(study: Path) -> None:
    make_run(study, "tanh", draws(2, 0.2, 5, 1))
    make_run(study, "elu", draws(1, 0.2, 5, 2))
    report = report_on(study)
    assert report["reference"] == {"name": None, "wanted": "relu", "post_hoc": False, "declared": None}
    assert report["notes"] == [
        "The reference relu is not in the study, so nothing is compared with a reference "
        "(--reference names one)."
    ]
    assert row(report, "tanh")["difference"] is None
    assert row(report, "tanh")["p_holm"] is None
    with pytest.raises(GanLabError, match=r"--reference must be one of elu, tanh, got 'relu'"):
        report_on(study, reference_name="relu")
    chosen = report_on(study, reference_name="tanh")
    assert chosen["reference"] == {"name": "tanh", "wanted": "tanh", "post_hoc": True, "declared": "relu"}
    assert row(chosen, "elu")["difference"] < 0


@pytest.mark.parametrize("declared", [False, True])
def test_a_reference_may_go_by_its_other_names(tmp_path: Path, declared: bool) -> None:
    changes = {"report.reference": "LReLU"} if declared else None
    for activation in ("elu", "leaky_relu"):
        make_run(tmp_path, activation, [1.0, 2.0, 3.0], changes=changes)
    report = report_on(tmp_path, reference_name=None if declared else "lrelu")
    assert (report["reference"]["name"], report["reference"]["wanted"]) == ("leaky_relu", "leaky_relu")
    with pytest.raises(GanLabError, match="--reference must be one of elu, leaky_relu, got 'swish'"):
        report_on(tmp_path, reference_name="swish")


def test_a_reference_with_several_parameters_is_the_first_of_them(study: Path) -> None:
    for name, slope in (("a", 0.1), ("b", 0.2)):
        make_run(study, "relu", [1.0] * 5, name=name, own={"negative_slope": slope})
    report = report_on(study)
    assert report["reference"]["name"] == "relu (negative_slope=0.1)"
    assert "was tried as relu (negative_slope=0.1), relu (negative_slope=0.2)" in report["notes"][0]


# Equivalence


def two_alike(study: Path, margin: float | str | None) -> None:
    for stream, (name, center) in enumerate([("elu", 100.0), ("relu", 100.5), ("tanh", 200.0)]):
        changes = {"report.margin": margin}
        make_run(study, name, draws(center, 2.0, 10, stream), name=name, changes=changes, untrained=500.0)


def test_within_a_declared_margin_is_equivalent_and_the_cheaper_is_named(study: Path) -> None:
    two_alike(study, 0.1)
    report = report_on(study)
    assert report["margin"] == {"value": 0.1, "share": True, "text": "10 %", "post_hoc": False}
    (text,) = sentences(report, "equivalence")
    # Costs of the helper: 60 + 10 seconds per letter of the name.
    assert text.startswith("Equivalent within 10 %: elu and relu; take the cheaper, elu (elu ")
    assert [row(report, name)["equivalent"] for name in ("elu", "relu", "tanh")] == [True, True, False]
    assert max(row(report, name)["p_equivalent"] for name in ("elu", "relu")) <= 0.05
    assert text in report["verdict"]["text"]
    assert text in "\n".join(lines(report))
    assert any("better by 10 % or more" in line for line in report["statistics"])


def test_a_margin_that_is_too_small_shows_nothing(study: Path) -> None:
    two_alike(study, "0.01 fid")
    report = report_on(study)
    assert report["margin"]["text"] == "0.01 in fid"
    assert sentences(report, "equivalence") == [
        "Nobody is shown to be equivalent to the best within 0.01 in fid."
    ]


def test_a_margin_of_another_metric_says_nothing(study: Path) -> None:
    two_alike(study, "0.01 kid")
    report = report_on(study)
    assert report["margin"] is None
    assert sentences(report, "equivalence") == []


def test_a_margin_that_is_chosen_after_the_runs_is_marked(study: Path) -> None:
    two_alike(study, None)
    assert report_on(study)["margin"] is None
    assert report_on(study, margin_text="10")["margin"] == {
        "value": 10.0,
        "share": False,
        "text": "10 in fid",
        "post_hoc": True,
    }
    with pytest.raises(GanLabError, match="--margin must be null, a share below 1"):
        report_on(study, margin_text="much")


def test_costs_that_do_not_compare_name_no_cheaper_one(study: Path) -> None:
    two_alike(study, 0.1)
    make_run(study, "mish", draws(300, 2, 10, 9), facts={"host": "elsewhere"}, changes={"report.margin": 0.1})
    (text,) = sentences(report_on(study), "equivalence")
    assert text.endswith("take the cheaper (costs here do not compare: gan-lab activations measures them).")
