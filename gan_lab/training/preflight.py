"""Checks before a run writes anything: does it fit into memory, and does training keep its promises?"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from math import prod

import torch
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.checkpoint import CheckpointError

from gan_lab.config.build import build, bytes_of
from gan_lab.config.schema import value_of
from gan_lab.gan.models.own import OwnNetwork
from gan_lab.gan.steps import PLAYERS, Batch, discriminator_loss, generator_loss
from gan_lab.runs.status import Status
from gan_lab.training.build import (
    Components,
    Limits,
    build_engine_config,
    config_key_for,
    timed_choices,
)
from gan_lab.training.engines import EngineConfig, TrainState
from gan_lab.training.rehearsal import engine_problem, resuming_problem, stacking_problem
from gan_lab.utils.errors import ConfigurationError, GanLabError, summarize_exception
from gan_lab.utils.memory import available, require_memory
from gan_lab.utils.seeding import random_state, seeded

MEMORY_FRACTION = 0.8  # of the free memory; the rest is for what cannot be foreseen
SMALL_BATCH = 1024  # a batch of up to so many samples may hold a sample twice
ACTIVATION_COPIES = 4  # outputs of both networks in one step, twice, and gradients of the same size


_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DryRun:
    """What one step of each network shows.

    bytes_per_sample: that the layers of both networks hand on to each other; draws: whether anything drew
    random numbers of its own; batch: what the step was computed from.
    """

    bytes_per_sample: int
    draws: bool
    batch: Batch


def preflight(cfg: DictConfig, components: Components, recorded: Status | None = None) -> Limits:
    """Refuse a run that cannot fit into memory, take a step, or be resumed; return what it must heed.

    recorded: of the run that is resumed, whose engine is kept where the key says auto.
    """
    dry, max_concurrent_seeds, max_probed_seeds = _check_memory(cfg, components)
    limits = Limits(max_concurrent_seeds, dry.draws, max_probed_seeds=max_probed_seeds)
    configs = [build_engine_config(cfg, components, limits, status) for status in (None, recorded)]
    config, engines = configs[0], {config.engine for config in configs}
    engines |= {choice.engine for choice in timed_choices(cfg, config)}
    if dry.draws and any(config.execution == "cuda_graph" for config in configs):
        raise ConfigurationError(
            "execution=cuda_graph cannot replay steps in which networks, losses or optimizers draw random "
            "numbers: take execution=eager"
        )
    if "vmap" in engines:
        stacked = replace(config, engine="vmap")
        problem = _vmap_problem(stacked, dry.batch)
        if problem is not None and cfg.engine == stacked.engine:
            raise ConfigurationError(f"engine=vmap cannot train this: {problem}; take engine=sequential")
        if problem is not None:
            _log.warning("the seeds are trained one by one (engine=sequential): %s", problem)
            limits, engines = replace(limits, vmap_problem=problem), {"sequential"}
    if "sequential" in engines:
        _refuse_if_not_resumable(cfg, replace(config, engine="sequential"), dry.batch)
    return limits


def _vmap_problem(config: EngineConfig, batch: Batch) -> str | None:
    """Say why the seeds of a run cannot be stacked; None if they can."""
    if config.draws:
        return "networks, losses or optimizers draw random numbers, and each seed has its own"
    for player in PLAYERS:
        problem = stacking_problem(config.optimizers[player], config.template.get_submodule(player))
        if problem is not None:
            return problem
    seeds = [TrainState(seed, dict(config.template.state_dict())) for seed in range(2)]
    return engine_problem(config, seeds, Batch(*(torch.stack([part, part]) for part in batch)))


def _refuse_if_not_resumable(cfg: DictConfig, config: EngineConfig, batch: Batch) -> None:
    """Raise ConfigurationError if one seed by itself cannot train, or not be resumed to the same bits."""
    for player in PLAYERS:
        problem = resuming_problem(config.optimizers[player], config.template.get_submodule(player))
        if problem is not None:
            raise ConfigurationError(f"{config_key_for(cfg, 'optimizer', player)}: {problem}")
    state = TrainState(0, dict(config.template.state_dict()))
    problem = engine_problem(config, [state], Batch(*(part[None] for part in batch)))
    if problem is not None:
        raise ConfigurationError(f"model: {problem}")


def _check_memory(cfg: DictConfig, components: Components) -> tuple[DryRun, int, int]:
    """Refuse what cannot fit into memory; return a dry run, and how many seeds fit at once, also for a probe.

    Every seed holds its weights, their gradients and its last finite weights. What a forward pass keeps for
    the backward pass is counted on a few samples.
    """
    data, loss, device = components.data, components.loss, components.device
    if cfg.batch_size > max(len(data), SMALL_BATCH):
        raise ConfigurationError(
            f"batch_size must be at most {len(data)}, the number of training samples, got {cfg.batch_size}"
        )
    shape, latent_size = data.shape, int(cfg.model.latent_size)
    weights = bytes_of(components.gan)
    _refuse_float64(components.gan, device)
    require_memory(3 * weights * cfg.seeds, f"seeds={cfg.seeds} (networks of {weights:,} bytes)", device)
    dry = dry_run(cfg, components)
    per_sample = dry.bytes_per_sample
    require_memory(per_sample * cfg.batch_size, f"batch_size={cfg.batch_size}", device)
    size = cfg.generator_batch_size or cfg.batch_size
    require_memory(per_sample * size, f"generator_batch_size={size}", device)
    rows = 4 * (cfg.discriminator_steps * cfg.batch_size + size) * cfg.seeds
    batches = rows * (max(latent_size, loss.num_rand) + prod(shape))
    require_memory(
        batches, f"discriminator_steps={cfg.discriminator_steps} with batch_size and seeds", device
    )
    if cfg.diagnostics.every:
        probed = min(cfg.diagnostics.samples, len(data))
        require_memory(per_sample * probed, f"diagnostics.samples={cfg.diagnostics.samples}", device)
    if cfg.samples.every:
        grid = 8 * cfg.samples.number * (latent_size + prod(shape))
        require_memory(grid, f"samples.number={cfg.samples.number}", device)
    free = available(device)
    if free is None:
        return dry, int(cfg.seeds), int(cfg.seeds)
    # Beside what is counted above there are two optimizer states per weight.
    left = MEMORY_FRACTION * free - 8 * weights * cfg.seeds

    def at_once(samples: int, left: float) -> int:
        per_seed = ACTIVATION_COPIES * per_sample * samples
        return max(1, min(int(cfg.seeds), int(left / max(per_seed, 1))))

    # What a probe records is looked at on the CPU, too, in double precision.
    probed = at_once(
        cfg.diagnostics.samples, min(left, MEMORY_FRACTION * (available(torch.device("cpu")) or free))
    )
    return dry, at_once(max(cfg.batch_size, size), left), probed


def _refuse_float64(gan: nn.Module, device: torch.device) -> None:
    """Raise ConfigurationError where networks hold float64 and the device has none, as Apple's GPUs."""
    if device.type != "mps":
        return
    for name, tensor in (*gan.named_parameters(), *gan.named_buffers()):
        if tensor.dtype in (torch.float64, torch.complex128):
            raise ConfigurationError(
                f"model: {name} is {str(tensor.dtype).removeprefix('torch.')}, which device=mps does not "
                "have: make it float32, or take device=cpu"
            )


