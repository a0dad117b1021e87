"""Cores, and what libraries are told about them."""

import os

import pytest

from gan_lab.utils.cores import available_cores, wait_awake_for_a_moment


def test_there_is_a_core() -> None:
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("said", [{}, {"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "passive"}])
def test_who_has_said_how_to_wait_is_heard(said: dict[str, str]) -> None:
    environment = dict(said)
    wait_awake_for_a_moment(environment)
    assert environment == (said or {"GOMP_SPINCOUNT": "10000"})
