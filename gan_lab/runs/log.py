"""``train.log``: what gan-lab logs while it trains a run. Imports no torch."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOG = "train.log"


class RunLogHandler(logging.FileHandler):
    """A file of log lines, of which a full disk only costs the lines: whatever else fails there is said."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass

    def close(self) -> None:
        with suppress(OSError):
            super().close()


@contextmanager
def run_log(path: Path) -> Iterator[None]:
    """Add what gan-lab logs meanwhile to a file of the run's own."""
    handler = RunLogHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("[%(asctime)s][%(name)s][%(levelname)s] %(message)s"))
    logger = logging.getLogger("gan_lab")
    # Where nobody has set up logging, warnings go to stderr; a handler of ours would stop that.
    others = [] if logging.getLogger().handlers or logging.lastResort is None else [logging.lastResort]
    level = logger.level
    logger.setLevel(logging.INFO)
    for one in (handler, *others):
        logger.addHandler(one)
    try:
        yield
    finally:
        logger.setLevel(level)
        for one in (handler, *others):
            logger.removeHandler(one)
        handler.close()
