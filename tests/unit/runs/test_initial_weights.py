"""``init_from`` is known by its content: the path is not part of a run, and a change is."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gan_lab.runs.initial_weights import content_digest
from gan_lab.runs.naming import folder_name, identity
from gan_lab.utils.errors import GanLabError
from tests.helpers.experiments import composed


def write(path: str, value: float) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    save_file({"weight": torch.full((3,), value)}, path)
    return path


def digits(*overrides: str) -> str:
    return identity(composed(*overrides))[:8]


def test_the_content_is_part_of_a_run_and_the_path_is_not() -> None:
    one = digits(f"init_from={write('a.safetensors', 1)}")
    assert one == digits(f"init_from={write('elsewhere/b.safetensors', 1)}")
    assert one == digits(f"init_from={Path('a.safetensors').resolve()}")
    assert one != digits()
    assert one != digits("init_from=a.safetensors", "init_partial=true")
    assert one != digits(f"init_from={write('a.safetensors', 2)}")
    name = folder_name(composed("init_from=a.safetensors"), Path(), ["init_from=a.safetensors", "seeds=2"])
    assert name == f"init_from,seeds=2-{digits('init_from=a.safetensors')}"
    name = folder_name(composed(), Path(), ["init_from=null"])
    assert name.startswith("init_from=null-")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("nothing", "got 'nothing', which does not exist"),
        ("file.pt", "got 'file.pt', which is none"),
        ("folder", "init_from=folder is not the folder of a run"),
        ("broken", "init_from: .*status.json is damaged"),
    ],
)
def test_what_holds_no_weights_is_refused(source: str, expected: str) -> None:
    Path("file.pt").write_bytes(b"x")
    Path("folder").mkdir()
    Path("broken").mkdir()
    (Path("broken") / "status.json").write_text("{")
    with pytest.raises(GanLabError, match=expected):
        content_digest(source)


@pytest.mark.parametrize("source", ["", " ", 3, ["a"], {"a": 1}, True])
def test_what_is_no_path_is_refused_when_the_folder_is_named(source: object) -> None:
    cfg = composed()
    cfg.init_from = source
    with pytest.raises(
        GanLabError, match=r"^init_from must be null, a run's folder or a \.safetensors file, got "
    ):
        identity(cfg)
