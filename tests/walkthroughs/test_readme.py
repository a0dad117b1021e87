"""What the README says is run, and said of every command and entry there is."""

import re
import shlex
from pathlib import Path

import pytest
import torch

from gan_lab.cli import COMMANDS
from gan_lab.config.schema import VALIDATORS
from gan_lab.utils.paths import config_dir
from tests.helpers.experiments import choices, train
from tests.helpers.readme import README, SMALL, Cli, commands, is_sweep, races, searches, trains


@pytest.mark.parametrize(
    "line", [line for line in commands("train") if not (is_sweep(line) or searches(line) or races(line))]
)
def test_every_command_that_trains_one_run_trains(line: str, run_cli: Cli) -> None:
    trains(line, run_cli)


def test_sample_and_python_as_the_readme_has_them(run_cli: Cli) -> None:
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code
    names: dict[str, object] = {}
    small = code[1].replace("steps=200", "steps=2, batch_size=4, metrics__samples=64, diagnostics__every=0")
    assert small != code[1]
    exec(small, names)
    images = names["images"]
    assert isinstance(images, torch.Tensor)
    assert images.shape == (64, 1, 16, 16)
    (line,) = commands("sample")
    (run,) = (path.parent for path in Path("outputs/digits").glob("*/status.json"))
    words = shlex.split(line, comments=True)[1:]
    rc, out, err = run_cli(*(str(run) if "<run>" in word else word for word in words))
    assert rc == 0, err
    assert Path(out.strip()).exists()


def test_what_comes_after_training_as_the_readme_has_it(run_cli: Cli) -> None:
    measured = ("metrics.every=1", "metrics.samples=64")
    for study in ("digits", "first", "activations_on_digits"):
        for activation in ("relu", "elu"):
            train([f"study={study}", f"activation={activation}", *SMALL, *measured])
    lines = [line for name in ("report", "evaluate", "ls", "activations") for line in commands(name)]
    assert {line.split()[1] for line in lines} == {"report", "evaluate", "ls", "activations"}
    for line in lines:
        code, out, err = run_cli(*shlex.split(line, comments=True)[1:])
        assert code == 0, f"{line}: {err}"
        assert "relu" in out
    assert Path("outputs/activations_on_digits/report/index.html").exists()


@pytest.mark.parametrize(
    "group",
    sorted({str(p.parent.relative_to(config_dir())) for p in config_dir().glob("*/**/*.yaml")}),
)
def test_every_entry_of_every_group_is_named(group: str) -> None:
    (row,) = re.findall(rf"^\| `{group}` \|(.*)$", README, re.MULTILINE)
    for name in choices(group):
        assert re.search(rf"\b{name}\b", row), f"{group}={name} is not in the README's table"


def test_every_command_is_named() -> None:
    for name in COMMANDS:
        assert f"gan-lab {name}" in README


def test_every_key_of_the_root_is_checked_and_explained() -> None:
    from omegaconf import OmegaConf

    text = (config_dir() / "train.yaml").read_text()
    root = OmegaConf.load(config_dir() / "train.yaml")
    plain = {str(k) for k in root if k not in ("defaults", "hydra")}
    checked = {key.split(".")[0] for key in VALIDATORS}
    assert plain <= checked
    for key in plain - {"log", "samples", "metrics", "diagnostics", "checkpoint"}:  # they have a common one
        assert re.search(rf"^{key}:.* # ", text, re.MULTILINE), f"{key} has no comment"
