"""What is said of an exception: one line, whatever it is."""

import errno
import pickle
from pathlib import Path

import pytest

from gan_lab.utils.errors import ConfigurationError, HydraPassthrough, RunFailedError, summarize_exception


class Silent(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


FULL = OSError(errno.ENOSPC, "No space left on device")
MISSING = FileNotFoundError(errno.ENOENT, "No such file or directory", "a/b.png")


@pytest.mark.parametrize(
    ("error", "sentence", "bare"),
    [
        (ValueError("first\n  second"), "ValueError: first second", "first second"),
        (KeyError("x"), "KeyError: 'x'", "'x'"),
        (RecursionError(), "RecursionError", "RecursionError"),
        (Silent(), "Silent", "Silent"),
        (ConfigurationError("steps must be\nless"), "steps must be less", "steps must be less"),
        (HydraPassthrough(RunFailedError("it broke")), "it broke", "it broke"),
        (MISSING, "a/b.png: No such file or directory", "No such file or directory"),
        (OSError(errno.ENOENT, "Gone", b"a"), "a: Gone", "Gone"),
        (FULL, "No space left on device", "No space left on device"),
        (OSError("no route"), "OSError: no route", "no route"),
        ("a returned value", "str: a returned value", "a returned value"),
    ],
)  # fmt: skip
def test_one_line_for_every_exception(error: object, sentence: str, bare: str) -> None:
    assert summarize_exception(error) == sentence
    assert summarize_exception(error, bare=True) == bare


def test_a_file_stands_in_for_one_that_the_system_does_not_name() -> None:
    assert summarize_exception(FULL, file=Path("outputs/x")) == "outputs/x: No space left on device"
    assert summarize_exception(MISSING, file=Path("outputs/x")) == "a/b.png: No such file or directory"
    assert summarize_exception(FULL, file=Path.cwd()) == f"{Path.cwd()}: No space left on device"
    inside = OSError(errno.EACCES, "Permission denied", str(Path.cwd() / "a" / "b"))
    assert summarize_exception(inside) == "a/b: Permission denied"


def test_the_length_is_bounded() -> None:
    assert len(summarize_exception(ValueError("x" * 10_000))) < 250
    assert len(summarize_exception(OSError(errno.ENOENT, "Gone", "x" * 10_000))) < 250


def test_errors_come_back_from_a_worker_process() -> None:
    sent = pickle.loads(pickle.dumps(RunFailedError("it broke")))
    assert (str(sent), sent.exit_code) == ("it broke", 1)
