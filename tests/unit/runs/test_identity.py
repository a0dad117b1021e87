"""A run's identity covers what is computed, and nothing else: the digits of a configuration are a promise."""

import sys
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from gan_lab.runs.naming import UNHASHED_KEYS, distinct_sources, folder_name, identity, shorter_name, to_plain
from gan_lab.utils.paths import config_dir
from tests.helpers.experiments import composed

# Configuration -> the first eight digits of its identity, which end its folder's name. A change here renames
# the runs of everybody who has them: add new keys as null, and leave the defaults of old ones alone.
GOLDEN: dict[tuple[str, ...], str] = {
    (): "81a04a2c",
    ("activation=elu",): "9836a2f7",
    ("activation=elu", "activation.alpha=0.5"): "99219b0e",
    ("activation=prelu",): "df283676",
    ("activation=snake",): "aed2b652",
    ("activation=shifted_softplus",): "e9940700",
    ("activation@generator_activation=relu",): "30aff84f",
    ("activation@discriminator_activation=relu",): "23055307",
    ("activation@generator_activation=elu", "activation@discriminator_activation=tanh"): "792a0d4b",
    ("dataset=ring", "model=mlp"): "3a2d2639",
    ("dataset=grid", "model=pacgan", "activation=relu"): "7aa36a8d",
    ("dataset=mnist",): "5d5d45ef",
    ("dataset=cifar10", "model=resnet"): "34374f84",
    ("dataset=stacked_mnist",): "d7e246ef",
    ("dataset=celeba",): "62c56437",
    ("dataset=image_folder", "dataset.path=pictures"): "e4fd9726",
    ("model=mlp",): "07f0f0f3",
    (
        "model=resnet",
        "model.generator.normalization=none",
        "model.discriminator.normalization=none",
    ): "4050b346",
    ("optimizer=sgd",): "05bc8cb1",
    ("optimizer=adamw", "optimizer.lr=1e-3"): "acba704c",
    ("optimizer@discriminator_optimizer=rmsprop",): "fcdb95fc",
    ("objective=wasserstein", "regularizer=gradient_penalty"): "94eac223",
    ("objective=relativistic", "regularizer=r1_r2", "augmentation=flip"): "7237282b",
    ("objective=hinge", "augmentation=diffaugment"): "c6fbf1f2",
    ("regularizer=r1", "regularizer.gamma=0.1"): "3110f84c",
    ("initialization=matched",): "1a49c72c",
    ("initialization=kaiming",): "ff5f4322",
    ("seed=3", "seeds=8"): "8f0acb0f",
    ("batch_size=128", "discriminator_steps=2"): "6dffb3c2",
    ("precision=bf16", "ema=0.999"): "1fb644b5",
    ("experiment=activations_on_digits", "activation=elu"): "c68048be",
    ("experiment=activations_on_ring", "activation=relu"): "3fdf3f3c",
    ("experiment=generator_vs_discriminator", "activation@generator_activation=elu"): "a8bf1760",
    ("experiment=pacgan_ring",): "425f7309",
}


def digits(*overrides: str) -> str:
    return identity(composed(*overrides))[:8]


@pytest.mark.parametrize(("overrides", "expected"), GOLDEN.items(), ids=[" ".join(o) for o in GOLDEN])
def test_golden_identities(overrides: tuple[str, ...], expected: str) -> None:
    assert digits(*overrides) == expected


def test_configurations_that_compute_something_else_have_other_identities() -> None:
    assert len(GOLDEN) >= 20
    assert len(set(GOLDEN.values())) == len(GOLDEN)


WATCHED = (
    *("log.every=7", "log.histograms=true", "samples.every=0", "samples.number=9", "checkpoint.every=3"),
    *(
        "checkpoint.minutes=null",
        "metrics.every=0",
        "metrics.samples=17",
        "metrics.workers=2",
        "metric=[fid]",
        "metric=[]",
    ),
    *("metric.kid.subsets=3", "features=raw", "+features.anything=1", "diagnostics.every=0"),
    *("diagnostics.samples=4", "diagnostic=[rank]", "diagnostic.units.tau=0.5", "report.primary=kid"),
    *(
        "report.reference=elu",
        "steps=5",
        "study=other",
        "rerun=true",
        "keep_best=true",
        "deterministic=true",
        "device=cpu",
    ),
    *("engine=sequential", "engine=vmap", "execution=eager", "+log.new_key=1", "+report.margin=0.1"),
    *("race.seeds=8", "race.hours=2"),
    *("logger=wandb", "logger=[wandb]", "+logger.mine._target_=mine.Logger"),
)


