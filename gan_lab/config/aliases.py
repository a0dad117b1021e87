"""Other common names: of the entries of a group (swish is silu) and of keys (lr is optimizer.lr).

Entries are renamed before anything is composed, so that a run has the same identity under either name. Keys
are not: the sentence that refuses one says what it is called here. Imports no torch.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from gan_lab.utils.paths import config_dir

LISTS = ("metric", "diagnostic", "logger")  # groups of which several entries may be taken

# group -> another name, in small letters and without - and _ -> the entry. Spellings need no line of their
# own: LeakyReLU, leaky-relu and leakyrelu are all leaky_relu.
ENTRIES: dict[str, dict[str, str]] = {
    "activation": {
        "swish": "silu",
        "swish1": "silu",
        "lrelu": "leaky_relu",
        "leaky": "leaky_relu",
        "linear": "identity",
        "hswish": "hardswish",
        "logistic": "sigmoid",
        "ssp": "shifted_softplus",
    },
    "augmentation": {"hflip": "flip", "horizontalflip": "flip", "diffaug": "diffaugment"},
    "dataset": {
        "fashion": "fashion_mnist",
        "fmnist": "fashion_mnist",
        "folder": "image_folder",
        "8gaussians": "ring",
        "25gaussians": "grid",
    },
    "features": {"pixels": "raw", "inceptionv3": "inception"},
    "initialization": {"xavier": "glorot", "he": "kaiming"},
    "metric": {"swd": "sliced_wasserstein", "precisionrecall": "prdc"},
    "schedule": {"cosineannealing": "cosine", "lineardecay": "linear", "warmup": "warm_up"},
    "objective": {
        "ls": "least_squares",
        "lsgan": "least_squares",
        "nsgan": "non_saturating",
        "rpgan": "relativistic",
        "saturating": "minimax",
        "wgan": "wasserstein",
    },
    "regularizer": {"gp": "gradient_penalty", "wgangp": "gradient_penalty"},
}

# a key under another name -> how it is typed here; what is no key=value of the same value is in `NO_KEYS`.
KEYS = {
    **dict.fromkeys(("lr", "learning_rate", "adam.lr", "optim.lr", "opt.lr"), "optimizer.lr"),
    "lr_g": "generator_optimizer.lr",
    "g_lr": "generator_optimizer.lr",
    "lr_d": "discriminator_optimizer.lr",
    "d_lr": "discriminator_optimizer.lr",
    **dict.fromkeys(("betas", "adam.betas"), "optimizer.betas"),
    "weight_decay": "optimizer.weight_decay",
    "momentum": "optimizer.momentum",
    **dict.fromkeys(("iterations", "iters", "niter", "num_steps", "n_steps", "max_steps"), "steps"),
    **dict.fromkeys(("generator_steps", "num_iterations", "step"), "steps"),
    **dict.fromkeys(("batch", "bs", "batchsize"), "batch_size"),
    **dict.fromkeys(("n_critic", "critic_steps", "d_steps", "n_dis"), "discriminator_steps"),
    **dict.fromkeys(("random_seed", "manual_seed"), "seed"),
    **dict.fromkeys(("num_seeds", "n_seeds", "nseeds", "repeats"), "seeds"),
    **dict.fromkeys(("act", "activations", "activation_function", "nonlinearity"), "activation"),
    **dict.fromkeys(("data", "data_set", "datasets"), "dataset"),
    **dict.fromkeys(("arch", "architecture", "network", "net", "models"), "model"),
    **dict.fromkeys(("opt", "optim"), "optimizer"),
    **dict.fromkeys(("scheduler", "lr_scheduler", "lr_schedule", "lr_policy", "lr_decay"), "schedule"),
    **dict.fromkeys(("clip", "grad_clip", "clip_grad", "gradient_clipping"), "clipping"),
    **dict.fromkeys(("clip_norm", "max_norm", "max_grad_norm", "clip_grad_norm"), "clipping.max_norm"),
    **dict.fromkeys(("clip_value", "clip_grad_value"), "clipping.clip_value"),
    **dict.fromkeys(("loss", "criterion", "gan_loss"), "objective"),
    **dict.fromkeys(("reg", "penalty", "regularization"), "regularizer"),
    **dict.fromkeys(("init", "initialisation", "initializer", "weight_init"), "initialization"),
    **dict.fromkeys(("pretrained", "init_weights", "weights", "load_from", "finetune", "netG"), "init_from"),
    **dict.fromkeys(("aug", "augment", "augmentations"), "augmentation"),
    **dict.fromkeys(("name", "study_name", "experiment_name", "project"), "study"),
    **dict.fromkeys(("z_dim", "latent_dim", "latent_size", "nz", "noise_dim"), "model.latent_size"),
    "ngf": "model.generator.width",
    "ndf": "model.discriminator.width",
    "normalization": "model.discriminator.normalization",
    "alpha": "activation.alpha",
    **dict.fromkeys(
        ("slope", "activation.slope", "negative_slope", "activation.leak"), "activation.negative_slope"
    ),
    **dict.fromkeys(("image_size", "img_size", "imsize", "resolution"), "dataset.size"),
    **dict.fromkeys(("path", "dataroot", "data_path", "data_dir"), "dataset.path"),
    **dict.fromkeys(("ema_decay", "ema_beta"), "ema"),
    **dict.fromkeys(("log_every", "log_interval", "print_freq"), "log.every"),
    **dict.fromkeys(("sample_every", "sample_interval", "samples_every"), "samples.every"),
    **dict.fromkeys(("save_every", "checkpoint_every", "save_interval"), "checkpoint.every"),
    **dict.fromkeys(("eval_every", "metrics_every"), "metrics.every"),
    "primary": "report.primary",
    "reference": "report.reference",
    "margin": "report.margin",
    **dict.fromkeys(("overwrite", "force", "restart"), "rerun"),
    **dict.fromkeys(("launcher", "hydra.launcher"), "hydra/launcher"),
    **dict.fromkeys(("sweeper", "hydra.sweeper"), "hydra/sweeper"),
    **dict.fromkeys(("n_jobs", "jobs", "num_workers", "workers", "hydra.n_jobs"), "hydra.launcher.n_jobs"),
    **dict.fromkeys(
        ("activation@generator", "generator.activation", "activation.generator"),
        "activation@generator_activation",
    ),
    **dict.fromkeys(
        ("activation@discriminator", "discriminator.activation", "activation.discriminator"),
        "activation@discriminator_activation",
    ),
}

# a key that has no counterpart -> what to do
NO_KEYS = {
    **dict.fromkeys(
        ("epochs", "epoch", "num_epochs", "n_epochs", "max_epochs"),
        "a run is counted in generator steps: type steps=3000, which is the default",
    ),
    **dict.fromkeys(
        ("gpu", "gpus", "gpu_id", "cuda", "use_cuda", "no_cuda", "cpu"),
        "type device=cuda:0 for the first GPU, device=cpu for none",
    ),
    **dict.fromkeys(("amp", "fp16", "bf16", "mixed_precision"), "type precision=bf16"),
    **dict.fromkeys(
        ("resume", "continue", "checkpoint_path", "resume_from"),
        "an interrupted run resumes when the same command is typed again, and rerun=true starts it over",
    ),
    **dict.fromkeys(
        ("output", "out", "outdir", "output_dir", "save_dir", "log_dir", "logdir"),
        "runs are written to outputs/ in the current folder: type study=NAME for outputs/NAME",
    ),
    **dict.fromkeys(("beta1", "beta2"), "type 'optimizer.betas=[0.5,0.999]', the default"),
    **dict.fromkeys(("tensorboard", "tb"), "every run writes TensorBoard's event files by itself"),
    "wandb": "type logger=wandb",
    **dict.fromkeys(("verbose", "debug", "v"), "type --debug to see the traceback of an error"),
}


def entries(group: str, folders: Iterable[Path] = ()) -> set[str]:
    """Return the names of a group's entries: gan-lab's, and those in the user's ``folders``."""
    return {path.stem for root in (config_dir(), *folders) for path in (root / group).glob("*.yaml")}


