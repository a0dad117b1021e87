"""TensorBoard's event files."""

import time
from pathlib import Path

from gan_lab.training.tensorboard import SeedLog


def test_no_event_file_is_lost_where_processes_have_one_number(tmp_path: Path) -> None:
    """In containers host and process are the same each time, and the clock may go backwards."""
    now = int(time.time())
    stamps = (100, now - 4, now - 3, now + 3600)
    for stamp in stamps:
        (tmp_path / f"events.out.tfevents.{stamp:010d}.box.1.0").write_text(str(stamp))
    SeedLog(tmp_path, 5).close()
    files = sorted(tmp_path.glob("events.out.tfevents.*"))
    assert [path.read_text() for path in files[:-1]] == [str(stamp) for stamp in stamps]
