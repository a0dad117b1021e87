"""Errors and interruptions as the command line reports them."""

import pytest

import gan_lab.cli
from gan_lab.cli import main
from gan_lab.cli.errors import report_errors


def test_ctrl_c_that_a_library_has_made_another_error_of_is_still_ctrl_c() -> None:
    """OmegaConf cleans up behind an interruption, and may fail at it."""

    def clean_up_and_fail() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise AttributeError("'NoneType' object has no attribute '_invalidate_flags_cache'")

    with pytest.raises(SystemExit) as left, report_errors():
        clean_up_and_fail()
    assert left.value.code == 130


def test_ctrl_c_before_a_command_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(gan_lab.cli, "import_module", interrupted)
    with pytest.raises(SystemExit) as left:
        main(["train"])
    assert left.value.code == 130
