"""Points get a model for points, on the command line and in Python."""

import pytest

from gan_lab.config.command_line import read_words
from gan_lab.config.fitting import POINTS, with_fitting_model
from tests.helpers.experiments import choices, composed


@pytest.mark.parametrize("name", ["ring", "grid", "8gaussians"])
def test_points_get_a_model_for_points(name: str) -> None:
    assert read_words([f"dataset={name}"])[-1] == "model=mlp"


@pytest.mark.parametrize(
    "words",
    [
        ["dataset=digits"],
        ["dataset=ring,digits"],
        ["dataset=ring", "model=pacgan"],
        ["dataset=ring", "experiment=pacgan_ring"],
        ["activation=elu"],
    ],
)
def test_nothing_else_does(words: list[str]) -> None:
    assert with_fitting_model(words) == words


def test_the_names_are_those_of_all_points() -> None:
    targets = {name: composed(f"dataset={name}").dataset._target_ for name in choices("dataset")}
    of_points = {"gan_lab.datasets.make_ring", "gan_lab.datasets.make_grid"}
    assert {name for name, target in targets.items() if target in of_points} == set(POINTS)
