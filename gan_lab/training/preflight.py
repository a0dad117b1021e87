"""Checks before a run writes anything: does it fit into memory, and does one step of each network work?"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from math import prod

import torch
from omegaconf import DictConfig
from torch import Tensor, nn

from gan_lab.config.build import build, bytes_of
from gan_lab.gan.steps import Batch, discriminator_loss, generator_loss
from gan_lab.training.build import Components, config_key_for
from gan_lab.utils.errors import ConfigurationError, GanLabError, summarize_exception
from gan_lab.utils.memory import available, require_memory
from gan_lab.utils.seeding import seeded

MEMORY_FRACTION = 0.8  # of the free memory; the rest is for what cannot be foreseen
SMALL_BATCH = 1024  # a batch of up to so many samples may hold a sample twice
ACTIVATION_COPIES = 4  # outputs of both networks in one step, twice, and gradients of the same size


def preflight(cfg: DictConfig, components: Components) -> int:
    """Refuse a run that cannot fit into memory or cannot take a step; return how many seeds fit at once.

    Every seed holds its weights, their gradients and its last finite weights. What a forward pass keeps for
    the backward pass is counted on a few samples, on which one step of each network is rehearsed.
    """
    data, loss, device = components.data, components.loss, components.device
    if cfg.batch_size > max(len(data), SMALL_BATCH):
        raise ConfigurationError(
            f"batch_size must be at most {len(data)}, the number of training samples, got {cfg.batch_size}"
        )
    shape, latent_size = data.shape, int(cfg.model.latent_size)
    weights = bytes_of(components.gan)
    require_memory(3 * weights * cfg.seeds, f"seeds={cfg.seeds} (networks of {weights:,} bytes)", device)
    per_sample = dry_run(cfg, components)
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
        return int(cfg.seeds)
    # Beside what is counted above there are two optimizer states per weight.
    left = MEMORY_FRACTION * free - 8 * weights * cfg.seeds
    per_seed = ACTIVATION_COPIES * per_sample * max(cfg.batch_size, size)
    return max(1, min(int(cfg.seeds), int(left / max(per_seed, 1))))


def dry_run(cfg: DictConfig, components: Components) -> int:
    """Take one step of each network on a copy, with a few samples, so that what fails does so before a run.

    Returns the bytes that the layers of both networks hand on to each other, for one sample.
    """
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
    number = min(2 * packing, int(cfg.batch_size))
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
        for player, step in (("discriminator", discriminator_loss), ("generator", generator_loss)):
            parameters = list(gan.get_submodule(player).parameters())
            with _as_config_error(config_key_for(cfg, "optimizer", player)):
                optimizer = build(cfg, config_key_for(cfg, "optimizer", player))(parameters)
            with _as_config_error(f"the {player} cannot take a step with these choices"):
                optimizer.zero_grad()
                gan(step, loss, batch)[0].backward()
                if all(parameter.grad is None for parameter in parameters):
                    raise ConfigurationError(f"no gradient reaches the {player}: its loss depends on nothing")
            with _as_config_error(config_key_for(cfg, "optimizer", player)):
                optimizer.step()
    late = sorted({name for name, _ in gan.named_parameters()} - parameter_names)
    if late:
        raise ConfigurationError(
            f"{late[0]} is made at the first forward pass, so it would never be trained: make it in __init__"
        )
    return output_bytes // (3 * number)  # at the least: generated twice, judged three times


@contextmanager
def _as_config_error(subject: str) -> Iterator[None]:
    """Raise `ConfigurationError` with one sentence for whatever a user's choice raises."""
    try:
        yield
    except GanLabError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigurationError(f"{subject}: {summarize_exception(error, bare=True)}") from error
