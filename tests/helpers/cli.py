"""`gan-lab` as somebody calls it, in this process or in one that is started for it."""

import io
import logging
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from gan_lab.cli import main


class Result(NamedTuple):
    """What a command leaves: its exit code, and what it printed."""

    code: int
    out: str
    err: str


def call(*arguments: str, **environment: str) -> Result:
    """Run ``gan-lab <arguments>`` in this process, which takes seconds less than starting one."""
    out, err = io.StringIO(), io.StringIO()
    with _as_a_process(environment), redirect_stdout(out), redirect_stderr(err):
        code = _exit_code(arguments)
    return Result(code, out.getvalue(), err.getvalue())


def refused(*arguments: str) -> str:
    """Return the line with which ``gan-lab <arguments>`` is refused, which must be all that comes of it."""
    code, out, err = call(*arguments)
    assert (code, out) == (2, ""), err
    assert err.startswith("gan-lab: "), err
    assert err.count("\n") == 1, err
    assert len(err) < 1000
    assert not Path("outputs").exists()
    assert not Path("multirun").exists()
    return err


def _exit_code(arguments: tuple[str, ...]) -> int:
    try:
        main(list(arguments))
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return stop.code or 0
        print(stop.code, file=sys.stderr)
        return 1
    except Exception:
        traceback.print_exc()
        return 1
    return 0


@contextmanager
def _as_a_process(environment: dict[str, str]) -> Iterator[None]:
    """Undo what a command does to its process: environment, arguments, modules, logging, Hydra's state."""
    variables, arguments, paths, modules = dict(os.environ), sys.argv, sys.path[:], set(sys.modules)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    os.environ.pop("HYDRA_FULL_ERROR", None)
    os.environ.update(environment)
    folders = [str(Path(folder).resolve()) for folder in environment.get("PYTHONPATH", "").split(os.pathsep)]
    sys.path[:0] = folders if "PYTHONPATH" in environment else []
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().clear()
        HydraConfig.instance().cfg = None
        for handler in set(root.handlers) - set(handlers):
            handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and str(Path(file).parent) in folders:
                del sys.modules[name]
        sys.argv, sys.path[:] = arguments, paths
        os.environ.clear()
        os.environ.update(variables)


def call_process(*arguments: str, **environment: str) -> Result:
    """Run ``gan-lab <arguments>`` as a process."""
    done = subprocess.run(
        [sys.executable, "-m", "gan_lab", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        timeout=300,
    )
    return Result(done.returncode, done.stdout, done.stderr)
