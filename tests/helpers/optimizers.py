"""Optimizers as people write them: each remembers, or mixes, something that torch.optim's own do not."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import LinearLR, MultiStepLR, SequentialLR


class DecayingAdam(Adam):
    """Adam with a schedule inside."""

    def __init__(self, params: Iterable[Tensor], lr: float = 1e-2) -> None:
        super().__init__(params, lr=lr)
        parts = [LinearLR(self, 1.0, 0.01, 4), MultiStepLR(self, [1, 2], 0.5)]
        self.schedule = SequentialLR(self, parts, [3])

    def step(self, closure: Any = None) -> Any:
        super().step(closure)
        self.schedule.step()


class AdaBelief(Optimizer):
    """Adam of the gradient's distance from its mean; counts are int, rectification is in the group."""

    def __init__(self, params: Iterable[Tensor], lr: float = 1e-2) -> None:
        super().__init__(params, {"lr": lr, "buffer": [[None, None] for _ in range(10)]})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state.update(step=0, moments={"mean": torch.zeros_like(p), "spread": torch.zeros_like(p)})
                state["step"] += 1
                slot = group["buffer"][state["step"] % 10]
                if slot[0] is None:
                    slot[:] = [state["step"], 1 - 0.9 ** state["step"]]
                mean, spread = state["moments"].values()
                mean.lerp_(p.grad, 0.1)
                spread.mul_(0.999).addcmul_(p.grad - mean, p.grad - mean, value=0.001).add_(1e-8)
                p.sub_(group["lr"] * mean / slot[1] / spread.sqrt())


class ADOPT(Optimizer):
    """Its first step only takes the second moment, and an attribute says that it has; the clip grows."""

    def __init__(self, params: Iterable[Tensor], lr: float = 1e-2) -> None:
        super().__init__(params, {"lr": lr})
        self.begun = False
        self.clip: Tensor | None = None

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not self.begun:
                    state.update(mean=torch.zeros_like(p), square=p.grad.square())
                    continue
                update = (p.grad / state["square"].sqrt().clamp_min(1e-6)).clamp(-self.clip, self.clip)
                state["mean"].lerp_(update, 0.1)
                p.sub_(group["lr"] * state["mean"])
                state["square"].lerp_(p.grad.square(), 0.01)
        self.clip = torch.ones(()) if self.clip is None else self.clip * 2**0.25
        self.begun = True


class ClippedSGD(SGD):
    """Clips the norm of all gradients together, which mixes seeds that are stacked."""

    def step(self, closure: Any = None) -> Any:
        nn.utils.clip_grad_norm_([p for group in self.param_groups for p in group["params"]], 0.1)
        return super().step(closure)


class LARS(SGD):
    """Scales the gradient of each tensor to the norm of its weights."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.grad.mul_(p.norm() / p.grad.norm().clamp_min(1e-12))
        return super().step(closure)


class NoisySGD(SGD):
    """Langevin dynamics: adds noise from the global generator to every gradient."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.grad.add_(torch.randn_like(p))
        return super().step(closure)


class Forgetful(SGD):
    """Hides how many steps it has taken where no state dict sees it."""

    def __init__(self, params: Iterable[Tensor], lr: float = 1e-2) -> None:
        super().__init__(params, lr=lr)
        self.next_scale = _halving()

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            group["lr"] = 1e-2 * self.next_scale()
        return super().step(closure)


def _halving() -> Callable[[], float]:
    scale = 1.0

    def halved() -> float:
        nonlocal scale
        scale /= 2
        return scale

    return halved
