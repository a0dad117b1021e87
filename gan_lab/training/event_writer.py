"""PyTorch's `SummaryWriter` with a file that stays open, and that writes itself.

TensorBoard's own opens its file again for every record, and leaves writing to a thread.
"""

import os
import socket
import time
from itertools import count
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.writer import FileWriter

EVENTS = "events.out.tfevents."
_numbers = count()  # of the files of this process


class EventWriter(SummaryWriter):
    """Writes a new event file in a folder, which hides what older files hold of ``purge_step`` and later."""

    file_writer: Any
    all_writers: Any

    def __init__(self, folder: Path, purge_step: int) -> None:
        super().__init__(str(folder), purge_step=purge_step)

    def _get_file_writer(self) -> FileWriter:
        if self.file_writer is None:
            self.file_writer = _OneFile(Path(self.log_dir))
            self.all_writers = {self.log_dir: self.file_writer}
            start = SessionLog(status=SessionLog.START)
            self.file_writer.add_event(Event(session_log=start), self.purge_step)
        writer: FileWriter = self.file_writer
        return writer


class _OneFile(FileWriter):
    def __init__(self, folder: Path) -> None:
        self.event_writer = _EventFile(folder)


class _EventFile:
    """What `FileWriter` needs of TensorBoard's `EventFileWriter`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        name = f"{EVENTS}{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}"
        self._file = (folder / name).open("ab")
        self._records = RecordWriter(self._file)
        self.add_event(Event(wall_time=time.time(), file_version="brain.Event:2"))
        self.flush()

    def get_logdir(self) -> str:
        return str(self._folder)

    def add_event(self, event: Event) -> None:
        self._records.write(event.SerializeToString())

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()
