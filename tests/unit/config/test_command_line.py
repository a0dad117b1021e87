"""What people type first, and what they are told to type instead."""

import shlex
from pathlib import Path

import pytest

from gan_lab.config.aliases import ENTRIES, KEYS, entry_called, resolve_aliases
from gan_lab.config.command_line import read_words
from gan_lab.config.errors import config_errors, groups, settings
from gan_lab.config.overrides import keep_text
from gan_lab.config.schema import check
from gan_lab.runs.naming import identity
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.experiments import choices, composed


def answer(typed: str) -> str:
    """Return what ``gan-lab train <typed>`` is refused with before anything is built."""

    def compose() -> None:
        with config_errors():
            check(composed(*(word for word in read_words(shlex.split(typed)) if not word.startswith("-"))))

    with pytest.raises(ConfigurationError) as caught:
        compose()
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 1000
    return text


@pytest.mark.parametrize(
    ("typed", "way_out"),
    [
        # several values
        ("activation=relu,elu", "gan-lab train -m activation=relu,elu"),
        ("activation=elu,", "gan-lab train activation=elu"),
        ("activation=,elu", "gan-lab train activation=elu"),
        ("activation=relu,,elu", "gan-lab train -m activation=relu,elu"),
        ("activation=relu, elu", "gan-lab train -m activation=relu,elu"),
        ("activation=relu elu tanh", "gan-lab train -m activation=relu,elu,tanh"),
        ("activation=relu , elu", "gan-lab train -m activation=relu,elu"),
        ("activation=relu activation=elu steps=5", "gan-lab train -m activation=relu,elu steps=5"),
        ("activation=relu,lrelu,", "gan-lab train -m activation=relu,lrelu"),
        ("'activation=(relu,elu)'", "gan-lab train -m activation=relu,elu"),
        ("'activation=glob(*)'", "gan-lab train -m 'activation=glob(*)'"),
        ("optimizer.lr=1e-3,1e-4", "gan-lab train -m optimizer.lr=1e-3,1e-4"),
        ("seeds=0,1,2", "gan-lab train seeds=3"),
        ("seed=3,4", "gan-lab train -m seed=3,4"),
        ("sweep activation=relu,elu", "gan-lab train -m activation=relu,elu"),
        ("--sweep activation=relu,elu", "gan-lab train -m activation=relu,elu"),
        ("-multirun activation=relu,elu", "gan-lab train -m activation=relu,elu"),
        # no key=value
        ("activation elu", "gan-lab train activation=elu"),
        ("activation = elu", "gan-lab train activation=elu"),
        ("activation= elu", "gan-lab train activation=elu"),
        ("activation =elu seeds=2", "gan-lab train activation=elu seeds=2"),
        ("activation==elu", "gan-lab train activation=elu"),
        ("activation:=elu", "gan-lab train activation=elu"),
        ("activation:elu", "gan-lab train activation=elu"),
        ("activation/elu", "gan-lab train activation=elu"),
        ("activation.elu", "gan-lab train activation=elu"),
        ("activation/elu.yaml", "gan-lab train activation=elu"),
        ("activation=elu.yaml", "gan-lab train activation=elu"),
        ("activation", "gan-lab train activation=...; choose from as_written, celu, elu"),
        ("elu", "gan-lab train activation=elu"),
        ("swish steps=10", "gan-lab train activation=silu steps=10"),
        ("relu,elu", "gan-lab train -m activation=relu,elu"),
        ("dcgan", "gan-lab train model=dcgan"),
        ("ring mlp", "gan-lab train dataset=ring mlp"),
        ("seeds 8", "gan-lab train seeds=8"),
        ("steps", "gan-lab train steps=..."),
        ("rerun", "gan-lab train rerun=true"),
        ("train activation=elu", "gan-lab train activation=elu"),
        ("help", "gan-lab train --help"),
        # options
        ("--activation elu", "gan-lab train activation=elu"),
        ("--activation=elu", "gan-lab train activation=elu"),
        ("-activation elu", "gan-lab train activation=elu"),
        ("--seed 3 activation=elu", "gan-lab train seed=3 activation=elu"),
        ("--batch-size 32", "gan-lab train batch_size=32"),
        ("--batchSize=32", "gan-lab train batch_size=32"),
        ("--lr 1e-3", "gan-lab train optimizer.lr=1e-3"),
        ("--rerun", "gan-lab train rerun=true"),
        ("--force activation=elu", "gan-lab train rerun=true activation=elu"),
        ("--epochs 10", "steps=3000"),
        ("--gpu 0", "device=cuda:0"),
        ("--resume", "same command"),
        ("--actvation elu", "gan-lab train activation=elu"),
        ("--frobnicate 3", "gan-lab train --help"),
        # other names of keys
        ("epochs=10", "steps=3000"),
        ("+epochs=10", "steps=3000"),
        ("lr=1e-3", "type optimizer.lr=1e-3"),
        ("+lr=1e-3", "gan-lab train optimizer.lr=1e-3"),
        ("learning_rate=0.1", "type optimizer.lr=0.1"),
        ("bs=16", "type batch_size=16"),
        ("loss=hinge", "type objective=hinge"),
        ("act=elu", "type activation=elu"),
        ("init=xavier", "type initialization=xavier"),
        ("data=mnist", "type dataset=mnist"),
        ("n_critic=5", "type discriminator_steps=5"),
        ("z_dim=64", "type model.latent_size=64"),
        ("gpu=1", "device=cuda:0"),
        ("amp=true", "precision=bf16"),
        ("output_dir=x", "study=NAME"),
        ("name=mine", "type study=mine"),
        ("+activatoin=elu", "gan-lab train activation=elu"),
        ("activatoin=elu", "did you mean 'activation'"),
        ("batch_sze=4", "did you mean 'batch_size'"),
        ("generator_activation=elu", "activation@generator_activation=NAME"),
        ("activation@generator=elu", "type activation@generator_activation=elu"),
        ("activation.slope=0.1", "type activation.negative_slope=0.1"),
        (
            "schedule@generator_schedule=linear schedule.length=5",
            "has it: gan-lab train schedule@generator_schedule=linear generator_schedule.length=5",
        ),
        (
            "clipping@generator_clipping=norm clipping@discriminator_clipping=norm clipping.max_norm=2",
            "=norm generator_clipping.max_norm=2 discriminator_clipping.max_norm=2",
        ),
        (
            "optimizer@discriminator_optimizer=SGD optimizer.momentum=0.9",
            "discriminator_optimizer.momentum=0.9",
        ),
        (
            "activation=relu activation@generator_activation=elu activation.alpha=2",
            "generator_activation.alpha=2",
        ),
        ("hydra.launcher=cores", "gan-lab train -m hydra/launcher=cores"),
        ("launcher=cores", "type hydra/launcher=cores"),
        ("hydra.sweeper=optuna", "gan-lab train -m hydra/sweeper=optuna"),
        ("metrics=fid", "gan-lab train 'metric=[fid]'"),
        ("metric=fid,kid", "gan-lab train 'metric=[fid,kid]'"),
        ("diagnostics=units", "gan-lab train 'diagnostic=[units]'"),
        # entries and values that there are none of
        ("activation=sigmod", "did you mean 'sigmoid'"),
        ("dataset=mnits", "did you mean 'mnist'"),
        ("activation='[relu,elu]' steps=0", "steps must be"),
        ("steps=many", "steps must be a whole number of at least 1"),
    ],
)
def test_a_plausible_mistake_is_answered_with_what_to_type(typed: str, way_out: str) -> None:
    assert way_out in answer(typed)


