"""What scalars are called in TensorBoard, which shows tags in the order of their names. Imports no torch.

``stats.jsonl`` has the names without numbers. A scalar's tag never changes its meaning.
"""

SCORE = "1_score"
# The family of a scalar in stats.jsonl -> that of its tag. The score comes first.
FAMILIES = {
    "loss": "2_loss",
    "probability": "3_probability",
    "metrics": "4_other_scores",
    "diagnostics": "5_diagnostics",
    "accuracy": "6_accuracy",
    "logits": "7_logits",
    "learning_rate": "8_learning_rate",
    "speed": "9_speed",
}
LAYERS = "layers"


def tag_of(name: str, primary: str | None) -> str:
    """Return the tag of a scalar of ``stats.jsonl``; ``primary`` is the score that decides."""
    family, _, rest = name.partition("/")
    if family == "metrics" and rest == primary:
        return f"{SCORE}/{rest}"
    return f"{LAYERS if is_of_layer(name) else FAMILIES.get(family, family)}/{rest}"


def is_of_layer(name: str) -> bool:
    """Return whether a scalar is a diagnostic of one layer: diagnostics/generator/hidden.0/dead."""
    return name.startswith("diagnostics/") and name.count("/") > 2
