"""Files and frames of a user's own as they come: misnamed, in another encoding, of another kind."""

import re
from pathlib import Path

import pandas as pd
import pytest

from aiec_graph.data.user import Declaration, from_frames, load_own
from aiec_graph.data.user.folder import profile_own
from aiec_graph.errors import InputError

NODES = pd.DataFrame({"id": ["a", "b"], "x": [1.0, 2.0], "label": [0, 1]})
EDGES = pd.DataFrame({"source": ["a"], "target": ["b"]})


@pytest.fixture
def folder(tmp_path) -> Path:
    NODES.to_csv(tmp_path / "nodes.csv", index=False)
    EDGES.to_csv(tmp_path / "edges.csv", index=False)
    return tmp_path


@pytest.mark.parametrize("name", ["graph.yml", "Graph.YAML", "graph.yaml.txt"])
def test_a_declaration_of_nearly_that_name_is_not_passed_over(folder, name):
    (folder / name).write_text("label: size")
    with pytest.raises(InputError, match=f"{re.escape(name)}: .* read from graph.yaml"):
        load_own(folder)


def test_a_declaration_in_utf_16(folder):
    (folder / "graph.yaml").write_bytes("label: nosuch".encode("utf-16"))
    with pytest.raises(InputError, match="names the column 'nosuch'"):
        load_own(folder)


def test_a_file_is_named_once(folder):
    (folder / "graph.yaml").write_text("edges: [edges.csv, edges.csv]")
    with pytest.raises(InputError, match=r"edges: edges\.csv is there twice"):
        load_own(folder)


def test_as_of_is_a_day_and_no_hour_of_it():
    assert Declaration(as_of="2026-01-31 00:00:00").as_of == "2026-01-31"
    with pytest.raises(InputError, match="not a time of the day"):
        Declaration(as_of="2026-01-31 12:00")


class Arrowlike:
    """A table of another library."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def to_pandas(self) -> pd.DataFrame:
        return self.frame


def test_frames_of_other_libraries_and_what_is_none():
    nodes, edges = Arrowlike(NODES), Arrowlike(EDGES)
    assert from_frames(nodes, edges).x.tolist() == [[1.0], [2.0]]  # pyright: ignore
    with pytest.raises(InputError, match="nodes: must be a pandas DataFrame, not dict"):
        from_frames({"id": ["a"]}, EDGES)  # pyright: ignore


def test_ids_whose_accents_are_composed_in_two_ways_are_told():
    nodes = pd.DataFrame({"id": ["\u00e9"], "x": [1.0]})
    edges = pd.DataFrame({"source": ["e\u0301"], "target": ["e\u0301"]})
    with pytest.raises(InputError, match="accents are composed in two ways"):
        from_frames(nodes, edges)


@pytest.mark.parametrize("weight", [None, 2.0])
def test_merged_edges_say_what_becomes_of_their_weights(folder, weight):
    edges = pd.concat([EDGES, EDGES])
    if weight is not None:
        edges["weight"] = weight
    edges.to_csv(folder / "edges.csv", index=False)
    line = next(n for n in profile_own(folder).notes if "are merged" in n)
    assert line.endswith("weights added" if weight else "they are merged")
