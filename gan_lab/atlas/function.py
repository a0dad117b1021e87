"""An activation as two functions of one number, f and f', in float64 on the CPU."""

from copy import deepcopy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Scalars = NDArray[np.float64]


class UndeterminedError(Exception):
    """Something about an activation cannot be told from its numbers; the message says why."""


class Curve(nn.Module):
    """A copy of an activation in evaluation mode, of which the atlas asks values and derivatives.

    Raises `UndeterminedError` for a module that does not keep shapes, or does not work element by element,
    or draws random numbers even in evaluation mode.
    """

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.activation = deepcopy(activation).to("cpu", torch.float64).eval().requires_grad_(False)
        x = np.linspace(-3, 3, 65)
        both = (self.value(x), self.value(x))
        if not np.allclose(*both, rtol=1e-9, atol=1e-12, equal_nan=True):
            raise UndeterminedError("it is random")
        order = np.random.default_rng(0).permutation(x.size)[:40]
        if not np.allclose(both[0][order], self.value(x[order]), rtol=1e-9, atol=1e-12, equal_nan=True):
            raise UndeterminedError("it does not work element by element")

    def value(self, x: Scalars) -> Scalars:
        """f(x), (N,)."""
        with torch.no_grad():
            return self._apply_to(torch.from_numpy(x).clone()).numpy()

    def slope(self, x: Scalars) -> Scalars:
        """f'(x) as autograd has it, (N,); raises `UndeterminedError` where it has none."""
        return self.forward(torch.from_numpy(x)).numpy()

    def forward(self, x: Tensor) -> Tensor:
        """f'(x), so that the derivative is a module too."""
        with torch.enable_grad():
            leaf = x.detach().clone().requires_grad_(True)
            y = self._apply_to(leaf.clone())  # A copy, because an activation may work in place.
            if not y.requires_grad:
                raise UndeterminedError("autograd has no derivative of it")
            try:
                (slope,) = torch.autograd.grad(y, leaf, torch.ones_like(y))
            except RuntimeError as error:
                raise UndeterminedError(
                    f"autograd has no derivative of it: {str(error).splitlines()[0]}"
                ) from error
        return slope.detach()

    def _apply_to(self, x: Tensor) -> Tensor:
        try:
            y = self.activation(x)
        except Exception as error:
            first = str(error).splitlines()[0] if str(error) else ""
            raise UndeterminedError(f"{type(error).__name__} in float64: {first}") from error
        if not isinstance(y, Tensor) or y.shape != x.shape:
            raise UndeterminedError("it does not keep the shape of its input")
        return y.to(torch.float64)
