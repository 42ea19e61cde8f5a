"""The house's own measures: no file, function or signature that nobody can keep in mind."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path
    for folder in ("aiec_graph", "research", "benchmarks", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
LINES_OF_A_FILE, LINES_OF_A_FUNCTION, PARAMETERS = 400, 60, 7
CONFIGURED = {
    *("AIEC.__init__", "Variant.__init__", "GNN.__init__", "FraudDetector.__init__"),
    "backtest",  # the command's options, for notebooks
}
"""What takes a configuration as arguments, and so may have more."""


def functions(tree):
    """Every function of a file with its name, after the class's where it is a method."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for child in node.body:
                if isinstance(child, ast.FunctionDef):
                    child.name = f"{node.name}.{child.name}"


@pytest.mark.parametrize("limit", [LINES_OF_A_FILE])
def test_no_file_is_too_long(limit):
    lengths = {path: path.read_text(encoding="utf-8").count("\n") for path in FILES}
    assert {str(path): length for path, length in lengths.items() if length > limit} == {}


def test_no_function_is_too_long_or_takes_too_much():
    long, wide = {}, {}
    for path in FILES:
        for name, node in functions(ast.parse(path.read_text(encoding="utf-8"))):
            place = f"{path.relative_to(ROOT)}: {name}"
            length = node.end_lineno - node.lineno + 1
            given = node.args
            names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
            number = len([n for n in names if n not in ("self", "cls")])
            if length > LINES_OF_A_FUNCTION:
                long[place] = length
            if number > PARAMETERS and name not in CONFIGURED and "tests" not in path.parts:
                wide[place] = number
    assert long == {}
    assert wide == {}
