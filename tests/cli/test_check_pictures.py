"""The command `check` on pictures."""

import json
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("timm")

from PIL import Image

from aiec_graph.cli.main import main
from aiec_graph.vision.recognise import holds_pictures


@pytest.fixture
def pets(tmp_path, monkeypatch):
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "cache"))
    for p, part in enumerate(("train", "test")):
        for k, name in enumerate(("cat", "dog")):
            (tmp_path / "pets" / part / name).mkdir(parents=True)
            for i in range(4 - p):
                rng = np.random.default_rng(100 * p + 10 * k + i)
                pixels = rng.integers(0, 255, (5, 6, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "pets" / part / name / f"{i}.png")
    return tmp_path / "pets"


def test_good_pictures(pets, capsys):
    assert main(["check", str(pets)]) == 0
    shown = capsys.readouterr().out
    for words in ("cat", "sizes: 6 × 5: 14", "modes: RGB: 14", "can be used"):
        assert words in shown
    assert main(["check", str(pets), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["counts"] == {"train": {"cat": 4, "dog": 4}, "test": {"cat": 3, "dog": 3}}
    assert found["faults"] == found["duplicates"] == found["left_out"] == []


def test_everything_that_is_wrong_is_named_at_once(pets, capsys):
    whole = (pets / "train" / "cat" / "0.png").read_bytes()
    (pets / "train" / "cat" / "1.png").write_bytes(whole[:60])
    (pets / "train" / "cat" / "2.png").write_bytes(b"")
    (pets / "train" / "cat" / "gone.png").symlink_to(pets / "nowhere.png")
    (pets / "train" / "cat" / "raw.cr2").write_bytes(b"II*")
    (pets / "test" / "cat" / "same.png").write_bytes(whole)
    (pets / "train" / "dog" / "also.png").write_bytes(whole)
    (pets / "train" / "owl").mkdir()
    assert main(["check", str(pets), "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    faults = "\n".join(found["faults"])
    for words in (
        *("1.png: cannot be read", "2.png: an empty file", "gone.png: a link that leads nowhere"),
        *("owl: no picture in it", "train and test differ in the class 'owl'"),
    ):
        assert words in faults
    assert [name.rpartition("/")[2] for name in found["left_out"]] == ["raw.cr2"]
    assert [name.rpartition("/")[2] for name in found["duplicates"]] == ["same.png"]
    assert [name.rpartition("/")[2] for name in found["contradictions"]] == ["also.png"]
    assert main(["check", str(pets)]) == 2
    shown = capsys.readouterr().out
    assert "fault: " in shown and "in two classes: " in shown and "cannot be used" in shown


def test_named_data_sets_and_one_folder(pets, capsys):
    assert main(["check", "digits", "--json"]) == 0
    assert sum(json.loads(capsys.readouterr().out)["counts"]["test"].values()) == 360
    assert main(["check", str(pets / "train"), "--json"]) == 0
    assert "2 of 8 pictures drawn" in json.loads(capsys.readouterr().out)["notes"][0]


def test_pictures_are_told_from_graphs(pets, tmp_path):
    assert holds_pictures(pets) and holds_pictures(pets / "train")
    assert holds_pictures(pets / "train" / "cat"), "pictures, if without a class"
    (pets / "labels.csv").write_text("a,b\n")
    assert holds_pictures(pets), "parts of pictures, and a table beside them"
    graph = tmp_path / "graph"
    (graph / "figures").mkdir(parents=True)
    (graph / "nodes.csv").write_text("id,label\n")
    Image.new("RGB", (2, 2)).save(graph / "figures" / "a.png")
    assert not holds_pictures(graph) and not holds_pictures(graph / "nodes.csv")
    listed = tmp_path / "list.csv"
    listed.write_text("path,label\npets/train/cat/0.png,cat\n")
    assert holds_pictures(listed) and not holds_pictures(tmp_path / "none")


def test_graphs_are_checked_without_torch(tmp_path):
    (tmp_path / "nodes.csv").write_text("id,label\n1,0\n2,1\n")
    (tmp_path / "edges.csv").write_text("source,target\n1,2\n")
    code = (
        "import sys; from aiec_graph.cli.main import main; "
        f"main(['check', {str(tmp_path)!r}]); print({{'torch', 'PIL', 'timm'}} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("set()")