def dry_run(cfg: DictConfig, components: Components) -> DryRun:
    """Take one step of each network on a copy, with a few samples: what fails does so before a run."""
    gan, loss, data = deepcopy(components.gan), components.loss, components.data
    packing = int(getattr(gan.discriminator, "packing", 1))
    for key in ("batch_size", "generator_batch_size"):
        if cfg[key] is not None and cfg[key] % packing:
            raise ConfigurationError(
                f"{key} must be a multiple of model.discriminator.packing={packing}, got {cfg[key]}"
            )
    if loss.objective.relativistic and cfg.generator_batch_size not in (None, cfg.batch_size):
        raise ConfigurationError(
            "generator_batch_size must be null or batch_size with a relativistic objective, which pairs real "
            f"with generated samples, got {cfg.generator_batch_size}"
        )
    # Some networks compare samples in groups of four.
    groups = 4 if isinstance(gan.discriminator, OwnNetwork) else 2
    number = min(groups * packing, int(cfg.batch_size))
    parameter_names = {name for name, _ in gan.named_parameters()}
    output_bytes = 0

    def count(module: nn.Module, inputs: object, output: object) -> None:
        nonlocal output_bytes
        output_bytes += 4 * output.numel() if isinstance(output, Tensor) else 0

    for module in gan.modules():
        if not any(True for _ in module.children()):
            module.register_forward_hook(count)
    with seeded(0, "rehearsal"):
        batch = Batch(
            data.batch(torch.arange(number) % len(data)).cpu(),
            torch.randn(number, int(cfg.model.latent_size)),
            torch.rand(number, loss.num_rand),
        )
        before = random_state()
        for player, step in (("discriminator", discriminator_loss), ("generator", generator_loss)):
            parameters = list(gan.get_submodule(player).parameters())
            with _as_config_error(config_key_for(cfg, "optimizer", player)):
                optimizer = build(cfg, config_key_for(cfg, "optimizer", player))(parameters)
                _require_learning_rate(cfg, player, optimizer)
            with _as_config_error(f"the {player} cannot take a step with these choices"):
                optimizer.zero_grad()
                gan(step, loss, batch)[0].backward()
                if all(parameter.grad is None for parameter in parameters):
                    raise ConfigurationError(f"no gradient reaches the {player}: its loss depends on nothing")
            with _as_config_error(config_key_for(cfg, "optimizer", player)):
                optimizer.step()
        with _as_config_error("the generator cannot draw samples with these choices"), torch.no_grad():
            gan.generator.eval()(batch.latent)
        draws = random_state() != before
    late = sorted({name for name, _ in gan.named_parameters()} - parameter_names)
    if late:
        raise ConfigurationError(
            f"{late[0]} is made at the first forward pass, so it would never be trained: make it in __init__"
        )
    # At the least: generated three times, judged three times.
    return DryRun(output_bytes // (3 * number), draws, batch)


def _require_learning_rate(cfg: DictConfig, player: str, optimizer: Optimizer) -> None:
    """Raise ConfigurationError where there is a schedule, and no learning rate that it could change."""
    key = config_key_for(cfg, "schedule", player)
    if value_of(cfg, key) and any("lr" not in group for group in optimizer.param_groups):
        name = type(optimizer).__name__
        raise ConfigurationError(f"{key} changes the learning rate lr of an optimizer, and {name} has none")


@contextmanager
def _as_config_error(subject: str) -> Iterator[None]:
    """Raise `ConfigurationError` with one sentence for whatever a user's choice raises."""
    try:
        yield
    except GanLabError:
        raise
    except CheckpointError as error:
        # In the other player's step normalization leaves its statistics alone, but not in the backward pass.
        raise ConfigurationError(
            f"{subject}: a gradient checkpoint computes something else the second time, as it does around "
            "batch normalization: switch checkpoints off"
        ) from error
    except Exception as error:  # not SystemExit, by which a job leaves its node on Slurm
        raise ConfigurationError(f"{subject}: {summarize_exception(error, bare=True)}") from error
