"""reddit, weibo and weibo21: what loads, and what must never run."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch_geometric.data import Data

from aiec_graph.data import load_dataset
from aiec_graph.data.datasets.text_options import TextGraph
from aiec_graph.data.datasets.weibo21 import FILES, UNDETERMINED, read
from aiec_graph.errors import InputError
from aiec_graph.graph.graph import Split

REAL = Path(__file__).parents[4] / "shared" / "data"
has_real_files = pytest.mark.skipif(
    not REAL.is_dir(), reason="the real files are not beside the checkout"
)


class Bomb:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def small(**changes):
    g = torch.Generator().manual_seed(0)
    parts = {
        "x": torch.randn(30, 4, generator=g).double(),
        "edge_index": torch.randint(30, (2, 80), generator=g),
        "y": (torch.arange(30) % 3 == 0).double(),
    }
    return Data(**(parts | changes))


def saved(folder, content, name="weibo.pt"):
    (folder / "weibo").mkdir(exist_ok=True)
    torch.save(content, folder / "weibo" / name)
    return folder


def test_plain_and_zipped_files_load_alike(tmp_path):
    data = small()
    plain = load_dataset("weibo", saved(tmp_path, data))
    assert torch.equal(plain.x, data.x.float())
    expected = data.edge_index.flip(0).unique(dim=1).flip(0)
    assert torch.equal(plain.edge_index, expected)
    assert np.array_equal(plain.y, data.y.numpy())
    file = tmp_path / "weibo" / "weibo.pt"
    with zipfile.ZipFile(tmp_path / "weibo" / "weibo.pt.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(file, "deep/weibo.pt")
    file.unlink()
    assert torch.equal(load_dataset("weibo", tmp_path).x, plain.x)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (small(y=torch.arange(30)), "label 2; expected 0 .normal. or 1"),
        (small(x=None), "no x in it"),
        (small(x=torch.full((30, 4), torch.nan)), "not a finite number"),
        (small(edge_index=torch.tensor([[0], [30]])), "names node 30"),
        (small(edge_index=torch.rand(2, 5)), "integers"),
        (small(y=torch.zeros(29)), "label a node"),
        (small(y=torch.zeros(15, 2)), "label a node"),
        (small(y=torch.full((30, 2), 0.5)), "one-hot"),
        (small(y=torch.full((30,), 0.5)), "node 0 has the label 0.5"),
        (small(edge_weight=torch.full((80,), -1.0)), "edge_weight"),
        (small(train_mask=torch.ones(30)), "not all of train_mask, val_mask, test_mask"),
        (small(x=torch.zeros(30, 4, dtype=torch.complex64)), "real numbers"),
        (small(x=torch.zeros(30, 0)), "above 0"),
        ({"x": 1}, "x must be a dense tensor"),
        ({"a": 1}, "no x in it"),
    ],
)
def test_other_contents_are_refused(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        load_dataset("weibo", saved(tmp_path, content))


def test_a_pt_file_that_tries_to_run_code_does_not(tmp_path):
    marker = tmp_path / "ran"
    for name in ("weibo.pt", "weibo.pt.zip"):
        saved(tmp_path, {"x": Bomb(marker)})
        file = tmp_path / "weibo" / "weibo.pt"
        if name.endswith("zip"):
            with zipfile.ZipFile(tmp_path / "weibo" / name, "w") as archive:
                archive.write(file, "weibo.pt")
            file.unlink()
        with pytest.raises(InputError, match=rf"{name}: it asks for the constructor \w+.mkdir"):
            load_dataset("weibo", tmp_path)
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x80\x02garbage", b"plain text"])
@pytest.mark.parametrize("name", ["weibo.pt", "weibo.pt.zip"])
def test_damaged_files_are_named(tmp_path, content, name):
    (tmp_path / "weibo").mkdir()
    (tmp_path / "weibo" / name).write_bytes(content)
    with pytest.raises(InputError, match="weibo.pt.*damaged"):
        load_dataset("weibo", tmp_path)


def test_zips_with_more_or_less_than_one_file(tmp_path):
    (tmp_path / "weibo").mkdir()
    with zipfile.ZipFile(tmp_path / "weibo" / "weibo.pt.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(InputError, match="one .pt file, and this one holds 0"):
        load_dataset("weibo", tmp_path)


# --- weibo21 -------------------------------------------------------------------------------------

WORDS = {0: ["今天", "天气", "晴朗", "会议", "公布"], 1: ["震惊", "速看", "转发", "真相", "秘密"]}


def load(name, folder, options):
    return read(name, [folder / file for file in FILES], options)


OPTIONS = TextGraph(max_terms=200, dimensions=8, neighbours=3)


def posts(seed, rows):
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.arange(rows) % 2)
    text = ["".join(rng.choice(WORDS[y], 6)) + str(i) for i, y in enumerate(label)]
    category = rng.choice(["科技", "军事", UNDETERMINED], rows, p=[0.5, 0.4, 0.1])
    return pd.DataFrame({"content": text, "label": label, "category": category}).astype(object)


def write_frame(path, frame):
    """Pickles a frame as the published ones are: objects, no Arrow strings."""
    if isinstance(frame, pd.DataFrame):
        frame = frame.astype(object)
        frame.columns = pd.Index(list(frame.columns), dtype=object)
    path.write_bytes(pickle.dumps(frame, protocol=4))


def write_parts(folder, **changes):
    folder.mkdir(exist_ok=True)
    for seed, part in enumerate(("train", "val", "test")):
        frame = posts(seed, 60 if part == "train" else 30)
        write_frame(folder / f"{part}.pkl", changes.get(part, lambda f: f)(frame))
    return folder


def test_text_becomes_a_graph(tmp_path):
    folder = write_parts(tmp_path / "weibo21")
    graph = load("weibo21", folder, OPTIONS)
    parts = [posts(0, 60), posts(1, 30), posts(2, 30)]
    kept = [frame[frame["category"] != UNDETERMINED] for frame in parts]
    assert graph.x.shape == (sum(map(len, kept)), 8)
    assert np.array_equal(graph.y, np.concatenate([f["label"].astype(int) for f in kept]))
    masks = Split.from_parts(graph.given["supervised"][0]).masks()
    for mask, frame in zip(masks.values(), kept, strict=True):
        assert mask.sum() == len(frame)
    source, target = graph.edge_index.numpy()
    edges = set(zip(source.tolist(), target.tolist(), strict=True))
    assert all((t, s) in edges for s, t in edges)
    assert all(s != t for s, t in edges)
    assert len(edges) == len(source)
    assert np.bincount(target, minlength=len(graph.y)).min() >= 3


def test_features_are_fitted_on_training_posts_only(tmp_path):
    before = load("weibo21", write_parts(tmp_path / "a"), OPTIONS)

    def altered(frame):
        frame = frame.copy()
        frame.loc[len(frame) - 1, "content"] = "完全不同的文字内容" * 9
        return frame

    after = load("weibo21", write_parts(tmp_path / "b", test=altered), OPTIONS)
    others = slice(0, len(before.y) - 1)
    assert torch.equal(before.x[others], after.x[others])


def test_a_pickle_that_tries_to_run_code_does_not(tmp_path):
    folder = write_parts(tmp_path / "weibo21")
    marker = tmp_path / "ran"
    for payload in (Bomb(marker), posts(0, 5).assign(content=[Bomb(marker)] * 5)):
        (folder / "val.pkl").write_bytes(pickle.dumps(payload))
        with pytest.raises(InputError, match=r"val.pkl: it asks for the constructor"):
            load("weibo21", folder, OPTIONS)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="label"), "no column 'label'"),
        (lambda f: f.assign(label=2), "row 0: label must be 0 or 1"),
        (lambda f: f.assign(label=[None] * len(f)), "row 0: label must be"),
        (lambda f: f.assign(content=7), "row 0: content must be text"),
        (lambda f: {"not": "a frame"}, "holds a dict"),
    ],
)
def test_other_tables_are_refused(tmp_path, change, message):
    folder = write_parts(tmp_path / "weibo21")
    write_frame(folder / "test.pkl", change(pickle.loads((folder / "test.pkl").read_bytes())))
    with pytest.raises(InputError, match=f"test.pkl.*{message}"):
        load("weibo21", folder, OPTIONS)


def test_text_that_cannot_be_used(tmp_path):
    empty = write_parts(tmp_path / "a", train=lambda f: f.assign(content=" "))
    with pytest.raises(InputError, match="train.pkl: no posts with text"):
        load("weibo21", empty, OPTIONS)
    undetermined = write_parts(tmp_path / "b", val=lambda f: f.assign(category=UNDETERMINED))
    with pytest.raises(InputError, match="val.pkl: no posts with text"):
        load("weibo21", undetermined, OPTIONS)
    torn = write_parts(
        tmp_path / "c",
        test=lambda f: f.assign(content=pd.Series(["\ud800"] * len(f), dtype=object)),
    )
    with pytest.raises(InputError, match="test.pkl.*(text|pickle)"):
        load("weibo21", torn, OPTIONS)


@pytest.mark.parametrize("content", [b"", b"\x80\x04torn", b"text"])
def test_damaged_pickles_are_named(tmp_path, content):
    folder = write_parts(tmp_path / "weibo21")
    (folder / "train.pkl").write_bytes(content)
    with pytest.raises(InputError, match="train.pkl: not a readable pickle"):
        load("weibo21", folder, OPTIONS)


# --- the real files ------------------------------------------------------------------------------


@has_real_files
def test_real_reddit():
    graph = load_dataset("reddit", REAL)
    assert graph.x.shape == (10_984, 64)
    assert graph.edge_index.shape == (2, 168_016)
    assert graph.y.sum() == 366


@has_real_files
def test_real_weibo21():
    graph = load_dataset("weibo21", REAL)
    assert graph.x.shape == (9_128, 128)
    assert graph.y.sum() == 4_488
    assert np.bincount(graph.given["supervised"][0]).tolist() == [0, 5_473, 1_825, 1_830]
