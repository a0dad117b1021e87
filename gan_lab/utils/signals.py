"""Graceful shutdown: signal handlers set a flag that the training loop polls."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# Ctrl-C; what `kill` and containers send; a closed terminal; what job schedulers send before they end a job.
# Not every system has all of them.
NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")


class RunInterrupted(KeyboardInterrupt):
    """A run was asked to stop and has saved its state. Reaches the command line, or a notebook."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number
        self.exit_code = 128 + number

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.number,)  # worker processes send it to the launching one


def describe_exit(code: int | None) -> str:
    """Say how a process ended: with its exit code, or by the signal of a negative one."""
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name
    hint = ", perhaps because the machine ran out of memory" if name == "SIGKILL" else ""
    return f"was ended by {name}{hint}"


class StopRequest:
    """number: the first signal that asked the run to stop, None so far; received: all that did."""

    number: int | None = None

    def __init__(self) -> None:
        self.received: list[int] = []

    def receive(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None and number in (signal.SIGINT, self.number):
            raise KeyboardInterrupt  # asked twice: stop at once, without saving
        self.number = self.number or number
        self.received.append(number)


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Collect signals inside; outside the main thread, where Python allows no handlers, collect nothing.

    Afterwards signals other than Ctrl-C are raised again for their previous handlers, with which submitit
    requeues a job.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    known = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    # One that is ignored stays so: that is how `nohup` works.
    numbers = [number for number in known if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, request.receive) for number in numbers}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in request.received:
            if number != signal.SIGINT and callable(before[signal.Signals(number)]):
                signal.raise_signal(number)
