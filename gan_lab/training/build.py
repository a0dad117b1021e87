"""From a configuration to what a run trains: data, losses, networks, engine, batches and observers."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from gan_lab.config.build import build, build_activation, build_network, build_or_default
from gan_lab.config.loggers import Logger, build_loggers
from gan_lab.datasets.base import Dataset
from gan_lab.evaluation.diagnostics import Diagnostic, Probe
from gan_lab.evaluation.evaluator import Evaluator, build_evaluator
from gan_lab.gan.activations import AsWritten
from gan_lab.gan.augmentations import NoAugmentation
from gan_lab.gan.models.own import OwnNetwork
from gan_lab.gan.regularizers import NoPenalty
from gan_lab.gan.steps import GAN, PLAYERS, GANLoss
from gan_lab.runs.status import Status
from gan_lab.training.batches import Batches
from gan_lab.training.engines import (
    Engine,
    EngineConfig,
    Schedule,
    TrainState,
    Work,
    choose_engine,
    choose_execution,
)
from gan_lab.training.engines.choice import Choice, choices_on_trial
from gan_lab.training.engines.trial import Trial, timer_for
from gan_lab.training.initial_weights import take_initial_weights
from gan_lab.training.updates import at_turn, build_clipping, build_schedule
from gan_lab.utils.devices import PRECISIONS
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.progress import say
from gan_lab.utils.seeding import seeded

_log = logging.getLogger(__name__)

OWN_TARGETS = ("gan_lab.gan.OwnGenerator", "gan_lab.gan.OwnDiscriminator")


@dataclass
class Components:
    """What a configuration names, before it is known whether it fits into memory.

    gan: the initialized networks of the first seed, on the CPU; gains: network -> gain of its initialization;
    initial_weights: network -> what of it came from ``init_from``; loggers: the first seed's, by name.
    """

    data: Dataset
    loss: GANLoss
    gan: GAN
    gains: dict[str, float]
    device: torch.device
    initial_weights: dict[str, str] = field(default_factory=dict)
    loggers: dict[str, Logger] = field(default_factory=dict)


@dataclass(frozen=True)
class Limits:
    """What preflight finds out about a configuration.

    max_concurrent_seeds: how many seeds fit into memory at once, None for all; max_probed_seeds: likewise
    where diagnostics look at them; draws: see `EngineConfig`; vmap_problem: why seeds cannot be stacked, None
    if they can or if nobody wants them to be.
    """

    max_concurrent_seeds: int | None = None
    draws: bool = False
    vmap_problem: str | None = None
    max_probed_seeds: int | None = None


@dataclass
class Experiment:
    """Everything that takes part in training; ``engine`` is None if every seed has diverged before.

    ``evaluator`` None measures nothing, ``probe`` None diagnoses nothing; max_probed_seeds: see `Limits`.
    """

    data: Dataset
    engine_config: EngineConfig
    engine: Engine | None
    batches: Batches
    gains: dict[str, float]
    evaluator: Evaluator | None
    probe: Probe | None
    diagnostics: dict[str, Diagnostic]
    max_probed_seeds: int | None = None
    loggers: dict[int, dict[str, Logger]] = field(default_factory=dict)

    @property
    def execution(self) -> str:
        """How steps are executed in fact."""
        return self.engine_config.execution if self.engine is None else self.engine.execution.name


def build_components(cfg: DictConfig, device: torch.device) -> Components:
    """Load the data and build losses and the first seed's networks."""
    torch.set_flush_denormal(True)  # saturated units otherwise slow a CPU down many times
    data: Dataset = build(cfg, "dataset").to(device)
    loss = GANLoss(
        build(cfg, "objective"),
        build_or_default(cfg, "regularizer", NoPenalty()),
        build_or_default(cfg, "augmentation", NoAugmentation()),
    )
    gan, gains = build_gan(cfg, data.shape)
    for player in PLAYERS:
        network = gan.get_submodule(player)
        if isinstance(network, OwnNetwork):
            say(_log, f"{player}: {network.summary()}")
    return Components(data, loss, gan, gains, device, loggers=build_loggers(cfg))


