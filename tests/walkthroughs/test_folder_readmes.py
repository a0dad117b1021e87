"""outputs/README.md and gan_lab/README.md against a real run and the real tree."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import gan_lab
from gan_lab.runs.prune import find_prunable
from tests.helpers.experiments import TINY_IMAGES
from tests.unit.test_architecture import FLOORS

PACKAGE = Path(gan_lab.__file__).parent
ROOT = Path(__file__).parents[2]
OUTPUTS = (ROOT / "outputs/README.md").read_text()
TREE = (PACKAGE / "README.md").read_text()
Cli = Callable[..., tuple[int, str, str]]
SMALL = (
    *TINY_IMAGES,
    "steps=2",
    "schedule=linear",  # learning rates are recorded where there is one
    "samples.every=1",
    "metrics.every=2",
    "diagnostics.every=2",
    "metrics.samples=64",
    "diagnostics.samples=16",
    "keep_best=true",
)


def paths_in(block: str) -> set[str]:
    """The paths of an indented tree, each line a name and what it is."""
    paths, parents = set(), []
    for line in block.splitlines():
        indent, name = re.match(r"( *)(\S+)", line).groups()  # type: ignore[union-attr]
        parents[len(indent) // 2 :] = [name]
        paths.add("".join(parents))
    return paths


def first_block(text: str) -> str:
    return re.search(r"```\n(.*?)```", text, re.DOTALL)[1]  # type: ignore[index]


def keys_in(section: str, heading: str = "key") -> set[str]:
    """The keys in the first column of a table."""
    text = OUTPUTS.split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = text.split(f"| {heading} | |\n")[1].split("\n\n")[0].splitlines()[1:]
    return {key for row in rows for key in re.findall(r"`([^`]+)`", row.split("|")[1])}


def generalized(path: str) -> str:
    text = re.sub(r"step_\d+", "step_<n>", path)
    text = re.sub(r"(samples(?:_best)?|interpolation)_\d+", r"\1_<j>", text)
    text = re.sub(r"seed_\d+", "seed_<k>", text)
    text = re.sub(r"^tensorboard/\w+/", "tensorboard/<candidate>/", text)
    return re.sub(r"events\.out\.tfevents\..*", "events.out.tfevents.…", text)


def test_every_file_and_key_that_a_study_leaves_is_named(run_cli: Cli) -> None:
    def call(*words: str) -> None:
        code, _, err = run_cli(*words)
        assert code == 0, err

    call("train", "-m", "hydra/launcher=basic", "activation=relu", *SMALL)
    (folder,) = (path.parent for path in Path("outputs/digits").glob("*/status.json"))
    call("train", "activation=relu", *SMALL, "rerun=true")
    call("sample", str(folder))
    call("sample", str(folder), "--best")
    call("sample", str(folder), "--interpolate")
    call("report", "outputs/digits")
    race = ("hydra/sweeper=race", "hydra/launcher=basic", "study=raced", "race.seeds=5", "seeds=5")
    call("train", "-m", *race, "activation=relu,elu", *SMALL)
    check_race(Path("outputs/raced"))
    check_files(folder.name)
    check_keys(folder)
    check_that_all_is_pruned(folder)


def check_race(study: Path) -> None:
    """A race leaves a sweep's files, and one of its own."""
    (study / "race.json").rename("outputs/digits/race.json")
    assert keys_in("race.json") == set(json.loads(Path("outputs/digits/race.json").read_text()))
    assert {path.name for path in study.iterdir() if path.is_file()} == {"multirun.yaml"}
    shutil.rmtree(study)


def check_files(run: str) -> None:
    files = {
        path.relative_to("outputs/digits").as_posix() for path in Path("outputs").rglob("*") if path.is_file()
    }
    kept = {path for path in files if path.startswith(f"{run}.before-")}
    figures = {path for path in files if path.startswith("report/figures/")}
    left = {f"outputs/<study>/{generalized(path.replace(run, '<run>'))}" for path in files - kept - figures}
    named = paths_in(first_block(OUTPUTS))
    assert left == {path for path in named if not path.endswith("/")}
    assert {f"outputs/<study>/{path}" for path in ("report/figures/", "<run>.before-<time>/")} <= named
    assert kept
    assert figures


def check_that_all_is_pruned(run: Path) -> None:
    """An archived run has no file that `gan-lab prune` does not know."""
    (archive,) = run.parent.glob("*.before-*")
    shutil.rmtree(archive)
    run.rename(archive)
    Path("outputs/digits/report").rename(archive / "report")
    items, reasons = find_prunable([Path("outputs")])
    assert ([item.kind for item in items], reasons) == (["archived"], [])
    items[0].remove()
    assert not archive.exists()


def check_keys(run: Path) -> None:
    results = json.loads((run / "seed_0/results.json").read_text())
    status = json.loads((run / "status.json").read_text())
    assert keys_in("status.json") == set(status)
    assert keys_in("status.json", "key of a sitting") == set(status["sittings"][0])
    assert keys_in("results.json") == set(results)
    assert keys_in("results.json", "key of a score") == set(results["metrics"][results["primary"]])
    lines = [json.loads(line) for line in (run / "seed_0/stats.jsonl").read_text().splitlines()]
    families = {key.split("/")[0] for line in lines for key in line} - {"step"}
    assert {key.split("/")[0] for key in keys_in("stats.jsonl")} == families


def test_every_folder_of_the_package_is_named() -> None:
    folders = {f"gan_lab/{path.parent.relative_to(PACKAGE)}/" for path in PACKAGE.rglob("*.py")} - {
        "gan_lab/./"
    }
    assert paths_in(first_block(TREE)) == folders | {"gan_lab/", "gan_lab/train.py"}


def test_every_module_that_the_readmes_name_is_there() -> None:
    for text in (TREE, OUTPUTS):
        for name in re.findall(r"[\w/]+/\w+\.py\b", text):
            assert (PACKAGE / name).is_file() or (ROOT / name).is_file(), name


def test_the_floors_are_those_that_the_architecture_test_holds() -> None:
    blocks = re.findall(r"```\n(.*?)```", TREE, re.DOTALL)
    floors = [tuple(line.split(", ")) for line in blocks[-1].splitlines()]
    assert floors == list(FLOORS)
