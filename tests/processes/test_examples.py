"""The notebooks in scripts/examples, executed as they are."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "scripts/examples").glob("*.ipynb"))


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("nbconvert", "ipykernel", "pandas"))
    and not os.environ.get("CI"),
    reason="there is no Jupyter here: pip install nbconvert ipykernel pandas",
)
@pytest.mark.parametrize("notebook", EXAMPLES, ids=lambda path: path.stem)
def test_every_notebook_runs(notebook: Path, tmp_path: Path) -> None:
    stored = json.loads(notebook.read_text())
    assert not any(cell.get("outputs") for cell in stored["cells"])  # it is stored without
    (tmp_path / notebook.name).write_text(notebook.read_text())
    command = ("nbconvert", "--to", "notebook", "--execute", "--inplace", notebook.name)
    done = subprocess.run(
        [sys.executable, "-m", *command],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    executed = json.loads((tmp_path / notebook.name).read_text())
    text = json.dumps(executed)
    assert "finished" in text
    assert "3 runs in outputs/notebook, 3 finished" in text
    assert "torch.Size([500, 2])" in text
    assert (tmp_path / "outputs/notebook/report/index.html").exists()


def test_there_is_one() -> None:
    assert EXAMPLES
