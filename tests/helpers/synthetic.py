"""Studies that nobody trained: the files of a run, with scores, pictures and diagnostics that are known."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from PIL import Image

from gan_lab.datasets.base import Images
from gan_lab.runs.folder import seed_folder
from gan_lab.runs.results import RESULTS_FORMAT
from gan_lab.runs.status import Status

STEPS = (500, 1000, 1500, 2000)
SITES = ("hidden.0", "hidden.1")
TARGETS = {"elu": "torch.nn.ELU", "relu": "torch.nn.ReLU", "tanh": "torch.nn.Tanh"}
PICTURED = 6


def shade(seed: int, cell: int) -> int:
    """Return the gray level of a cell in every grid of a seed: what tells where a crop was taken."""
    return (37 * seed + 20 * cell) % 256


def make_run(
    study: Path,
    activation: str,
    scores: Sequence[float | None],
    *,
    name: str | None = None,
    discriminator: str | None = None,
    first: int = 0,
    state: str = "finished",
    step: int = STEPS[-1],
    steps: int | None = None,
    diverged: Mapping[int, int] | None = None,
    changes: Mapping[str, Any] | None = None,
    choices: Mapping[str, str] | None = None,
    own: Mapping[str, Any] | None = None,
    results: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Mapping[str, Any]] | None = None,
    primary: str = "fid",
    direction: str = "min",
    health: float = 0.0,
    points: bool = False,
    measured: bool = True,
    started: str = "2026-11-23T10:00:00+00:00",
    reason: str = "",
    recorded: bool = True,
    typed_too: Sequence[str] = (),
    untrained: float | None = None,
    real_data: float | Sequence[float] | None = 0.31,
    curves: Mapping[int, Sequence[float]] | None = None,
    facts: Mapping[str, Any] | None = None,
    spec: Mapping[str, Any] | None = None,
) -> Path:
    """Write a run's folder whose seed ``first + i`` ends with ``scores[i]``; return the folder.

    changes: dotted keys of config.yaml, typed unless ``choices`` bring them along; own: parameters of the
    activation; results: keys of results.json; metrics: further scores, each with all that a score has;
    health: share of dead units everywhere; untrained: what is logged at step 0, nothing if None; curves:
    step -> a score per seed, instead of a smooth decay to the last one; facts: further keys of status.json;
    spec: further keys of the deciding score in results.json; typed_too: further overrides.
    """
    diverged = dict(diverged or {})
    folder = study / (name or f"activation={activation}{f'-{discriminator}' if discriminator else ''}")
    seeds = [first + i for i in range(len(scores))]
    chosen = {"activation": activation, "dataset": "digits", "model": "dcgan", "optimizer": "adam"}
    chosen |= {"objective": "non_saturating", "initialization": "dcgan", **(choices or {})}
    typed = [f"activation={activation}", f"seeds={len(seeds)}", *([f"seed={first}"] if first else [])]
    if discriminator:
        chosen["activation@discriminator_activation"] = discriminator
        typed.append(f"activation@discriminator_activation={discriminator}")
    status = Status(
        identity=f"{abs(hash(folder.name)):064x}"[:64],
        state=state,
        step=step,
        steps=steps or max(step, STEPS[-1]),
        seeds=seeds,
        shape=[2] if points else [1, 16, 16],
        choices=chosen,
        device="cpu (2 threads)",
        engine="vmap",
        execution="eager",
        seconds=60.0 + 10 * len(activation),
        metric_seconds=3.0,
        diagnostic_seconds=1.0,
        started=started,
        ended=started,
        diverged=diverged,
        reason=reason,
        versions={"python": "3.11.7", "gan-lab": "0.1.0", "torch": "2.15.0"},
    )
    status = replace(status, **(facts or {}))
    folder.mkdir(parents=True)
    status.save(folder)
    config = _config(activation, discriminator, own or {}, seeds)
    config["steps"] = status.steps
    for key, value in (changes or {}).items():
        OmegaConf.update(config, key, value, force_add=True)
    OmegaConf.save(config, folder / "config.yaml")
    if recorded:
        (folder / ".hydra").mkdir()
        typed += [f"{group}={entry}" for group, entry in (choices or {}).items()]
        brought = ("samples.number", *(f"{group}." for group in choices or {}))
        typed += [f"{key}={value}" for key, value in (changes or {}).items() if not key.startswith(brought)]
        typed += typed_too
        OmegaConf.save(OmegaConf.create(typed), folder / ".hydra" / "overrides.yaml")
    for index, (seed, score) in enumerate(zip(seeds, scores, strict=True)):
        _seed(
            seed_folder(folder, seed),
            seed,
            score,
            diverged.get(seed),
            step,
            primary=primary,
            direction=direction,
            metrics=metrics or {},
            changes=results or {},
            health=health,
            points=points,
            measured=measured,
            untrained=untrained,
            real_data=real_data,
            spec=spec or {},
            curve=None if curves is None else {at: values[index] for at, values in curves.items()},
        )
    return folder


def metric(
    last: float | None, real_data: float | Sequence[float] | None = 0.0, direction: str = "min", **facts: Any
) -> dict[str, Any]:
    """Return all that results.json says of one score."""
    draws = [real_data] if isinstance(real_data, float) else list(real_data or [])
    mean = sum(draws) / len(draws) if draws else None
    start = {"last": last, "best": last, "best_step": STEPS[-1], "mean": last, "real_data": mean}
    start["real_data_draws"] = draws or None
    return start | {"direction": direction, "worst": None, **facts}


def draws(center: float, spread: float, seeds: int, stream: int) -> list[float]:
    """Draw scores of seeds around a center, the same at every call."""
    return [float(x) for x in np.random.default_rng(stream).normal(center, spread, seeds).clip(0.01)]


def _config(activation: str, discriminator: str | None, own: Mapping[str, Any], seeds: list[int]) -> Any:
    node = {"_target_": TARGETS.get(activation, f"mine.{activation}"), **own}
    other = {"_target_": TARGETS.get(discriminator, f"mine.{discriminator}")} if discriminator else node
    return OmegaConf.create(
        {
            "activation": node,
            **({"discriminator_activation": other} if discriminator else {}),
            "dataset": {"_target_": "gan_lab.datasets.load_digits", "name": "digits", "size": 16},
            "model": {
                "latent_size": 100,
                "generator": {"_target_": "G", "latent_size": 100, "activation": node, "width": 32},
                "discriminator": {"_target_": "D", "activation": other, "width": 32},
            },
            "optimizer": {"_target_": "torch.optim.Adam", "lr": 2e-4},
            "initialization": {"_target_": "gan_lab.gan.init_dcgan"},
            "features": {"_target_": "gan_lab.evaluation.auto_features"},
            "study": "synthetic",
            "steps": STEPS[-1],
            "batch_size": 64,
            "seed": seeds[0],
            "seeds": len(seeds),
            "discriminator_steps": 1,
            "ema": None,
            "precision": "fp32",
            "report": {"primary": None, "reference": "relu", "margin": None},
            "samples": {"every": 500, "number": PICTURED},
        }
    )


def _seed(
    folder: Path,
    seed: int,
    score: float | None,
    broke: int | None,
    step: int,
    *,
    primary: str,
    direction: str,
    metrics: Mapping[str, Mapping[str, Any]],
    changes: Mapping[str, Any],
    health: float,
    points: bool,
    measured: bool,
    untrained: float | None,
    real_data: float | Sequence[float] | None,
    spec: Mapping[str, Any],
    curve: Mapping[int, float] | None,
) -> None:
    (folder / "samples").mkdir(parents=True)
    lines: list[dict[str, Any]] = []
    if untrained is not None:
        lines.append({"step": 0, f"metrics/{primary}": untrained} | _diagnostics(0.0))
    end = score if score is not None else 5.0
    decay = {at: end if at == STEPS[-1] else end * (1 + 3 * math.exp(-at / 400)) for at in STEPS}
    for at, value in (decay if curve is None else {**curve, step: end}).items():
        if at <= step and (broke is None or at < broke):
            line = {"step": at, "loss/generator": 1.0, f"metrics/{primary}": value}
            lines.append(line | _diagnostics(health))
    (folder / "stats.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    last = lines[-1]["step"] if lines else 0
    _picture(folder / "samples" / f"step_{last:06d}.png", seed, points)
    if not measured:
        return
    seen = [line[f"metrics/{primary}"] for line in lines if line["step"]]
    best = (min if direction == "min" else max)(seen, default=None)
    told = metric(
        None if broke is not None else score,
        real_data,
        direction,
        best=best,
        best_step=last,
        mean=float(np.mean(seen)) if seen else None,
        **spec,
    )
    content = {
        "format": RESULTS_FORMAT,
        "seed": seed,
        "step": step if broke is None else broke,
        "primary": primary,
        "features": {"name": "classifier", "hash": "0f3c0f3c0f3c0f3c", "dimensions": 32},
        "samples": {"fake": 597, "real": 597, "reference": "held-out"},
        "metrics": {primary: told, **metrics},
    }
    (folder / "results.json").write_text(json.dumps(content | dict(changes)))


def _diagnostics(health: float) -> dict[str, float]:
    found = {}
    for player in ("generator", "discriminator"):
        for depth, site in enumerate(SITES):
            start = f"diagnostics/{player}/{site}"
            shares = {"dead": health, "dormant": health / 2, "saturated": min(1.0, health * (depth + 1))}
            found |= {f"{start}/{name}": value for name, value in shares.items()}
            found |= {f"{start}/spread": 10 ** (health * depth), f"{start}/gradient_relative": 10**-health}
        found |= {f"diagnostics/{player}/{name}": health for name in ("dead", "dormant", "saturated")}
        found[f"diagnostics/{player}/gradient_ratio"] = 10 ** (-5 * health)
        found[f"diagnostics/{player}/effective_rank"] = 12.0
        found[f"diagnostics/{player}/non_finite"] = 0.0
    return found


def _picture(path: Path, seed: int, points: bool) -> None:
    if points:
        rng = np.random.default_rng(seed)
        Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(path)
        return
    cells = torch.tensor([shade(seed, cell) for cell in range(PICTURED)]).float() / 127.5 - 1
    grid = Images.plot(cells.view(-1, 1, 1, 1).expand(-1, 1, 16, 16))
    Image.fromarray(grid.permute(1, 2, 0).contiguous().numpy()).save(path)
