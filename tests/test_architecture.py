"""The floor plan, enforced: a room may use only the rooms to its left."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
ROOMS = "core effects survival figures pooling doors planning review plots report app cli web".split()
SHELLS = {"cli": {"core", "app"}, "web": {"core", "app"}}
PURE = set(ROOMS[: ROOMS.index("review")])
WIDE_DOORS = {"doors"}  # R's argument lists are as long as they are


def module_name(path):
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(SOURCE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def room(name):
    return name.split(".")[1] if "." in name else ""


def uses(name):
    """Modules of this package imported anywhere in `name`, inside functions too."""
    found = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inside & MODULES.keys()) or {node.module}
    return found & MODULES.keys() - {"metagrove"}


@pytest.mark.parametrize("name", [name for name in MODULES if room(name) in ROOMS])
def test_imports_point_left(name):
    here = room(name)
    allowed = SHELLS.get(here, set(ROOMS[: ROOMS.index(here)])) | {here}
    for there in uses(name):
        assert room(there) in allowed, f"{name} looks up at {there}"


def test_every_module_has_a_room():
    loose = [name for name in MODULES if "." in name and room(name) not in ROOMS]
    assert loose == [], f"{loose} live in no room"


def test_nothing_goes_in_circles():
    TopologicalSorter({name: uses(name) for name in MODULES}).prepare()


def sub_room(name):
    """The package inside a room that a module lives in; modules of the room itself belong to none."""
    package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
    return package if package.count(".") == 2 else None


def test_sub_rooms_do_not_go_in_circles():
    links = {}
    for name in MODULES:
        if here := sub_room(name):
            links.setdefault(here, set()).update({sub_room(there) for there in uses(name)} - {here, None})
    TopologicalSorter(links).prepare()


@pytest.mark.parametrize("name", [name for name in MODULES if name.count(".") > 1])
def test_nobody_uses_the_rooms_own_door(name):
    assert f"metagrove.{room(name)}" not in uses(name), f"{name} goes through its room's own door"


@pytest.mark.parametrize("name", MODULES)
def test_nothing_sprawls(name):
    lines = len(MODULES[name].read_text(encoding="utf-8").splitlines())
    assert lines <= 600, f"{name} has {lines} lines and wants to be two modules"
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.FunctionDef):
            assert node.args.kwarg is None or room(name) in WIDE_DOORS, f"{name}.{node.name} forwards **kwargs"
            body = node.end_lineno - node.lineno + 1 - len((ast.get_docstring(node, clean=False) or "").splitlines())
            assert body <= 80 or room(name) in WIDE_DOORS, f"{name}.{node.name} has {body} lines"


@pytest.mark.parametrize("name", [name for name in MODULES if room(name) in PURE])
def test_pure_rooms_touch_no_file_and_no_clock(name):
    forbidden = {"open", "print", "input"}
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in forbidden, f"{name} calls {node.func.id}()"
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            roots = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            assert not roots & {"time", "datetime", "os", "subprocess"}, f"{name} imports {roots}"


def test_print_lives_in_the_command_line():
    for name, tree in TREES.items():
        calls = (n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name))
        assert room(name) == "cli" or not any(n.func.id == "print" for n in calls), f"{name} prints"
