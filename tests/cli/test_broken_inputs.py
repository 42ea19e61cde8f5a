"""One rule for every command: broken input ends in exit code 2 and one line, whatever is broken.

A command that is added to the table is tested without a word here: what it takes is read from its
signature.
"""

import os
from typing import get_origin

import pytest

from aiec_graph.cli.main import main
from aiec_graph.cli.options import Signature, parse
from aiec_graph.cli.table import COMMANDS
from tests.detect.conftest import make_frames

SIGNATURES = {name: Signature(*command.load()) for name, command in COMMANDS.items()}
WITH_FILE = [name for name, signature in SIGNATURES.items() if signature.takes_file]
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
JUNK = bytes(range(256)) * 40
DEEP = "a: " + "[" * 5_000 + "]" * 5_000
YAML = {
    "unreadable": "a: [1, 2",
    "bomb": BOMB,
    "deep": DEEP,
    "a list": "- a\n- b\n",
    "one value": "seventeen",
    "repeated": "epochs: 1\nepochs: 2\n",
    "an object": "!!python/object/apply:os.system [true]",
    "two documents": "a: 1\n---\nb: 2\n",
    "a wrong date": "a: 2024-02-31\n",
    "a control character": "a: \x07\n",
    "unknown": "epohcs: 3\n",
    "no name": "1: 2\nnull: 3\n",
}


def broken(tmp_path, suffix):
    """Paths to broken things of every kind."""
    paths = {
        "missing": tmp_path / f"missing{suffix}",
        "not a name": "x\0y",
        "no text": os.fsdecode(b"\xff"),
    }
    paths["too long"] = "x" * 5_000 + suffix
    paths["below a file"] = tmp_path / f"empty{suffix}" / "below"
    for name, content in {
        "empty": b"",
        "junk": JUNK,
        "zip": b"PK\x03\x04" + JUNK,
        "pickle": b"\x80\x02" + JUNK,
        "header": b"id,label\n",
        "long line": b"a" * 200_000,
    }.items():
        paths[name] = tmp_path / f"{name}{suffix}"
        paths[name].write_bytes(content)
    paths["a folder"] = tmp_path / f"folder{suffix}"
    paths["a folder"].mkdir()
    paths["a loop"] = tmp_path / f"loop{suffix}"
    paths["a loop"].symlink_to(paths["a loop"])
    if os.geteuid() != 0:
        paths["forbidden"] = tmp_path / f"forbidden{suffix}"
        paths["forbidden"].write_text("id,label\n")
        paths["forbidden"].chmod(0)
    return {name: str(path) for name, path in paths.items()}


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return write_graph(tmp_path_factory.mktemp("graph"))


def write_graph(folder):
    nodes, edges = make_frames(60, 0)
    nodes.to_csv(folder / "nodes.csv", index=False)
    edges.to_csv(folder / "edges.csv", index=False)
    return str(folder)


def ends_in_a_line(arguments, capsys):
    """Runs a command that must fail; returns its line."""
    assert main([str(argument) for argument in arguments]) == 2, arguments
    shown, error = capsys.readouterr()
    assert "Traceback" not in error
    lines = error.strip().splitlines()
    if not lines:  # the faults of the data are what check is asked for
        assert arguments[0] == "check", arguments
        assert "fault" in shown, shown
        return shown
    assert [line for line in lines if "error:" in line] == [lines[-1]], (arguments, error)
    assert lines[-1].startswith("aiec: error: "), arguments
    assert 15 < len(lines[-1]) < 2_100, arguments
    return lines[-1]


def inputs(name):
    """The ways to give a command its inputs: arguments before and after the one that is tried."""
    signature = SIGNATURES[name]
    positional = [option for option in signature.options.values() if option.is_positional]
    ways = []
    for i in range(len(positional)):
        required = i + 1 + sum("None" not in str(option.kind) for option in positional[i + 1 :])
        ways.append((i, required - i - 1))
    return ways


