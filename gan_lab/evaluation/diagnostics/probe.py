"""Probe a GAN: its activations, its gradients and those at D's inputs, on a fixed batch."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrize

from gan_lab.datasets.base import Dataset
from gan_lab.evaluation.diagnostics.records import ActivationRecord, ProbedNetwork, ProbeResult, WeightLayer
from gan_lab.gan.activations import activation_sites
from gan_lab.gan.regularizers import Regularizer
from gan_lab.gan.steps import GAN, LOSSES, PLAYERS, Batch, GANLoss
from gan_lab.utils.seeding import stream, torch_seeded


class Probe:
    """Computes both losses on a copy of a GAN, on the same batch for every seed and step."""

    def __init__(
        self,
        template: GAN,
        gan_loss: GANLoss,
        data: Dataset,
        *,
        samples: int,
        latent_size: int,
        device: torch.device,
    ) -> None:
        self.gan, self.gan_loss, self.device = deepcopy(template).to(device).train(), gan_loss, device
        rows = torch.randperm(len(data), generator=stream(0, "probe data"))[:samples]
        count = len(rows)
        latent = torch.randn(count, latent_size, generator=stream(0, "probe latent"))
        rand = torch.rand(count, gan_loss.num_rand, generator=stream(0, "probe uniforms"))
        self.batch = Batch(data.batch(rows), latent.to(device), rand.to(device))

    def run(self, state: Mapping[str, Tensor]) -> ProbeResult:
        """Probe a GAN's state in training mode and full precision; the global random state is kept."""
        self.gan.load_state_dict(state)
        networks: dict[str, ProbedNetwork] = {}
        with torch_seeded(0, self.device), torch.autocast(self.device.type, enabled=False):
            for player in PLAYERS:
                network: nn.Module = getattr(self.gan, player)
                with record_inputs(network) as inputs:
                    penalty = UnrecordedPenalty(self.gan_loss.regularizer, inputs)
                    gan_loss = replace(self.gan_loss, regularizer=penalty)
                    loss, _ = self.gan(LOSSES[player], gan_loss, self.batch)
                networks[player] = ProbedNetwork(_activations(network, inputs), _layers(network, loss))
            with torch.no_grad():
                fake = self.gan.generator(self.batch.latent)
            return ProbeResult(networks, self._input_gradients(self.batch.real), self._input_gradients(fake))

    def _input_gradients(self, samples: Tensor) -> Tensor:
        samples = samples.detach().requires_grad_(True)
        (gradients,) = torch.autograd.grad(self.gan.discriminator(samples).sum(), samples)
        return gradients


@contextmanager
def record_inputs(network: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """Collect what goes into each hidden activation while the network computes, one tensor per call."""
    inputs: dict[str, list[Tensor]] = {}
    handles = []
    for name, module in activation_sites(network):

        def keep(_: nn.Module, args: tuple[Any, ...], name: str = name) -> None:
            inputs.setdefault(name, []).append(args[0].detach())

        handles.append(module.register_forward_pre_hook(keep))
    try:
        yield inputs
    finally:
        for handle in handles:
            handle.remove()


class UnrecordedPenalty:
    """A regularizer whose passes through D are not recorded: units are counted on samples only."""

    def __init__(self, regularizer: Regularizer, inputs: Mapping[str, list[Tensor]]) -> None:
        self.regularizer, self.inputs = regularizer, inputs

    @property
    def num_rand(self) -> int:
        return self.regularizer.num_rand

    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor, rand: Tensor) -> Tensor:
        recorded = {name: len(parts) for name, parts in self.inputs.items()}
        penalty = self.regularizer(discriminator, real, fake, rand)
        for name, parts in self.inputs.items():
            del parts[recorded.get(name, 0) :]
        return penalty


def _activations(network: nn.Module, inputs: Mapping[str, list[Tensor]]) -> list[ActivationRecord]:
    modules = dict(activation_sites(network))
    # In the order of use. D is called on real and on generated samples: both belong to the probe.
    return [
        ActivationRecord(short_name(name), modules[name], torch.cat(parts)) for name, parts in inputs.items()
    ]


def short_name(name: str) -> str:
    """Return what an activation is called: a module by its own name, not by its attribute's."""
    return name.removesuffix(".activation") or name


def weight_tensors(network: nn.Module) -> list[tuple[str, Tensor]]:
    """List a network's weight layers: (name, the tensor that is learned)."""
    layers = [(n, _weight(m)) for n, m in network.named_modules() if isinstance(m, (nn.Linear, _ConvNd))]
    return [(name, weight) for name, weight in layers if weight is not None]


def _layers(network: nn.Module, loss: Tensor) -> list[WeightLayer]:
    weights = weight_tensors(network)
    gradients = torch.autograd.grad(loss, [w for _, w in weights], allow_unused=True)
    return [
        WeightLayer(name, weight.detach(), torch.zeros_like(weight) if g is None else g)
        for (name, weight), g in zip(weights, gradients, strict=True)
    ]


def _weight(layer: Any) -> Tensor | None:
    """Return the tensor that is learned: the original under a parametrization such as spectral normalization.

    Older code computes a layer's weight in a hook, or from outside, out of ``weight_orig`` or the like: the
    largest such parameter is what is learned. Return None if there is none.
    """
    if parametrize.is_parametrized(layer, "weight"):
        parametrization = layer.parametrizations.weight
        has_one = hasattr(parametrization, "original")
        original: Tensor = parametrization.original if has_one else parametrization.original1
        return original
    weights = [p for name, p in layer.named_parameters(recurse=False) if name.startswith("weight")]
    return max(weights, key=torch.numel, default=None)
