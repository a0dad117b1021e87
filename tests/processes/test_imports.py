"""Modules that answer at once: they import no torch, and the command line's help imports next to nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gan_lab
from tests.helpers.cli import call_process
from tests.helpers.synthetic import make_run

PACKAGE = Path(gan_lab.__file__).parent
# A finished run, `ls`, a sweep's plan and every help page are answered by these, or by what they import.
ANSWERING = (
    "cli/**/*.py",
    "train.py",
    "config/schema.py",
    "config/errors.py",
    "config/overrides.py",
    "config/aliases.py",
    "config/command_line.py",
    "config/completion.py",
    "config/help.py",
    "runs/*.py",
    "sweeps/*.py",
    "training/forecast.py",
    "training/places.py",
    "training/planning.py",
    "training/timing_process.py",
    "datasets/caches.py",
    "datasets/files.py",
)
WITH_TORCH = {"gan_lab.runs.load", "gan_lab.runs.weights", "gan_lab.runs.checkpoints"}
PROBE = """
import importlib, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "torch_fidelity"):
            raise ImportError(f"{name} was imported")

sys.meta_path.insert(0, Blocker())
for module in sys.argv[1:]:
    try:
        importlib.import_module(module)
    except ImportError as error:
        print(f"{module}: {error}")
"""


def answering() -> Iterator[str]:
    for pattern in ANSWERING:
        for path in sorted(PACKAGE.glob(pattern)):
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            module = ".".join(parts).removesuffix(".__init__")
            if module not in WITH_TORCH:
                yield module


def test_what_answers_at_once_imports_no_torch() -> None:
    modules = list(answering())
    assert len(modules) > 20
    assert WITH_TORCH.isdisjoint(modules)
    done = subprocess.run([sys.executable, "-c", PROBE, *modules], capture_output=True, text=True, check=True)
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("command", "unneeded", "output"),
    [
        ("--help", ("torch", "hydra", "omegaconf", "numpy", "tensorboard"), "train"),
        ("ls", ("torch", "scipy", "matplotlib"), "finished"),
        ("train steps=1 samples.every=0", ("sklearn", "scipy.stats", "matplotlib", "pandas"), "finished: 1"),
    ],
)
def test_commands_import_only_what_they_need(
    command: str, unneeded: tuple[str, ...], output: str, tmp_path: Path
) -> None:
    make_run(tmp_path / "outputs/study", "elu", [1.0])
    probe = (
        "import sys; from gan_lab.cli import main\n"
        f"try: main({command.split()!r})\n"
        f"except SystemExit: print([m for m in {unneeded} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert output in done.stdout
    assert done.stderr.strip() == "[]"


def test_a_finished_run_over_a_folder_of_images_needs_no_torch() -> None:
    rng = np.random.default_rng(0)
    Path("pictures").mkdir()
    for index in range(8):
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(f"pictures/{index}.png")
    small = ("model.latent_size=8", "model.generator.width=4", "model.discriminator.width=4", "batch_size=4")
    words = ("dataset=image_folder", "dataset.path=pictures", "dataset.size=8", "steps=1", "samples.every=0")
    command = ["train", *words, *small, "metrics.every=0", "diagnostics.every=0"]
    trained = call_process(*command)
    assert trained.code == 0, trained.err
    for arguments, answer in ((command, "finished: 1 steps"), (["train", "-m", *command[1:]], "1 skipped")):
        probe = (
            "import sys; from gan_lab.cli import main\n"
            f"try: main({arguments!r})\n"
            "except SystemExit: pass\n"
            "print([m for m in ('torch', 'PIL', 'scipy') if m in sys.modules], file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
        assert answer in done.stdout
        assert done.stderr.strip() == "[]"


def test_a_device_that_is_deterministic_as_asked_needs_no_compiler() -> None:
    probe = (
        "import sys, torch; from gan_lab.utils.devices import computing_on\n"
        "with computing_on(torch.device('cpu'), deterministic=False): pass\n"
        "assert 'torch._inductor' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", probe], check=True)


def test_pictures_of_points_do_not_need_pyplot() -> None:
    probe = (
        "import sys; from gan_lab.datasets.mixtures import make_ring; data = make_ring(size=10);"
        "assert 'matplotlib' not in sys.modules; data.plot(data.data);"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", probe], check=True)


def test_openmp_is_told_before_it_is_loaded() -> None:
    """It reads the variable once: when PyTorch is imported."""
    script = (
        "import os, sys\n"
        "from gan_lab.cli import main\n"
        "assert 'torch' not in sys.modules and 'GOMP_SPINCOUNT' not in os.environ\n"
        "main(['activations', 'relu'], standalone_mode=False)\n"
        "print('torch' in sys.modules, os.environ['GOMP_SPINCOUNT'])"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["True 10000"], done.stderr