def fresh_states(cfg: DictConfig, components: Components) -> list[TrainState]:
    """Initialize the networks of every seed, or take their weights from where ``init_from`` says."""
    states = [TrainState(cfg.seed, dict(components.gan.state_dict()))]
    for seed in range(cfg.seed + 1, cfg.seed + cfg.seeds):
        gan, components.gains = init_gan(cfg, components.data.shape, seed)
        states.append(TrainState(seed, dict(gan.state_dict())))
    if cfg.init_from is not None:
        components.initial_weights = take_initial_weights(cfg, states)
        for player, text in components.initial_weights.items():
            say(_log, f"{player}: {text} (init_from={cfg.init_from})")
    return states


def build_engine_config(
    cfg: DictConfig, components: Components, limits: Limits, recorded: Status | None = None
) -> EngineConfig:
    """Choose engine and execution, within what preflight has found out.

    recorded: of the run that is resumed, whose engine and execution are kept where the keys say auto.
    """
    gan, device = components.gan, components.device
    engine = choose_engine(cfg.engine, gan, device, cfg.seeds, recorded.engine if recorded else None)
    engine = "sequential" if limits.vmap_problem is not None else engine
    precision, turns = PRECISIONS[cfg.precision], cfg.steps * (1 + cfg.discriminator_steps)
    work = Work(gan, engine, precision, cfg.seeds, turns, limits.draws)
    return EngineConfig(
        template=gan,
        gan_loss=components.loss,
        optimizers={player: build(cfg, config_key_for(cfg, "optimizer", player)) for player in PLAYERS},
        device=device,
        engine=engine,
        execution=choose_execution(cfg.execution, device, recorded.execution if recorded else None, work),
        precision=precision,
        ema=cfg.ema,
        max_concurrent_seeds=limits.max_concurrent_seeds,
        draws=limits.draws,
        schedules=_build_schedules(cfg),
        clippings={
            player: clip
            for player in PLAYERS
            if (clip := build_clipping(cfg, config_key_for(cfg, "clipping", player))) is not None
        },
    )


def timed_choices(cfg: DictConfig, config: EngineConfig) -> list[Choice]:
    """Return the ways to take steps that a fresh run times before it takes one; none where auto is a rule."""
    if timer_for(config.device) is None or cfg.deterministic:  # timings differ from run to run
        return []
    return choices_on_trial(config, cfg.engine, cfg.execution)


def _build_schedules(cfg: DictConfig) -> dict[str, Schedule]:
    """Build network -> factor of its learning rate, as a function of the steps that it has taken."""
    turns = {"generator": 1, "discriminator": cfg.discriminator_steps}
    return {
        player: partial(at_turn, schedule, turns[player])
        for player in PLAYERS
        if (schedule := build_schedule(cfg, config_key_for(cfg, "schedule", player))) is not None
    }


def build_experiment(
    cfg: DictConfig,
    components: Components,
    states: Sequence[TrainState],
    limits: Limits | None = None,
    recorded: Status | None = None,
) -> Experiment:
    """Put the states of all seeds that train into an engine, beside their batches and observers."""
    data, loss, device = components.data, components.loss, components.device
    every_seed = range(cfg.seed, cfg.seed + cfg.seeds)
    engine_config = build_engine_config(cfg, components, limits or Limits(), recorded)
    batches = Batches(
        data,
        [state.seed for state in states],
        batch_size=cfg.batch_size,
        generator_batch_size=cfg.generator_batch_size,
        latent_size=cfg.model.latent_size,
        num_rand=loss.num_rand,
        discriminator_steps=cfg.discriminator_steps,
        device=device,
    )
    timer = timer_for(device)
    choices = timed_choices(cfg, engine_config) if states and recorded is None else []
    if timer is not None and len(choices) > 1:
        engine_config = Trial(engine_config, states, batches(0), cfg.steps, timer).fastest(choices)
    engine = Engine(engine_config, states) if states else None
    del states  # the engine has copied them, and what observers hold is large
    if engine is not None and engine_config.execution == "compiled":
        if cfg.execution != engine_config.execution and timer is None and recorded is None:  # auto's rule
            _log.info("execution=auto: compiled, as %s steps repay the half a minute of it", f"{cfg.steps:,}")
        discriminator_batches, generator_batch = batches(0)
        engine.prepare({"discriminator": discriminator_batches[0], "generator": generator_batch})
    return Experiment(
        data,
        engine_config,
        engine,
        batches,
        components.gains,
        build_evaluator(cfg, data) if cfg.metrics.every else None,
        *_build_diagnostics(cfg, engine_config, data),
        limits.max_probed_seeds if limits is not None else None,
        {seed: build_loggers(cfg) if seed > cfg.seed else components.loggers for seed in every_seed},
    )


