"""_core.pyi declares what the extension has, no more and no less."""

import ast
from pathlib import Path

import fastcnn
from fastcnn import _core

STUB = ast.parse((Path(fastcnn.__file__).parent / "_core.pyi").read_text(encoding="utf-8"))


def declared(body):
    """Public names of a module or class body."""
    names = set()
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            names.add(statement.name)
        elif isinstance(statement, ast.AnnAssign):
            names.add(statement.target.id)
    return {name for name in names if not name.startswith("_")}


def present(thing):
    return {name for name in vars(thing) if not name.startswith("_")}


def test_module_names_are_those_of_the_stub():
    assert declared(STUB.body) == present(_core)


def test_class_members_are_those_of_the_stub():
    for statement in STUB.body:
        if isinstance(statement, ast.ClassDef) and not statement.name.startswith("_"):
            assert declared(statement.body) == present(getattr(_core, statement.name)), statement.name


def test_nodes_have_the_fields_that_the_stub_says():
    stub = next(s for s in STUB.body if isinstance(s, ast.ClassDef) and s.name == "_Node")
    graph = _core.Graph()
    graph.add(_core.make_op("flatten"), [graph.input((1, 2, 3), "float32", "x")], "flat")
    (node,) = graph.nodes()
    assert set(node) == declared(stub.body)
    assert (node["name"], node["kind"], node["output_shape"]) == ("flat", "flatten", (1, 6))
