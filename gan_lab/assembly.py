"""Everything that a configuration builds: data, networks of every seed, the game, batches, and measures."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from omegaconf import DictConfig
from torch import nn

from gan_lab.adversarial import Game
from gan_lab.batches import Batches
from gan_lab.configuration import build, build_activation
from gan_lab.datasets.base import Samples
from gan_lab.devices import PRECISIONS
from gan_lab.diagnostics import Diagnostic, Probe
from gan_lab.engines import PLAYERS, Engine, Member, Pair, Setup, choose
from gan_lab.evaluation import Evaluator, evaluator
from gan_lab.seeding import seeded


@dataclass
class Experiment:
    """What a configuration builds: data, networks in training, their batches, and what looks at them."""

    data: Samples
    engine: Engine
    batches: Batches
    gains: dict[str, float]
    evaluator: Evaluator | None
    probe: Probe | None
    diagnostics: list[Diagnostic]

    def go_on_with(self, members: Sequence[Member]) -> None:
        """Put saved members in the place of fresh ones."""
        if members:
            self.engine = self.engine.keep(members)
        self.batches.keep([member.seed for member in members])


def assemble(cfg: DictConfig, device: torch.device) -> Experiment:
    """Build everything that a run trains, untrained; says what is wrong before anything is written."""
    torch.set_flush_denormal(True)  # saturated units otherwise slow a CPU down many times
    data: Samples = build(cfg, "dataset").to(device)
    game = Game(build(cfg, "objective"), build(cfg, "regularizer"), build(cfg, "augmentation"))
    seeds = list(range(cfg.seed, cfg.seed + cfg.seeds))
    members: list[Member] = []
    gains: dict[str, float] = {}
    pair: Pair | None = None
    for seed in seeds:
        pair, gains = _fresh_pair(cfg, data.shape, seed)
        members.append(Member(seed, dict(pair.state_dict())))
    assert pair is not None
    setup = Setup(
        template=pair,
        game=game,
        optimizers={player: build(cfg, own_key(cfg, "optimizer", player)) for player in PLAYERS},
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
        choose(cfg.engine, setup, members),
        batches,
        gains,
        evaluator(cfg, data) if cfg.metrics.every else None,
        *_diagnostics(cfg, setup, data),
    )


def _diagnostics(cfg: DictConfig, setup: Setup, data: Samples) -> tuple[Probe | None, list[Diagnostic]]:
    if not cfg.diagnostics.every or not cfg.get("diagnostic"):
        return None, []
    probe = Probe(
        setup.template,
        setup.game,
        data,
        samples=cfg.diagnostics.samples,
        latent_size=cfg.model.latent_size,
        device=setup.device,
    )
    return probe, [build(cfg, f"diagnostic.{name}") for name in cfg.diagnostic]


def _fresh_pair(cfg: DictConfig, shape: tuple[int, ...], seed: int) -> tuple[Pair, dict[str, float]]:
    """One seed's networks, initialised from its own streams on the CPU: the same on every device."""
    initialise = build(cfg, "initialisation")
    networks: dict[str, nn.Module] = {}
    gains: dict[str, float] = {}
    for player in PLAYERS:
        activation = build_activation(cfg, own_key(cfg, "activation", player))
        with seeded(seed, f"initialisation/{player}"):
            network: nn.Module = build(cfg, f"model.{player}", shape=shape)
            gain = initialise(network, activation)
        networks[player] = network
        if gain is not None:
            gains[player] = gain
    return Pair(**networks), gains


def own_key(cfg: DictConfig, group: str, player: str) -> str:
    """The key of a player's own choice in a group, or of the one for both."""
    return f"{player}_{group}" if cfg.get(f"{player}_{group}") is not None else group