def entry_called(group: str, name: str, folders: Iterable[Path] = ()) -> str | None:
    """Return the entry that ``name`` means, None if there is none; one of that very name always wins."""
    known = entries(group, folders)
    if name in known:
        return name
    plain = _plain(name)
    spelled = {_plain(entry): entry for entry in sorted(known, reverse=True)}
    return spelled.get(plain) or ENTRIES.get(group, {}).get(plain)


def resolve_aliases(overrides: Sequence[str], folders: Iterable[Path] = ()) -> list[str]:
    """Return overrides in which groups are given the names of their entries: activation=swish becomes silu.

    ``folders`` are the user's own, of ``--config-dir``: an entry that stands there is never renamed. In
    sweeps and lists every name is looked up; quotation marks do not matter, and patterns stay as they are.
    """
    folders = [*folders, *search_folders(overrides)]
    return [_resolved(override, folders) for override in overrides]


def search_folders(overrides: Iterable[str]) -> list[Path]:
    """Return the folders that ``hydra.searchpath=[file://...]`` names."""
    paths = [text for text in overrides if text.lstrip("+").startswith("hydra.searchpath=")]
    return [Path(folder) for text in paths for folder in re.findall(r"file://([^,'\"\]]+)", text)]


def _resolved(override: str, folders: Sequence[Path]) -> str:
    match = re.fullmatch(r"(?P<key>[+]{0,2}(?P<group>[a-z]+)(@[\w.]+)?=)(?P<value>.*)", override, re.DOTALL)
    if match is None or not (config_dir() / match["group"]).is_dir() or re.search(r"[$*{]", match["value"]):
        return override
    group = match["group"]
    if match["value"] == "null" and group in LISTS:
        return f"{match['key']}[]"
    has_none = "@" not in match["key"] and "none" in entries(group, folders)

    def called(word: re.Match[str]) -> str:
        if word[0] == "null" and has_none:  # as its default is shown
            return "none"
        return entry_called(group, word[0], folders) or word[0]

    value = re.sub(r"(?<![\w.-])[A-Za-z0-9][\w-]*(?![\w.(-])", called, match["value"])
    return match["key"] + value


def _plain(name: str) -> str:
    return re.sub(r"[-_]", "", name).lower()