def _build_diagnostics(
    cfg: DictConfig, engine_config: EngineConfig, data: Dataset
) -> tuple[Probe | None, dict[str, Diagnostic]]:
    if not cfg.diagnostics.every or not cfg.get("diagnostic"):
        return None, {}
    # A discriminator that judges samples together gets whole groups of them.
    packing = getattr(engine_config.template.discriminator, "packing", 1)
    samples = min(cfg.diagnostics.samples, len(data)) // packing * packing
    if not samples:
        raise ConfigurationError(
            f"diagnostics.samples must be at least model.discriminator.packing={packing}"
        )
    probe = Probe(
        engine_config.template,
        engine_config.gan_loss,
        data,
        samples=samples,
        latent_size=cfg.model.latent_size,
        device=engine_config.device,
    )
    return probe, {str(name): build(cfg, f"diagnostic.{name}") for name in cfg.diagnostic}


def build_gan(cfg: DictConfig, shape: tuple[int, ...]) -> tuple[GAN, dict[str, float]]:
    """Initialize the first seed's networks; the user's own may lie in the current folder."""
    if any(is_own(cfg, player) for player in PLAYERS):
        find_modules_here()
    return init_gan(cfg, shape, cfg.seed)


def init_gan(cfg: DictConfig, shape: tuple[int, ...], seed: int) -> tuple[GAN, dict[str, float]]:
    """Initialize one seed's networks from its own streams, on the CPU: the same on every device.

    Also returns network -> gain of its initialization, for those that have one.
    """
    initialize = build(cfg, "initialization")
    networks: dict[str, nn.Module] = {}
    gains: dict[str, float] = {}
    for player in PLAYERS:
        activation: nn.Module | None = build_activation(cfg, config_key_for(cfg, "activation", player))
        if isinstance(activation, AsWritten):
            _refuse_as_written(cfg, player)
            activation = None
        # A stream is its name: this spelling is part of every initial weight ever drawn.
        with seeded(seed, f"initialisation/{player}"):
            network = build_network(cfg, f"model.{player}", shape)
            gain = initialize(network, activation)
        if not isinstance(network, OwnNetwork):
            _compute_out_of_place(network, player)
        networks[player] = network
        if gain is not None:
            gains[player] = gain
    return GAN(**networks), gains


def _refuse_as_written(cfg: DictConfig, player: str) -> None:
    if not is_own(cfg, player):
        raise ConfigurationError(
            f"activation=as_written is what networks of your own have already (model=own), and the {player} "
            f"of this model has nothing but what is chosen: choose another activation"
        )


def find_modules_here() -> None:
    """Let a model of the user's own come from the current folder, as with ``python``; in training only."""
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))


def _compute_out_of_place(network: nn.Module, player: str) -> None:
    """Switch ``inplace`` off: numbers stay the same, and penalties and diagnostics can read the inputs."""
    in_place = [module for module in network.modules() if getattr(module, "inplace", False) is True]
    for module in in_place:
        setattr(module, "inplace", False)  # noqa: B010 - mypy knows no such attribute
    if in_place:
        name = type(in_place[0]).__name__
        say(_log, f"{name} of the {player} is computed out of place, with the same numbers")


def is_own(cfg: DictConfig, player: str) -> bool:
    """Whether a network is one of the user's own, in which gan-lab only swaps activations."""
    return OmegaConf.select(cfg, f"model.{player}._target_") in OWN_TARGETS


def config_key_for(cfg: DictConfig, group: str, player: str) -> str:
    """Return the key of a network's own choice in a group, or of the choice for both networks."""
    return f"{player}_{group}" if cfg.get(f"{player}_{group}") is not None else group