@pytest.mark.parametrize("suffix", ["", ".pt", ".csv"])
@pytest.mark.parametrize("name", COMMANDS)
def test_inputs_of_every_kind(name, suffix, tmp_path, monkeypatch, capsys, graph):
    monkeypatch.chdir(tmp_path)
    kinds = broken(tmp_path, suffix)
    out = ["--out", "out"] if "out" in SIGNATURES[name].options else []
    for what in kinds.values():
        for before, after in inputs(name):
            arguments = [*name.split(), *[graph] * before, what, *[graph] * after, *out]
            ends_in_a_line(arguments, capsys)
        if suffix:  # a data set has none
            continue
        for flag in ("--dataset", "--data-root", "--classes"):
            if flag[2:].replace("-", "_") in SIGNATURES[name].options and name in WITH_FILE:
                given = ["--dataset", "reddit"] if flag == "--data-root" else []
                given = ["--dataset", graph] if flag == "--classes" else given
                ends_in_a_line([*name.split(), *given, flag, what, *out], capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", WITH_FILE)
def test_files_of_options(name, tmp_path, monkeypatch, capsys, graph):
    monkeypatch.chdir(tmp_path)
    required = [graph] * len(inputs(name))
    for what, path in broken(tmp_path, ".yaml").items():
        if what not in ("empty",):
            ends_in_a_line([*name.split(), *required, "--config", path], capsys)
    path = tmp_path / "options.yaml"
    for text in YAML.values():
        path.write_text(text)
        line = ends_in_a_line([*name.split(), *required, "--config", path], capsys)
        assert "options.yaml: " in line


OF_A_TYPE = [
    "{key}: {{a: {{b: 1}}}}\n",
    "{key}: [[1], [2]]\n",
    "{key}: " + "x" * 10_000 + "\n",
    "{key}: 9" + "9" * 400 + "\n",
]
"""Values that the option's type decides about."""
OF_AN_OPTION = ["{key}:\n", "{key}: 1e999\n", "{key}: .nan\n", "{key}: -1\n", "{key}: ''\n"]
"""Values that the command decides about, option by option."""


def first_of(kinds, key):
    """The options of each command for which `key` tells something new."""
    seen, found = set(), {}
    for name in kinds:
        options = SIGNATURES[name].options.values()
        for option in options:
            if not option.is_positional and key(option) not in seen:
                seen.add(key(option))
                found.setdefault(name, []).append(option.name)
    return found


def type_of(option):
    return str(option.kind)


# Commands share most of their options: each is tried with the first command that has it.
ONCE = first_of(WITH_FILE, lambda option: (option.name, type_of(option)))
ONE_OF_A_TYPE = first_of(WITH_FILE, type_of)


@pytest.mark.parametrize("name", WITH_FILE)
@pytest.mark.parametrize("file_first", [False, True])
def test_a_file_of_options_needs_no_argument_that_stands_beside_it(name, file_first, tmp_path):
    """A command's data set is named on the command line, and the file says the rest."""
    signature, path = SIGNATURES[name], tmp_path / "options.yaml"
    number = next(o for o in signature.options.values() if o.kind is int and not o.choices)
    path.write_text(f"{number.word}: {number.default + 1}\n")
    beside, given = ["any"] * len(inputs(name)), ["--config", str(path)]
    found = parse(name, signature, given + beside if file_first else beside + given)
    assert found == {**parse(name, signature, beside), number.name: number.default + 1}


@pytest.mark.parametrize("name", ONCE)
def test_each_option_with_values_that_it_cannot_have(name, tmp_path, monkeypatch, capsys):
    """What an option might take is refused later, for want of data."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "options.yaml"
    required = ["nowhere"] * len(inputs(name))
    for key in ONCE[name]:
        option = SIGNATURES[name].options[key]
        values = OF_AN_OPTION + (OF_A_TYPE if key in ONE_OF_A_TYPE.get(name, ()) else [])
        for value in values:
            path.write_text(value.format(key=key))
            arguments = [*name.split(), *required, "--config", path]
            if "dataset" in SIGNATURES[name].options:
                arguments += ["--dataset", "nowhere"]
            elif name == "cost":
                arguments += ["--backbone", "nowhere"]
            line = ends_in_a_line(arguments, capsys)
            if get_origin(option.kind) is None and value == OF_AN_OPTION[0]:
                assert f"{key} has no value" in line


MISSPELT = first_of(COMMANDS, lambda option: option.name)
NUMBERS = first_of(COMMANDS, lambda option: option.kind in (int, float) and option.kind)


@pytest.mark.parametrize("name", COMMANDS)
def test_options_that_there_are_not(name, capsys):
    for flag in ("--nosuch", "--outt=x", "-z", "--" + "x" * 5_000, "--no\0such", "---"):
        assert "unknown option" in ends_in_a_line([*name.split(), flag], capsys)
    for key in MISSPELT.get(name, ()):
        flag = SIGNATURES[name].options[key].flag
        wrong = f"{flag[:-1]}{'x' if flag[-1] != 'x' else 'y'}"
        assert "Did you mean" in ends_in_a_line([*name.split(), wrong, "1"], capsys)
    for key in NUMBERS.get(name, ()):
        option = SIGNATURES[name].options[key]
        if option.kind in (int, float):
            for value in ("many", "", "1e999", "[1]", "nan", "9" * 500):
                required = ["nowhere"] * len(inputs(name))
                ends_in_a_line([*name.split(), *required, option.flag, value], capsys)


@pytest.mark.parametrize("name", COMMANDS)
def test_too_few_and_too_many_arguments(name, capsys):
    if any("None" not in str(o.kind) for o in SIGNATURES[name].options.values() if o.is_positional):
        ends_in_a_line(name.split(), capsys)
    if not any(get_origin(o.kind) is list for o in SIGNATURES[name].options.values()):
        ends_in_a_line([*name.split(), *["x"] * 9], capsys)


@pytest.mark.parametrize("text", YAML.values(), ids=YAML)
def test_declarations_of_a_graph(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "graph"
    folder.mkdir()
    write_graph(folder)
    (folder / "graph.yaml").write_text(text)
    for command in (["--dataset", "graph", "--out", "out"], ["fit", "graph", "--out", "out"]):
        assert "graph.yaml" in ends_in_a_line(command, capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "command", [["--seeds", "1", "--epochs", "1", "--dataset"], ["fit", "--model", "logistic"]]
)
def test_places_that_cannot_be_written(command, tmp_path, monkeypatch, capsys, graph):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("precious")
    places = ["file", "file/below", "x" * 300, "a/" * 3_000, "x\0y"]
    if os.geteuid() != 0:
        (tmp_path / "forbidden").mkdir(mode=0o500)
        places.append("forbidden/out")
    for place in places:
        ends_in_a_line([*command, graph, "--out", place], capsys)
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nosuch"],
        [""],
        ["x" * 9_000],
        ["data"] * 1 + ["nosuch"],
        ["\0"],
        [os.fsdecode(b"\xff")],
        ["benhc"],
        ["Score", "x"],
    ],
)
def test_commands_that_there_are_not(arguments, capsys):
    assert "unknown command" in ends_in_a_line(arguments, capsys)
