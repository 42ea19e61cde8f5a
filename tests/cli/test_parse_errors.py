"""What is said of a value that an option cannot take."""

import pytest

from aiec_graph.cli.main import main

CASES = [
    (["fit", "x", "--base-rate", ""], "--base-rate takes a number, not ''"),
    (["fit", "x", "--base-rate", "5%"], "--base-rate takes a number, not '5%'"),
    (["--dataset", "x", "--seeds", "x"], "--seeds takes a whole number, not 'x'"),
    (["--dataset", "x", "--epochs", "1.5"], "--epochs takes a whole number, not '1.5'"),
    (["data", "simulate", "elliptic", "--scale", "x"], "--scale takes a number, not 'x'"),
    (["--dataset", "x", "--seeds", "1", "2"], "nothing takes '2' here"),
    (["fit", "a", "b"], "nothing takes 'b' here"),
    (["fit", "x", "--budget", "3 hours", "--model", "rf"], "budget must be a time"),
    (["report", "m", "x", "--out", "r.txt"], "unknown suffix of --out '.txt'"),
]
FILES = [
    ("seeds: one", "--seeds takes a whole number, not 'one'"),
    ("lr: [1]", "--lr takes a number, not '[1]'"),
    ("hidden: {a: 1}", "--hidden takes a whole number, not "),
    ("overrides: 5", "--overrides takes a list, each of it names with a value each, not '5'"),
]


@pytest.mark.parametrize(("arguments", "said"), CASES, ids=[" ".join(a) for a, _ in CASES])
def test_a_value_of_another_kind_is_told_in_words(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nodes.csv").write_text("id,a,label\nx,1.5,1\ny,2.5,0\n")
    (tmp_path / "edges.csv").write_text("source,target\nx,y\n")
    arguments = [
        str(tmp_path) if word == "x" and i == 1 else word for i, word in enumerate(arguments)
    ]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert said in error and "<class" not in error


@pytest.mark.parametrize(("line", "said"), FILES)
def test_the_same_of_a_file(line, said, capsys, tmp_path):
    (tmp_path / "c.yaml").write_text(f"dataset: x\n{line}\n")
    assert main(["--config", str(tmp_path / "c.yaml")]) == 2
    error = capsys.readouterr().err
    assert said in error and "c.yaml: " in error


def test_one_value_stands_for_a_list_of_it(capsys, tmp_path):
    lines = "dataset: reddit\nmodel: gcn\nspace: {nosuch: 1}\n"
    (tmp_path / "study.yaml").write_text(lines)
    assert main(["study", str(tmp_path / "study.yaml")]) == 2
    assert "space: unknown setting 'nosuch'" in capsys.readouterr().err
    (tmp_path / "study.yaml").write_text(lines.replace("nosuch: 1", "lr: fast"))
    assert main(["study", str(tmp_path / "study.yaml")]) == 2
    assert "lr must be a number, not 'fast'" in capsys.readouterr().err
