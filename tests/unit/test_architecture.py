"""The architecture, as imports: downwards only, and choices do not know each other."""

import ast
from pathlib import Path

import gan_lab

PACKAGE = Path(gan_lab.__file__).parent

LAYERS = {
    0: ("errors", "paths", "seeding", "devices", "signals", "files", "memory", "results", "tables", "checks"),
    1: (
        "activations",
        "objectives",
        "regularizers",
        "augmentations",
        "initialization",
        "models",
        "datasets",
        "features",
        "metrics",
        "statistics",
    ),
    2: (
        "adversarial",
        "engines",
        "batches",
        "configuration",
        "checkpoints",
        "logs",
        "runs",
        "recorder",
        "messages",
        "assembly",
        "evaluation",
        "diagnostics",
        "atlas",
        "trust",
    ),
    3: ("loop",),
    4: ("jobs", "report", "plugins"),
    5: ("cli",),
}
LAYER = {name: layer for layer, names in LAYERS.items() for name in names}


def imports(path: Path) -> set[str]:
    """Top-level parts of gan_lab that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "gan_lab":
            parts = (node.module or "").split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("gan_lab.")}
    return found


def test_imports_go_downwards_only() -> None:
    for path in PACKAGE.rglob("*.py"):
        own = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if own in ("__init__", "__main__"):
            continue
        for other in imports(path) - {own}:
            down = LAYER[other] < LAYER[own] or (LAYER[other] == LAYER[own] and LAYER[own] != 1)
            assert down, f"{path.name} (layer {LAYER[own]}) imports {other} (layer {LAYER[other]})"


def test_every_module_has_a_layer() -> None:
    there = {p.stem for p in PACKAGE.iterdir() if p.suffix == ".py" or any(p.rglob("*.py"))}
    assert there - {"__init__", "__main__"} == set(LAYER)


def test_configuration_names_are_only_compared_in_yaml() -> None:
    """A choice is a _target_: no module asks `cfg.x == "name"`."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute):
                root = ast.unparse(node.left).split(".")[0]
                text = [
                    c for c in node.comparators if isinstance(c, ast.Constant) and isinstance(c.value, str)
                ]
                assert not (root == "cfg" and text), f"{path.name}: {ast.unparse(node)}"
