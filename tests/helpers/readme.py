"""The README's commands, as small as they can be run."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from tests.helpers.experiments import UNMEASURED

README = (Path(__file__).parents[2] / "README.md").read_text()
Cli = Callable[..., tuple[int, str, str]]
SMALL = ("steps=1", "batch_size=4", "seeds=1", "samples.number=4", "samples.every=0", *UNMEASURED)


def commands(name: str) -> list[str]:
    """The README's lines that call this command."""
    blocks = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith(f"gan-lab {name}")]


def is_sweep(line: str) -> bool:
    """Whether a command line trains many runs, each in a worker process."""
    words = shlex.split(line, comments=True)
    return not (searches(line) or races(line)) and (
        "-m" in words or any(word.startswith("experiment=") for word in words)
    )


def searches(line: str) -> bool:
    """Whether a command line leaves the choice of runs to a sweeper that needs their scores."""
    return "hydra/sweeper=" in line and not races(line)


def races(line: str) -> bool:
    """Whether a command line gives seeds in rounds."""
    return "hydra/sweeper=race" in line


def trains(line: str, run_cli: Cli) -> None:
    """Run a training command beside the files that the README has its reader make."""
    activation = re.search(r"```yaml\n# mine/activation/steep.yaml\n(.*?)```", README, re.DOTALL)
    assert activation
    Path("mine/activation").mkdir(parents=True)
    Path("mine/activation/steep.yaml").write_text(activation[1])
    Path("my_pictures").mkdir()
    for number in range(8):
        color = (30 * number, 0, 255 - 30 * number)
        Image.new("RGB", (70, 80), color).save(f"my_pictures/{number}.png")
    code, out, err = run_cli("train", *shlex.split(line, comments=True)[2:], *SMALL)
    assert code == 0, err
    assert "finished: 1 steps, 1 seed" in out