@pytest.mark.parametrize("override", WATCHED)
def test_what_is_watched_and_where_it_runs_is_no_other_run(override: str) -> None:
    assert digits(override) == digits()


def test_every_unhashed_key_is_tried() -> None:
    tried = {override.lstrip("+").partition("=")[0].partition(".")[0] for override in WATCHED}
    assert set(UNHASHED_KEYS) == tried


@pytest.mark.parametrize(
    "override",
    ["regularizer=none", "augmentation=none", "ema=null", "~regularizer", "schedule=none", "clipping=none"],
)
def test_no_choice_is_the_default(override: str) -> None:
    assert digits(override) == digits()


@pytest.mark.parametrize("override", ["+new_key=null", "+model.new_key=null", "+new={}", "+a={b:{c:[]}}"])
def test_a_new_key_that_is_null_or_empty_renames_nothing(override: str) -> None:
    assert digits(override) == digits()


def test_a_network_without_normalization_is_another_one() -> None:
    assert digits("model.generator.normalization=none") != digits()


def test_a_whole_number_is_the_same_as_a_float_and_as_no_flag() -> None:
    assert digits("activation=elu", "activation.alpha=1") == digits("activation=elu")
    assert digits("ema=null", "+new_key=true") != digits("+new_key=1")


def leaves(node: object, key: str = "") -> list[str]:
    if isinstance(node, dict):
        return [leaf for name, inside in node.items() for leaf in leaves(inside, f"{key}.{name}".lstrip("."))]
    return [] if node is None else [key]


def test_every_other_key_makes_another_run() -> None:
    cfg = composed("activation@generator_activation=elu", "regularizer=r1", "augmentation=flip", "ema=0.9")
    plain = to_plain(cfg)
    before = identity(OmegaConf.create(plain))
    keys = leaves({key: value for key, value in plain.items() if key not in UNHASHED_KEYS})
    assert {"seed", "seeds", "batch_size", "precision", "optimizer.lr", "dataset.size"} <= set(keys)
    for key in keys:
        changed = OmegaConf.create(plain)
        OmegaConf.update(changed, key, "changed", merge=False)
        assert isinstance(changed, DictConfig)
        assert identity(changed) != before, key


def test_the_length_of_a_schedule_is_part_of_a_run_and_steps_are_not() -> None:
    whole = digits("schedule=linear", "steps=1000")
    assert digits("schedule=linear", "steps=2000") != whole  # which falls over all of them
    assert digits("schedule=linear", "schedule.length=1000", "steps=2000") == whole
    assert digits("schedule=none") == digits()
    assert len({whole, digits("schedule@generator_schedule=linear", "steps=1000"), digits()}) == 3


def test_an_experiment_is_what_it_sets() -> None:
    words = ("dataset=ring", "model=mlp", "regularizer=r1", "regularizer.gamma=0.1", "initialization=matched")
    words += ("seeds=16", "ema=0.999", "optimizer.lr=1e-3", "activation=elu")
    assert digits("experiment=activations_on_ring", "activation=elu") == digits(*words)


def test_where_downloads_are_is_no_other_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = digits("dataset=mnist")
    monkeypatch.setenv("GAN_LAB_DATA", str(tmp_path))
    assert digits("dataset=mnist") == before


def targets() -> set[str]:
    """Every ``_target_`` of gan-lab that a shipped YAML file names."""

    def walk(node: object) -> set[str]:
        if isinstance(node, dict):
            own = {node["_target_"]} if isinstance(node.get("_target_"), str) else set()
            return own.union(*map(walk, node.values()))
        return set()

    files = config_dir().glob("*/*.yaml")
    return {t for path in files for t in walk(yaml.safe_load(path.read_text())) if t.startswith("gan_lab.")}


def test_shipped_files_name_public_targets_only() -> None:
    """Modules behind a package's public names are free to move without renaming a run."""
    packages = {"gan_lab.gan", "gan_lab.datasets", "gan_lab.evaluation", "gan_lab.training"}
    assert len(targets()) > 30
    for target in targets():
        package, _, name = target.rpartition(".")
        assert package in packages, target
        assert name in sys.modules[package].__all__, target
        assert get_object(target).__module__.startswith(f"{package}."), target


def test_moving_a_module_behind_a_public_name_renames_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "moving"
    package.mkdir()
    (package / "old.py").write_text("from torch import nn\nclass Mine(nn.ReLU): pass\n")
    (package / "__init__.py").write_text("from moving.old import Mine\n")
    words = ("activation._target_=moving.Mine", "~activation.negative_slope")
    before = digits(*words)
    assert get_object("moving.Mine").__module__ == "moving.old"
    for name in [name for name in sys.modules if name.partition(".")[0] == "moving"]:
        del sys.modules[name]
    (package / "old.py").rename(package / "new.py")
    (package / "__init__.py").write_text("from moving.new import Mine\n")
    assert get_object("moving.Mine").__module__ == "moving.new"
    assert digits(*words) == before


