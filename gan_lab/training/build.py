"""Everything that a configuration builds: data, networks of every seed, the game, batches, and measures."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from math import prod

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from gan_lab.config.build import build, build_activation, build_network, build_or_default, bytes_of
from gan_lab.datasets.base import Dataset
from gan_lab.evaluation.diagnostics import Diagnostic, Probe
from gan_lab.evaluation.evaluator import Evaluator, evaluator
from gan_lab.gan.augmentations import NoAugmentation
from gan_lab.gan.regularizers import NoPenalty
from gan_lab.gan.steps import Batch, GANLoss, discriminator_loss, generator_loss
from gan_lab.training.batches import Batches
from gan_lab.training.engines import GAN, PLAYERS, Engine, EngineConfig, TrainState, choose
from gan_lab.utils.devices import PRECISIONS
from gan_lab.utils.errors import ConfigurationError, GanLabError
from gan_lab.utils.files import truncate
from gan_lab.utils.memory import available, require_memory
from gan_lab.utils.seeding import seeded

ROOM = 0.8  # of the memory that is free
PASSES = 4  # both networks' outputs in one turn, twice, and gradients as large while it is played back


@dataclass
class Experiment:
    """What a configuration builds: data, networks in training, their batches, and what looks at them."""

    data: Dataset
    engine: Engine
    batches: Batches
    gains: dict[str, float]
    evaluator: Evaluator | None
    probe: Probe | None
    diagnostics: list[Diagnostic]

    def load_states(self, members: Sequence[TrainState]) -> None:
        """Put saved members in the place of fresh ones."""
        if members:
            self.engine = self.engine.keep(members)
        self.batches.keep([member.seed for member in members])


def build_experiment(cfg: DictConfig, device: torch.device) -> Experiment:
    """Build everything that a run trains, untrained; says what is wrong before anything is written."""
    torch.set_flush_denormal(True)  # saturated units otherwise slow a CPU down many times
    data: Dataset = build(cfg, "dataset").to(device)
    game = GANLoss(
        build(cfg, "objective"),
        build_or_default(cfg, "regularizer", NoPenalty()),
        build_or_default(cfg, "augmentation", NoAugmentation()),
    )
    pair, gains = _init_gan(cfg, data.shape, cfg.seed)
    max_concurrent_seeds = check_memory(cfg, pair, game, data, device)
    seeds = list(range(cfg.seed, cfg.seed + cfg.seeds))
    members = [TrainState(cfg.seed, dict(pair.state_dict()))]
    for seed in seeds[1:]:
        pair, gains = _init_gan(cfg, data.shape, seed)
        members.append(TrainState(seed, dict(pair.state_dict())))
    setup = EngineConfig(
        template=pair,
        game=game,
        optimizers={player: build(cfg, config_key_for(cfg, "optimizer", player)) for player in PLAYERS},
        device=device,
        precision=PRECISIONS[cfg.precision],
        ema=cfg.ema,
    )
    batches = Batches(
        data,
        seeds,
        batch_size=cfg.batch_size,
        latent_size=cfg.model.latent_size,
        uniforms=game.uniforms,
        discriminator_steps=cfg.discriminator_steps,
        device=device,
    )
    return Experiment(
        data,
        choose(cfg.engine, setup, members, max_concurrent_seeds),
        batches,
        gains,
        evaluator(cfg, data) if cfg.metrics.every else None,
        *_diagnostics(cfg, setup, data),
    )


def check_memory(cfg: DictConfig, pair: GAN, game: GANLoss, data: Dataset, device: torch.device) -> int:
    """Refuse a run that cannot fit into memory, by what it holds at the very least.

    Returns how many seeds can be played at once: at least one.

    Every seed has its weights, their gradients and the last good weights; what a pass through both networks
    keeps for its backward pass is counted on a few samples, on which both turns are rehearsed.
    """
    shape, latent_size = data.shape, int(cfg.model.latent_size)
    own = bytes_of(pair)
    require_memory(3 * own * cfg.seeds, f"seeds={cfg.seeds} (networks of {own:,} bytes)", device)
    each = dry_run(cfg, pair, game, data)
    require_memory(each * cfg.batch_size, f"batch_size={cfg.batch_size}", device)
    turns = 4 * (cfg.discriminator_steps + 1) * cfg.batch_size * cfg.seeds
    drawn = turns * (max(latent_size, game.uniforms) + prod(shape))
    require_memory(drawn, f"discriminator_steps={cfg.discriminator_steps} with batch_size and seeds", device)
    if cfg.diagnostics.every:
        probed = min(cfg.diagnostics.samples, len(data))
        require_memory(each * probed, f"diagnostics.samples={cfg.diagnostics.samples}", device)
    if cfg.samples.every:
        pictured = 8 * cfg.samples.number * (latent_size + prod(shape))
        require_memory(pictured, f"samples.number={cfg.samples.number}", device)
    room = available(device)
    if room is None:
        return int(cfg.seeds)
    # Two optimizer states beside what is counted above, and some room for what cannot be foreseen.
    left = ROOM * room - 8 * own * cfg.seeds
    return max(1, min(int(cfg.seeds), int(left / max(PASSES * each * cfg.batch_size, 1))))


def dry_run(cfg: DictConfig, pair: GAN, game: GANLoss, data: Dataset) -> int:
    """Play both turns on a copy of the networks with a few samples, so that what fails does so before a run.

    Returns the bytes that the layers of both networks give to the next ones, for one sample.
    """
    packing = int(getattr(pair.discriminator, "packing", 1))
    if cfg.batch_size % packing:
        raise ConfigurationError(
            f"batch_size must be a multiple of model.discriminator.packing={packing}, got {cfg.batch_size}"
        )
    number = min(2 * packing, int(cfg.batch_size))
    pair = deepcopy(pair)
    passed = 0

    def count(module: nn.Module, inputs: object, output: object) -> None:
        nonlocal passed
        passed += 4 * output.numel() if isinstance(output, Tensor) else 0

    for module in pair.modules():
        if not any(True for _ in module.children()):
            module.register_forward_hook(count)
    with seeded(0, "rehearsal"):
        batch = Batch(
            data.batch(torch.arange(number) % len(data)).cpu(),
            torch.randn(number, int(cfg.model.latent_size)),
            torch.rand(number, game.uniforms),
        )
        for player, turn in (("discriminator", discriminator_loss), ("generator", generator_loss)):
            parameters = list(pair.get_submodule(player).parameters())
            with _said_of(config_key_for(cfg, "optimizer", player)):
                optimizer = build(cfg, config_key_for(cfg, "optimizer", player))(parameters)
            with _said_of(f"the {player}'s turn cannot be played with these choices"):
                optimizer.zero_grad()
                pair(turn, game, batch)[0].backward()
                if all(parameter.grad is None for parameter in parameters):
                    raise ConfigurationError(f"no gradient reaches the {player}: its loss depends on nothing")
            with _said_of(config_key_for(cfg, "optimizer", player)):
                optimizer.step()
    return passed // (3 * number)  # at the least: generated twice, judged three times


@contextmanager
def _said_of(what: str) -> Iterator[None]:
    """One sentence for whatever a choice raises, which may be the caller's own code."""
    try:
        yield
    except GanLabError:
        raise
    except (Exception, SystemExit) as error:
        said = truncate(str(error)) or type(error).__name__
        raise ConfigurationError(f"{what}: {said}") from error


