"""Imports and includes run downwards, and never in a circle."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

# Bottom-up: each folder or file of src/fastcnn may import itself and what is in the rows above its own.
LAYERS = (
    {"_core", "_arrays", "_clock", "_names"},
    {"algorithms", "ceilings", "random"},
    {"engine", "info"},
    {"nn"},
    {"ops", "optim"},
    {"data", "metrics", "models", "views"},
    {"train"},
    {"convnet", "figures", "inspect", "sklearn"},
    {"__init__"},  # fastcnn's own
    {"cli"},
    {"__main__"},
)

# Module.summary(), memory(), profile() and features() are one-line doors to reports on a model. They import
# the report when they are called, and its type for the type checker, never with the module.
DOORS = {
    ("fastcnn.nn.module", f"fastcnn.inspect.{name}") for name in ("features", "memory", "profile", "summary")
}

# Of cpp/, bottom-up: what lies in a folder may include what is in it and in those before it.
FOLDERS = ("core", "ops", "graph", "backend", "optim", "distributed", "bindings")


class Import(NamedTuple):
    importer: str
    imported: str
    at_start: bool  # not in a function, nor under a condition


def modules_of(package):
    """Paths by dotted name; extensions count by their stubs and Cython sources."""
    files = [path for kind in ("*.pyx", "*.pyi", "*.py") for path in sorted(package.rglob(kind))]
    return {".".join(path.relative_to(package.parent).with_suffix("").parts): path for path in files}


def imports_of(package):
    """All imports of a package's own modules, those in functions and under TYPE_CHECKING among them.

    `from package import name` imports the module `name` if there is one. That Python runs the `__init__` of
    every folder on the way doesn't count.
    """
    modules = modules_of(package)
    found = []
    for module, path in modules.items():
        if path.suffix == ".pyx":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for statement in ast.walk(tree):
            if isinstance(statement, ast.ImportFrom):
                start = module.split(".")[: -statement.level] if statement.level else []
                origin = ".".join([*start, *filter(None, [statement.module])])
                names = [f"{origin}.{alias.name}" for alias in statement.names]
            elif isinstance(statement, ast.Import):
                names = [alias.name for alias in statement.names]
            else:
                continue
            for name in names:
                candidates = (
                    name,
                    f"{name}.__init__",
                    f"{name.rpartition('.')[0]}.__init__",
                    name.rpartition(".")[0],
                )
                target = next((candidate for candidate in candidates if candidate in modules), None)
                if target not in (None, module):
                    found.append(Import(module, target, statement in tree.body))
    return found


def layer_of(module):
    place = module.split(".")[1]
    return next((i for i, names in enumerate(LAYERS) if place in names), None)


def upward(imports):
    """What is neither within a folder nor from a lower layer."""
    return [
        f"{importer} imports {imported}"
        for importer, imported, _ in imports
        if importer.split(".")[1] != imported.split(".")[1] and not layer_of(imported) < layer_of(importer)
    ]


def cycle(arrows):
    """Names that lead from one to the next and back to the first; empty where there are none."""
    below = {}
    for upper, lower in arrows:
        below.setdefault(upper, set()).add(lower)
    done = set()

    def search(name, path):
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for lower in sorted(below.get(name, ())):
            if found := search(lower, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(below) if (found := search(name, []))), [])


@cache
def fastcnn_imports():
    return imports_of(ROOT / "src" / "fastcnn")


def test_every_module_has_a_layer():
    assert [module for module in modules_of(ROOT / "src" / "fastcnn") if layer_of(module) is None] == []


def test_imports_run_downwards():
    assert upward(each for each in fastcnn_imports() if each[:2] not in DOORS) == []


def test_no_imports_run_in_a_circle():
    assert cycle(each[:2] for each in fastcnn_imports() if each[:2] not in DOORS) == []


def test_doors_to_reports_are_opened_by_calls_alone():
    doors = [each for each in fastcnn_imports() if each[:2] in DOORS]
    assert {each[:2] for each in doors} == DOORS
    assert not any(each.at_start for each in doors)


def test_imports_go_by_their_names():
    """An import by a string would hide from these tests; only the package's `__init__` looks names up so."""
    for module, path in modules_of(ROOT / "src" / "fastcnn").items():
        if path.suffix == ".py" and module != "fastcnn.__init__":
            text = path.read_text(encoding="utf-8")
            assert "import_module" not in text and "__import__" not in text, module


def test_an_upward_import_is_seen_wherever_it_hides(tmp_path):
    package = tmp_path / "fastcnn"
    files = {
        "__init__.py": "from fastcnn import nn",
        "_core.pyi": "",
        "engine/__init__.py": "",
        "engine/tape.py": "def f():\n    from fastcnn.nn.module import Module",
        "nn/__init__.py": "from fastcnn.nn.module import Module",
        "nn/module.py": "from fastcnn import _core\nfrom fastcnn.engine import tape",
        "optim/__init__.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import fastcnn.train",
        "ops/__init__.py": "from ..optim import nothing",
        "train/__init__.py": "from fastcnn import optim",
    }
    for name, text in files.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    imports = imports_of(package)
    assert sorted(upward(imports)) == [
        "fastcnn.engine.tape imports fastcnn.nn.module",
        "fastcnn.ops.__init__ imports fastcnn.optim.__init__",
        "fastcnn.optim.__init__ imports fastcnn.train.__init__",
    ]
    assert cycle(each[:2] for each in imports) == [
        "fastcnn.nn.module",
        "fastcnn.engine.tape",
        "fastcnn.nn.module",
    ]
    down = [
        each[:2] for each in imports if each.importer not in ("fastcnn.engine.tape", "fastcnn.optim.__init__")
    ]
    assert cycle(down) == []


def upward_includes(cpp):
    """Includes of folders that are neither an includer's own nor before it, or have no place in the order."""
    files = [path for kind in ("h", "cpp", "cuh", "cu") for path in sorted(cpp.rglob(f"*.{kind}"))]
    found = []
    for path in files:
        own = path.relative_to(cpp).parts[0]
        allowed = FOLDERS[: FOLDERS.index(own) + 1] if own in FOLDERS else ()
        for included in re.findall(
            r'^ *# *include "([^"]+)"', path.read_text(encoding="utf-8"), re.MULTILINE
        ):
            if "/" in included and included.split("/")[0] not in allowed:
                found.append(f"{path.relative_to(cpp).as_posix()} includes {included}")
    return found


def test_includes_run_downwards():
    assert upward_includes(ROOT / "cpp") == []


def test_an_upward_include_is_seen(tmp_path):
    files = {
        "core/tensor.h": '#include <vector>\n#include "core/shape.h"\n#include "tensor.h"',
        "ops/conv2d.cpp": '#include "ops/conv2d.h"\n#include "backend/cpu/gemm.h"\n#include "core/tensor.h"',
        "backend/cpu/ops/conv2d.cpp": '#include "graph/kernel.h"\n#  include "optim/sgd.h"',
        "backend/cuda/stream.cu": '#include "bindings/convert.h"',
        "extra/thing.h": '#include "core/tensor.h"',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert sorted(upward_includes(tmp_path)) == [
        "backend/cpu/ops/conv2d.cpp includes optim/sgd.h",
        "backend/cuda/stream.cu includes bindings/convert.h",
        "extra/thing.h includes core/tensor.h",
        "ops/conv2d.cpp includes backend/cpu/gemm.h",
    ]