@pytest.mark.parametrize(
    "typed",
    [
        "schedule=cosine schedule@generator_schedule=linear schedule.length=5",
        "activation=relu,elu activation@generator_activation=elu activation.alpha=2",
        "optimizer@discriminator_optimizer=sgd optimizer.lr=0.1",
        "experiment=sngan_cifar10 schedule@generator_schedule=linear schedule.length=5",  # it may choose one
    ],
)
def test_a_key_that_both_networks_have_is_taken(typed: str) -> None:
    assert read_words(typed.split()) == typed.split()


@pytest.mark.parametrize("group", sorted(ENTRIES))
def test_every_alias_is_another_name_of_an_entry(group: str) -> None:
    for alias, entry in ENTRIES[group].items():
        assert entry in choices(group)
        assert alias not in choices(group)
        assert entry_called(group, alias) == entry


def test_every_other_key_is_one_that_can_be_typed() -> None:
    for name, typed in KEYS.items():
        assert name not in settings() | set(groups())
        assert typed in settings() | set(groups().values()) or typed.startswith("hydra")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("activation=swish", "activation=silu"),
        ("activation=lrelu,linear", "activation=leaky_relu,identity"),
        ("activation=LeakyReLU", "activation=leaky_relu"),
        ("activation=choice(swish,'ReLU')", "activation=choice(silu,'relu')"),
        ("activation@generator_activation=Swish", "activation@generator_activation=silu"),
        ("metric=[FID,swd]", "metric=[fid,sliced_wasserstein]"),
        ("objective=wgan", "objective=wasserstein"),
        ("initialization=Xavier", "initialization=glorot"),
        ("optimizer@discriminator_optimizer=SGD", "optimizer@discriminator_optimizer=sgd"),
        ("activation=glob(*)", "activation=glob(*)"),
        ("regularizer=null", "regularizer=none"),
        ("regularizer=null,r1", "regularizer=none,r1"),
        ("logger=null", "logger=[]"),
        ("model=null", "model=null"),
        ("schedule@generator_schedule=null", "schedule@generator_schedule=null"),
        ("activation=nothing", "activation=nothing"),
        ("activation.alpha=swish", "activation.alpha=swish"),
        ("study=swish", "study=swish"),
    ],
)
def test_an_alias_is_resolved_before_anything_is_composed(typed: str, meant: str) -> None:
    assert resolve_aliases([typed]) == [meant]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("activation=swish", ["activation=silu"]),
        *((f"{group}=null", []) for group in ("regularizer", "schedule", "clipping", "logger")),
    ],
)
def test_the_identity_is_the_same_under_either_name(typed: str, meant: list[str]) -> None:
    assert identity(composed(*resolve_aliases([typed]))) == identity(composed(*meant))