def _diagnostics(
    cfg: DictConfig, setup: EngineConfig, data: Dataset
) -> tuple[Probe | None, list[Diagnostic]]:
    if not cfg.diagnostics.every or not cfg.get("diagnostic"):
        return None, []
    # A discriminator that judges samples together gets whole groups of them.
    packing = getattr(setup.template.discriminator, "packing", 1)
    samples = min(cfg.diagnostics.samples, len(data)) // packing * packing
    if not samples:
        raise ConfigurationError(
            f"diagnostics.samples must be at least model.discriminator.packing={packing}"
        )
    probe = Probe(
        setup.template,
        setup.game,
        data,
        samples=samples,
        latent_size=cfg.model.latent_size,
        device=setup.device,
    )
    return probe, [build(cfg, f"diagnostic.{name}") for name in cfg.diagnostic]


def _init_gan(cfg: DictConfig, shape: tuple[int, ...], seed: int) -> tuple[GAN, dict[str, float]]:
    """One seed's networks, initialized from its own streams on the CPU: the same on every device."""
    initialize = build(cfg, "initialization")
    networks: dict[str, nn.Module] = {}
    gains: dict[str, float] = {}
    for player in PLAYERS:
        activation = build_activation(cfg, config_key_for(cfg, "activation", player))
        # A stream is its name: this spelling is part of every initial weight ever drawn.
        with seeded(seed, f"initialisation/{player}"):
            network = build_network(cfg, f"model.{player}", shape)
            gain = initialize(network, activation)
        networks[player] = network
        if gain is not None:
            gains[player] = gain
    return GAN(**networks), gains


def config_key_for(cfg: DictConfig, group: str, player: str) -> str:
    """The key of a player's own choice in a group, or of the one for both."""
    return f"{player}_{group}" if cfg.get(f"{player}_{group}") is not None else group
