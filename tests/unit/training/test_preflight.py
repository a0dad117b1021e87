"""How much fits into memory, as it is checked before a run."""

import pytest
import torch

from gan_lab.training import preflight
from gan_lab.training.build import build_components
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.experiments import TINY_POINTS, assembled, composed


def test_seeds_that_do_not_fit_are_split_into_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    words = (*TINY_POINTS, "model.generator.width=64", "batch_size=64", "seeds=6")
    cfg = composed(*words)
    components = build_components(cfg, torch.device("cpu"))
    per_sample = preflight.dry_run(cfg, components).bytes_per_sample
    weights = sum(t.numel() * t.element_size() for t in components.gan.state_dict().values())
    for fitting, expected in ((6, 6), (4.5, 4), (1.2, 1), (0.1, 1)):
        needed = 8 * weights * 6 + fitting * preflight.ACTIVATION_COPIES * per_sample * 64
        free = int(needed / preflight.MEMORY_FRACTION) + 1
        monkeypatch.setattr(preflight, "available", lambda device, free=free: free)
        engine = assembled(*words).engine
        assert engine is not None
        assert engine.config.engine == "vmap"
        assert max(len(group.seeds) for group in engine.groups) == expected


def test_float64_is_refused_where_the_device_has_none() -> None:
    cfg = composed(*TINY_POINTS)
    components = build_components(cfg, torch.device("cpu"))
    components.gan.generator.register_buffer("scale", torch.ones(2, dtype=torch.float64))
    preflight.preflight(cfg, components)
    components.device = torch.device("mps")
    with pytest.raises(
        ConfigurationError, match=r"^model: generator\.scale is float64, which device=mps does not have: "
    ):
        preflight.preflight(cfg, components)
