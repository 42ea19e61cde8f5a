"""The command `data`."""

import json

import pytest

from aiec_graph.cli.main import main
from aiec_graph.data import DATASETS, load_dataset


def test_list_names_every_data_set(capsys, tmp_path):
    assert main(["data", "list", "--data-root", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in DATASETS)


@pytest.mark.parametrize("name", DATASETS)
def test_info_says_where_and_whose(name, capsys, tmp_path):
    assert main(["data", "info", name, "--data-root", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "licence" in shown
    assert str(tmp_path / name) in shown


def test_simulate_then_verify(capsys, tmp_path):
    root = ["--data-root", str(tmp_path)]
    assert main(["data", "simulate", "tolokers", "--scale", "0.02", *root]) == 0
    folder = next((tmp_path / "tolokers").iterdir())
    assert str(folder) in capsys.readouterr().out
    planted = json.loads((folder / "simulated.json").read_text())
    assert planted["simulated"] is True
    assert sum(len(part) for part in planted["planted"].values()) == 10
    folder.rename(tmp_path / "tolokers" / "files")  # as a user who points at them would have it
    assert main(["data", "verify", "tolokers", *root]) == 0
    shown = capsys.readouterr().out
    assert "tolokers (simulated, scale 0.02)" in shown
    assert "10 supervised" in shown
    assert load_dataset("tolokers", tmp_path).simulated == 0.02


def test_verify_tells_what_differs(capsys, tmp_path):
    root = ["--data-root", str(tmp_path)]
    assert main(["data", "simulate", "tolokers", "--scale", "0.02", *root]) == 0
    folder = next((tmp_path / "tolokers").iterdir())
    (folder / "tolokers.npz").rename(tmp_path / "tolokers" / "tolokers.npz")
    assert main(["data", "verify", "tolokers", *root]) == 0
    shown = capsys.readouterr().out
    assert "DIFFERS" in shown
    assert "235 nodes, the published one has 11,758" in shown
    assert "the published one has 1,038,000" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verifyy"], "Did you mean 'data verify'"),
        (["info", "eliptic"], "Did you mean 'elliptic'"),
        (["simulate", "reddit", "--scael", "1"], "Did you mean '--scale'"),
        (["simulate", "reddit", "--scale", "2"], "scale from"),
        (["verify", "reddit"], "missing.*data download reddit"),
        (["download", "dgraphfin"], "dgraph.xinye.com"),
        (["info"], "name"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(arguments, message, capsys, tmp_path):
    import re

    assert main(["data", *arguments, "--data-root", str(tmp_path)]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert re.search(message, line)


@pytest.mark.parametrize("action", ["list", "info", "download", "simulate", "verify"])
def test_every_action_has_help(action, capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["data", action, "--help"])
    assert "--data-root" in capsys.readouterr().out
