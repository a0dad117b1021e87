"""Trained generators: `load` a run's folder and draw from it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from gan_lab.config.build import build, build_network
from gan_lab.config.trust import trusted_config
from gan_lab.datasets.base import Dataset, Images
from gan_lab.datasets.files import data_stamp
from gan_lab.runs.config_file import CONFIG
from gan_lab.runs.initial_weights import WEIGHTS
from gan_lab.runs.naming import to_plain
from gan_lab.runs.run import Run, describe_scores
from gan_lab.runs.status import Status
from gan_lab.runs.weights import BEST_WEIGHTS, read_best_weights, read_weights
from gan_lab.utils.checks import check_int, check_path, check_texts
from gan_lab.utils.devices import computing_on, find_device
from gan_lab.utils.errors import DataError, GanLabError
from gan_lab.utils.files import atomic_write
from gan_lab.utils.images import encode_png
from gan_lab.utils.memory import require_memory
from gan_lab.utils.seeding import seeded, stream
from gan_lab.utils.text import plural


@dataclass(frozen=True)
class TrainedRun:
    """A run of which everything may be built: its generators, and samples of them."""

    run: Run
    cfg: DictConfig

    def __repr__(self) -> str:
        seeds = plural(len(self.seeds), "seed")
        scores = describe_scores(self.run)
        line = "not measured" if scores is None else "{} {} (real data {})".format(*scores)
        return f"{self.folder}: {self.run.state} at step {self.run.step:,}, {seeds}\n{line}"

    @property
    def folder(self) -> Path:
        return self.run.folder

    @property
    def status(self) -> Status:
        return self.run.status

    @property
    def seeds(self) -> list[int]:
        return self.status.seeds

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return tuple(self.status.shape)

    def data_change(self, data: Callable[[], Dataset]) -> str | None:
        """Say that the training data have changed since, None if they have not.

        ``data`` reads them as they are now; it is not called for a folder whose files are unchanged.
        """
        status = self.status
        stamp = data_stamp(to_plain(self.cfg)["dataset"])
        if not status.data_fingerprint or (stamp and stamp == status.data_stamp):
            return None
        now = data()
        change = status.data_change(now.fingerprint, len(now))
        if change is None:
            return None
        return f"{self.folder} was trained on other data than dataset={now.name} holds now ({change})"

    def generator(
        self, seed: int | None = None, device: torch.device | str = "cpu", *, best: bool = False
    ) -> nn.Module:
        """Build a seed's generator (default: of the first) in evaluation mode, averaged if ``ema`` is on.

        best: the one that ``keep_best`` has stored, not the last.
        """
        folder = self._seed_folder(seed)
        weights = read_best_weights(folder)[0] if best else read_weights(folder)
        # As in training, for random numbers that are in no state dict.
        with seeded(self.seeds[0], "initialisation/generator"):
            network = build_network(self.cfg, "model.generator", shape=self.shape)
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            lines = str(error).splitlines()
            reason = (lines[1] if len(lines) > 1 else lines[0]).strip()
            file = folder / (BEST_WEIGHTS if best else WEIGHTS)
            raise GanLabError(f"{file} does not fit the run's {CONFIG}: {reason}") from error
        return network.eval().to(find_device(device))

    def about_best(self, seed: int | None = None) -> dict[str, Any]:
        """Return step, metric and score of a seed's best generator; raises GanLabError if none was kept."""
        return read_best_weights(self._seed_folder(seed))[1]

    def _seed_folder(self, seed: int | None) -> Path:
        folders = {one.number: one.folder for one in self.run.seeds}
        seed = self.seeds[0] if seed is None else seed
        if seed not in folders:
            known = ", ".join(map(str, folders))
            raise GanLabError(f"{self.folder} has no seed {seed!r}; it has {known}")
        return folders[seed]

    @torch.no_grad()
    def sample(
        self,
        number: int = 64,
        seed: int | None = None,
        noise: int = 0,
        device: torch.device | str = "cpu",
        *,
        best: bool = False,
    ) -> Tensor:
        """(number, *shape) samples of one seed's generator: images in [-1, 1], points as the data has them.

        ``noise`` names the random stream; the same number gives the same latents for every run. best: of the
        generator that ``keep_best`` has stored, not of the last one.
        """
        return self._generate(self._latent(number, noise), seed, noise, device, best=best)

    @torch.no_grad()
    def interpolate(
        self,
        number: int = 64,
        seed: int | None = None,
        noise: int = 0,
        device: torch.device | str = "cpu",
        *,
        best: bool = False,
    ) -> Tensor:
        """(n * n, *shape), n = ceil(sqrt(number)): n walks of n samples from one latent to another.

        Spherical interpolation (White 2016, arXiv:1609.04468) keeps latents as long as Gaussian ones are;
        lengths are interpolated linearly.
        """
        side = math.isqrt(check_int("number", number) - 1) + 1
        start, end = self._latent(2 * side, noise).chunk(2)
        cosine = torch.cosine_similarity(start, end, dim=1).clamp(-1 + 1e-6, 1 - 1e-6)
        angle = cosine.acos()[:, None, None]
        t = torch.linspace(0, 1, side)[None, :, None]
        norms = torch.stack([start.norm(dim=1), end.norm(dim=1)])[:, :, None, None]
        unit = [nn.functional.normalize(z, dim=1)[:, None] for z in (start, end)]
        arc = ((1 - t) * angle).sin() * unit[0] + (t * angle).sin() * unit[1]
        latent = arc / angle.sin() * ((1 - t) * norms[0] + t * norms[1])
        return self._generate(latent.flatten(0, 1), seed, noise, device, best=best)

    def _latent(self, number: int, noise: int) -> Tensor:
        size = OmegaConf.select(self.cfg, "model.latent_size")
        size = check_int(f"{self.folder / CONFIG}: model.latent_size", size)
        check_int("number", number)
        require_memory(8 * number * (size + prod(self.shape)), f"{number} samples")
        return torch.randn(number, size, generator=stream(noise, "sampling"))

    def _generate(
        self, latent: Tensor, seed: int | None, noise: int, device: torch.device | str, *, best: bool
    ) -> Tensor:
        parts, device = [], find_device(device)
        with computing_on(device):
            generator = self.generator(seed, device, best=best)
            for chunk, z in enumerate(torch.split(latent, 256)):
                with seeded(noise, "generate/sampling", chunk, device):  # for networks that draw themselves
                    parts.append(generator(z.to(device)).cpu())
        return torch.cat(parts)


