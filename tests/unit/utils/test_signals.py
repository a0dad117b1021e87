"""Signals that ask a run to stop, and where they go afterwards."""

import pickle
import signal
from collections.abc import Iterator

import pytest

from gan_lab.utils.signals import RunInterrupted, stop_requests


@pytest.fixture(autouse=True)
def _handlers_as_before() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2"])
def test_a_signal_is_a_question_and_not_an_interruption(name: str) -> None:
    number = getattr(signal, name)
    with stop_requests() as request:
        assert request.number is None
        signal.raise_signal(number)
        assert request.number == number


@pytest.mark.parametrize(("first", "second"), [("SIGINT", "SIGINT"), ("SIGTERM", "SIGINT"), ("SIGTERM",) * 2])
def test_asked_twice_it_is_one(first: str, second: str) -> None:
    with stop_requests():
        signal.raise_signal(getattr(signal, first))
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(getattr(signal, second))


def test_schedulers_that_announce_and_then_terminate_are_asking_once() -> None:
    with stop_requests() as request:
        signal.raise_signal(signal.SIGUSR2)
        signal.raise_signal(signal.SIGTERM)
        assert request.number == signal.SIGUSR2


def test_a_schedulers_signal_goes_on_to_whoever_handled_it_before() -> None:
    heard: list[int] = []
    signal.signal(signal.SIGUSR2, lambda number, frame: heard.append(number))
    with stop_requests():
        signal.raise_signal(signal.SIGUSR2)
        assert heard == []  # the run's state is saved first
    assert heard == [signal.SIGUSR2]
    with stop_requests():  # both, in either order
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGUSR2)
    assert heard == [signal.SIGUSR2] * 2
    with stop_requests():
        pass
    assert heard == [signal.SIGUSR2] * 2


def test_what_is_ignored_stays_so() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup leaves it
    with stop_requests() as request:
        signal.raise_signal(signal.SIGHUP)
        assert request.number is None
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_an_interruption_comes_back_from_a_worker_process() -> None:
    sent = pickle.loads(pickle.dumps(RunInterrupted(signal.SIGTERM)))
    assert (str(sent), sent.exit_code) == ("stopped by SIGTERM", 143)
