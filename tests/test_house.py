"""No file, function or signature is longer than one can keep in mind."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path
    for folder in ("aiec_graph", "research", "benchmarks", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
LINES_OF_A_FILE, LINES_OF_A_FUNCTION, PARAMETERS = 400, 60, 7
CONFIGURED = {"AIEC", "Variant", "GNN", "DetectorParameters"}
"""Classes whose constructors take a configuration, and so may have more parameters."""


def functions(tree):
    """Every function of a file, with the name of the class whose method it is."""
    owners = {
        child: node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for child in node.body
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, owners.get(node)


def test_no_file_is_too_long():
    lengths = {path: path.read_text(encoding="utf-8").count("\n") for path in FILES}
    assert {p.name: n for p, n in lengths.items() if n > LINES_OF_A_FILE} == {}


def test_no_function_is_too_long_and_none_takes_too_much():
    long, wide = {}, {}
    for path in FILES:
        for node, owner in functions(ast.parse(path.read_text(encoding="utf-8"))):
            name = f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
            if (length := node.end_lineno - node.lineno + 1) > LINES_OF_A_FUNCTION:
                long[name] = length
            taken = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            number = len(taken) - (owner is not None)  # self or cls, but for static methods
            is_configured = node.name == "__init__" and owner in CONFIGURED
            if number > PARAMETERS and not is_configured and "tests" not in path.parts:
                wide[name] = number
    assert (long, wide) == ({}, {})