def load(folder: str | Path, trust: Sequence[str] = (), *, changed_data: bool = False) -> TrainedRun:
    """Read the run in a folder, finished or not. No code in the folder is executed: weights are numbers, and
    ``config.yaml`` builds only what comes with gan-lab and torch.

    ``trust`` names modules of which it may also build something, such as your own activations'. Raises
    `DataError` if the folder of images that the run was trained on holds other images now, unless
    ``changed_data`` is true; a folder that is not there cannot tell.
    """
    path = check_path("folder", folder, "the path of a run's folder, such as 'outputs/digits/<run>'")
    trained = open_run(Run.load(path), trust)
    if not changed_data and data_stamp(to_plain(trained.cfg)["dataset"]) is not None:
        change = trained.data_change(lambda: build(trained.cfg, "dataset"))
        if change is not None:
            raise DataError(f"{change}: load(folder, changed_data=True) loads it all the same")
    return trained


def open_run(run: Run, trust: Sequence[str] = ()) -> TrainedRun:
    """Check that a run builds only what is trusted; raises GanLabError if it does not."""
    check_texts("trust", trust, "a list of modules' names, such as ['my_module']")
    for seed in run.seeds:
        if not seed.folder.resolve().is_relative_to(run.folder.resolve()):
            raise GanLabError(f"{seed.folder} is a link that leads out of the run's folder")
    # Loggers are for training: nothing of them is built from a run's folder.
    config = {key: value for key, value in run.config.items() if key != "logger"}
    return TrainedRun(run, trusted_config(config, run.folder / CONFIG, trust))


def draw(run: TrainedRun, samples: Tensor, path: Path) -> None:
    """Write samples as the run's own pictures show them: a grid of images, or points among the true modes."""
    data = build(run.cfg, "dataset") if len(run.shape) == 1 else Images
    path.parent.mkdir(parents=True, exist_ok=True)
    # This follows no link that a stranger's folder may hold.
    atomic_write(path, encode_png(data.plot(samples)))
