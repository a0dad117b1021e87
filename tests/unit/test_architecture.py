"""The architecture, as imports: downwards only, between folders; and what the tree holds."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import gan_lab

PACKAGE = Path(gan_lab.__file__).parent
TESTS = Path(__file__).parents[1]

# Floors, top to bottom. A folder imports what stands on a lower floor, and nothing beside itself.
FLOORS = (
    ("api", "cli"),
    ("train",),
    ("training",),
    ("sweeps",),
    ("evaluation", "report"),
    ("atlas", "runs"),
    ("datasets", "gan"),
    ("config",),
    ("utils",),
)
FLOOR = {name: len(FLOORS) - number for number, names in enumerate(FLOORS) for name in names}

BRITISH = re.compile(
    "(initial|normal|regular|optim|minim|maxim|summar|organ|recogn|serial|visual|general|standard|penal)is(e|ing|ation)"
    "|colour|centre|behaviour|neighbour|favour|artefact|labell|signall|modell",
    re.IGNORECASE,
)


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def folder_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path) -> set[str]:
    """Top-level parts of gan_lab that a file imports, wherever in the file."""
    parts = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            module = (node.module or "").split(".")
            if module[0] == "gan_lab":
                parts |= {module[1]} if len(module) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            parts |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("gan_lab.")}
    return parts


def arrows() -> Iterator[tuple[Path, str, str]]:
    """(file, its folder, the folder that it imports) for every import across folders."""
    for path in files():
        importing = folder_of(path)
        if importing not in ("__init__", "__main__"):  # the public names, from wherever they live
            yield from ((path, importing, imported) for imported in sorted(imports(path) - {importing}))


def test_imports_go_strictly_downwards() -> None:
    upwards = {
        (str(path.relative_to(PACKAGE)), imported)
        for path, importing, imported in arrows()
        if FLOOR[imported] >= FLOOR[importing]
    }
    assert upwards == set()


def test_the_package_holds_its_floors_and_nothing_else() -> None:
    names = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    folders = {name for name in FLOOR if name != "train"}
    assert len(folders) <= 12
    files_beside = {"__init__.py", "__main__.py", "train.py", "README.md", "py.typed"}
    assert names | {"README.md"} == folders | files_beside


def test_one_file_is_called_train() -> None:
    assert [str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("train.py")] == ["train.py"]


def test_unit_tests_mirror_the_package() -> None:
    folders = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*") if path.is_dir()}
    tested = {path.relative_to(TESTS / "unit") for path in (TESTS / "unit").rglob("*") if path.is_dir()}
    assert {path for path in tested - folders if path.name != "__pycache__"} == set()


def identifiers(path: Path) -> Iterator[str]:
    """Every name that a file gives to something or uses; texts are not names."""
    for node in ast.walk(ast.parse(path.read_text())):
        for field in ("id", "attr", "name", "asname", "arg"):
            name = getattr(node, field, None)
            if isinstance(name, str):
                yield name


def test_identifiers_keys_and_entries_are_spelled_as_in_pytorch() -> None:
    names = [
        (path, name)
        for folder in ("gan_lab", "scripts", "tests")
        for path in sorted((TESTS.parent / folder).rglob("*.py"))
        for name in (path.stem, *identifiers(path))
    ]
    for path in sorted((TESTS.parent / "configs").rglob("*.yaml")):
        keys = re.findall(r"^\s*([\w@/]+):", path.read_text(), re.MULTILINE)
        names += [(path, name) for name in (path.stem, path.parent.name, *keys)]
    assert [f"{path}: {name}" for path, name in names if BRITISH.search(name)] == []


def test_configuration_names_are_only_compared_in_yaml() -> None:
    """A choice is a _target_: no module asks `cfg.x == "name"`."""
    for path in files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute):
                root = ast.unparse(node.left).split(".")[0]
                texts = [
                    c for c in node.comparators if isinstance(c, ast.Constant) and isinstance(c.value, str)
                ]
                assert not (root == "cfg" and texts), f"{path.name}: {ast.unparse(node)}"
