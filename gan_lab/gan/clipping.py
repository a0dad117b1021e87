"""Clipping: what becomes of the gradients of one network before its optimizer sees them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from gan_lab.utils.checks import check_number

EPS = 1e-6  # as in torch.nn.utils.clip_grad_norm_


class ClipNorm:
    """Scales all gradients by the same factor where their joint L2 norm is above ``max_norm``."""

    def __init__(self, max_norm: float) -> None:
        self.max_norm = check_number("max_norm", max_norm, above=0)

    def __call__(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        norms = torch.stack([torch.linalg.vector_norm(gradient) for gradient in gradients])
        factor = (self.max_norm / (torch.linalg.vector_norm(norms) + EPS)).clamp(max=1.0)
        return [gradient * factor for gradient in gradients]


class ClipValue:
    """Limits every number of a gradient to [-clip_value, clip_value]."""

    def __init__(self, clip_value: float) -> None:
        self.clip_value = check_number("clip_value", clip_value, above=0)

    def __call__(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        return [gradient.clamp(-self.clip_value, self.clip_value) for gradient in gradients]
