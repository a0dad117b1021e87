"""`gan-lab inspect` takes the words that `gan-lab train` takes."""

from gan_lab.training.inspect import inspect


def test_other_names_and_the_fitting_model_are_understood() -> None:
    table = list(inspect(["activation=leaky_relu", "dataset=ring", "model=mlp"]))
    assert list(inspect(["activation=lrelu", "dataset=8gaussians"])) == table
    assert "activation torch.nn.LeakyReLU" in table[0]