@pytest.mark.parametrize(
    "where", [["--config-dir", "mine"], ["--config-dir=mine"], ["hydra.searchpath=[file://mine]"]]
)
def test_a_file_of_the_users_own_wins_over_an_alias(where: list[str]) -> None:
    folder = Path("mine/activation")
    folder.mkdir(parents=True)
    (folder / "swish.yaml").write_text("_target_: torch.nn.SiLU\n")
    words = read_words([*where, "activation=swish,lrelu", "-m"])
    assert "activation=swish,leaky_relu" in words


@pytest.mark.parametrize(
    ("typed", "passed"),
    [
        ("activation=relu,elu -m", "-m activation=relu,elu"),
        ("activation=relu,elu --multirun steps=5", "--multirun activation=relu,elu steps=5"),
        ("seeds=2 --config-dir mine activation=mine", "--config-dir mine seeds=2 activation=mine"),
        ("activation=elu --cfg job --resolve", "--cfg job --resolve activation=elu"),
        ("--info searchpath", "--info searchpath"),
        ("+mine=3 ~regularizer ++steps=5 +metric/own=x", "+mine=3 ~regularizer ++steps=5 +metric/own=x"),
        ("activation=elu activation=elu", "activation=elu activation=elu"),
        ("-sc query=bash", "-sc query=bash"),
        ("", ""),
    ],
)
def test_everything_else_is_passed_on_with_flags_in_front(typed: str, passed: str) -> None:
    assert read_words(shlex.split(typed)) == keep_text(shlex.split(passed))