def test_a_folder_has_the_words_that_make_another_run_and_the_digits(tmp_path: Path) -> None:
    words = [
        "activation=elu",
        "metrics.every=5",
        "+log.x=1",
        "experiment=activations_on_ring",
        "steps=9",
        "seeds=2",
    ]
    cfg = composed("activation=elu", "seeds=2")
    name = folder_name(cfg, tmp_path, words)
    assert name == f"activation=elu,seeds=2-{identity(cfg)[:8]}"
    (tmp_path / f"other-words-{identity(cfg)[:8]}").mkdir()
    assert folder_name(cfg, tmp_path, words) == f"other-words-{identity(cfg)[:8]}"
    assert folder_name(composed(), tmp_path, ["device=cpu"]) == f"defaults-{digits()}"


def test_a_name_has_whole_overrides_only(tmp_path: Path) -> None:
    words = ["activation=elu", "model.generator.width=32", "model.discriminator.width=32", "seeds=4"]
    words += ["optimizer.betas=[0.0,0.9]", "model.latent_size=7"]
    name, _, _ = folder_name(composed(*words), tmp_path, words).rpartition("-")
    assert name == "activation=elu,model.discriminator.width=32,model.generator.width=32,seeds=4"
    long = f"+note={'x' * 200}"
    name, _, _ = folder_name(composed(), tmp_path, [long, "seeds=4"]).rpartition("-")
    assert name == long[:80]


def test_in_a_sweep_a_new_folder_is_named_by_what_varies_in_it(tmp_path: Path) -> None:
    common = {"dataset=ring", "model=mlp", "seeds=6"}
    words = [*common, "activation=elu", "steps=9"]
    long = "activation=elu,dataset=ring,model=mlp,seeds=6-0123abcd"
    assert shorter_name(long, tmp_path, words, common) == "activation=elu-0123abcd"
    # In the study there may be the folder already, or another run that would have the same words.
    (tmp_path / "activation=elu-0123abcd").mkdir()
    assert shorter_name(long, tmp_path, words, common) == "activation=elu-0123abcd"
    (tmp_path / "activation=elu-99999999").mkdir()
    assert shorter_name(long, tmp_path, words, common) == long
    (tmp_path / long).mkdir()
    (tmp_path / "activation=elu-99999999").rmdir()
    assert shorter_name(long, tmp_path, words, common) == long
    # A name that somebody chose, and a sweep in which nothing varies that makes another run.
    assert shorter_name("mine", tmp_path, words, common) == "mine"
    only = "dataset=ring-0123abcd"
    assert shorter_name(only, tmp_path, ["dataset=ring", "steps=9"], {"dataset=ring"}) == only


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["outputs/d/activation=elu-0123abcd", "outputs/d/activation=relu-89abcdef"], ["elu", "relu"]),
        (
            ["outputs/d/activation=elu,seeds=2-0123abcd", "outputs/d/activation=relu-89abcdef"],
            ["elu_seeds=2", "relu"],
        ),
        (["outputs/a/activation=elu-0123abcd", "outputs/b/activation=elu-0123abcd"], ["a", "b"]),
        (["outputs/a/seeds=2-0123abcd", "outputs/a/seeds=2-89abcdef"], ["2-0123abcd", "2-89abcdef"]),
        (["x.safetensors", "y.safetensors"], ["x.safetensors", "y.safetensors"]),
    ],
)
def test_runs_from_several_sources_are_named_by_what_differs(
    tmp_path: Path, paths: list[str], names: list[str]
) -> None:
    typed = [f"init_from='{path}'" for path in paths]
    sources = distinct_sources([[override, "seeds=2"] for override in [*typed, "init_from=null"]])
    assert sources == {override: f"init_from={name}" for override, name in zip(typed, names, strict=True)}
    short = shorter_name("init_from,seeds=2-0123abcd", tmp_path, [typed[0], "seeds=2"], {"seeds=2"}, sources)
    assert short == f"init_from={names[0]}-0123abcd"


def test_one_source_has_no_words() -> None:
    assert distinct_sources([["init_from=a"], ["init_from=a", "seed=1"], ["init_from=null"]]) == {}
    assert distinct_sources([["init_from=outputs/a"], ["init_from=outputs"]]) == {}
