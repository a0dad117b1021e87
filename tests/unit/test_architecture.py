"""The architecture, as imports: downwards only, from folder to folder."""

import ast
from pathlib import Path

import gan_lab

PACKAGE = Path(gan_lab.__file__).parent

# From the ground up. A folder may import those on lower floors, and none beside it.
FLOORS = (
    ("utils",),
    ("gan", "datasets", "config"),
    ("atlas", "runs"),
    ("sweeps", "evaluation", "report"),
    ("training",),
    ("train",),
    ("cli", "api"),
)
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names}
# Imports upwards that are still there: (file, what it imports). None is added.
PENDING = {
    ("evaluation/diagnostics/probe.py", "training"),
    ("evaluation/evaluate.py", "training"),
    ("runs/load.py", "training"),
    ("runs/study.py", "training"),
}


def imports(path: Path) -> set[str]:
    """Top-level parts of gan_lab that a file imports, wherever in the file."""
    parts: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "gan_lab":
            names = (node.module or "").split(".")
            parts |= {names[1]} if len(names) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            parts |= {a.name.split(".")[1] for a in node.names if a.name.startswith("gan_lab.")}
    return parts


def test_imports_go_downwards_only() -> None:
    for path in PACKAGE.rglob("*.py"):
        file = path.relative_to(PACKAGE)
        folder = file.with_suffix("").parts[0]
        if folder in ("__init__", "__main__"):
            continue
        for other in imports(path) - {folder}:
            down = FLOOR[other] < FLOOR[folder] or (file.as_posix(), other) in PENDING
            assert down, f"{file} (floor {FLOOR[folder]}) imports {other} (floor {FLOOR[other]})"


def test_every_folder_has_a_floor() -> None:
    folders = {p.stem for p in PACKAGE.iterdir() if p.suffix == ".py" or any(p.rglob("*.py"))}
    assert folders - {"__init__", "__main__"} == set(FLOOR)


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
