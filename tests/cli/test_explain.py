import pandas as pd
import pytest

from aiec_graph.cli.main import main
from aiec_graph.detect import FraudDetector
from tests.detect.conftest import make_frames

pytestmark = pytest.mark.filterwarnings("ignore::aiec_graph.detect.DetectionWarning")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explain")
    nodes, edges = make_frames(600)
    nodes.to_csv(folder / "nodes.csv", index=False)
    edges.to_csv(folder / "edges.csv", index=False)
    data = folder / "data"
    data.mkdir()
    for name in ("nodes.csv", "edges.csv"):
        (folder / name).rename(data / name)
    FraudDetector("logistic_graph").fit(data).save(folder / "model")
    return folder


def call(*arguments):
    return main([str(argument) for argument in arguments])


def test_reasons_of_nodes_are_printed(work, capsys):
    assert call("explain", work / "model", work / "data", "--node", "N0-3", "N0-5") == 0
    out = capsys.readouterr().out
    assert "N0-3: score" in out and "N0-5: score" in out and "typical" in out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ((), "name the nodes"),
        (("--node", "N0-3x"), "no node 'N0-3x'"),
        (("--node", "N0-3", "--most", 0), "--most must be at least 1"),
        (("--node", "N0-3", "--node", "N0-5"), "--node is there twice; name all after one"),
    ],
)
def test_what_cannot_be_explained(work, capsys, more, said):
    assert call("explain", work / "model", work / "data", *more) == 2
    assert said in capsys.readouterr().err


def test_a_list_with_reasons(work, tmp_path):
    out = tmp_path / "list.csv"
    assert call("score", work / "model", work / "data", "--out", out, "--reasons", 4) == 0
    frame = pd.read_csv(out)
    assert list(frame)[4:6] == ["rank", "reasons"]
    assert frame["reasons"].notna().tolist() == [True] * 4 + [False] * (len(frame) - 4)
    assert "typical" in frame["reasons"][0]
