"""Weibo21: posts of nine domains, fake or real, turned into a graph of posts worded alike."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from aiec_graph.data.datasets.text_graph import embed, join_nearest
from aiec_graph.data.datasets.text_options import TextGraph
from aiec_graph.errors import InputError, named
from aiec_graph.graph.graph import PARTS, Graph
from aiec_graph.graph.storage.frame_file import read_frame

UNDETERMINED = "无法确定"  # the category that the authors' own loader drops
FILES = tuple(f"{part}.pkl" for part in PARTS)


def read(name: str, files: Sequence[Path], options: TextGraph) -> Graph:
    """Reads the three pickles, with the authors' split.

    Whatever is fitted is fitted on the training posts only; edges join all posts.

    Args:
        name: of the graph.
        files: those of `FILES`, in that order.
        options: how posts become nodes and edges.

    Raises:
        InputError: a file is forbidden, damaged or has other columns or labels, or the posts are
            too few for the options.
    """
    frames = [_read_part(path) for path in files]
    part = np.repeat(np.array(list(PARTS.values()), np.int8), [len(frame) for frame in frames])
    posts = pd.concat(frames, ignore_index=True)
    with named(name):
        x = embed(posts["content"].tolist(), part == PARTS["train"], options)
        edges = join_nearest(x, posts["domain"].to_numpy(str), options)
    return Graph(
        name=name,
        x=torch.from_numpy(x),
        edges=edges,
        y=posts["label"].to_numpy(np.int64, copy=True),
        node_ids=posts["id"].to_numpy(str),
        given={"supervised": part[None]},
    )


def _read_part(path: Path) -> pd.DataFrame:
    frame = read_frame(path)
    missing = [c for c in ("content", "label", "category") if c not in frame.columns]
    if missing:
        raise InputError(
            f"{path}: no column {missing[0]!r}; expected content, label and category, found "
            f"{', '.join(map(str, frame.columns))}"
        )
    label = pd.Series([int(v) if v in (0, 1) else -1 for v in frame["label"]], dtype=np.int64)
    wrong = np.flatnonzero(label < 0)
    if len(wrong):
        value = frame["label"].iloc[wrong[0]]
        raise InputError(f"{path}, row {wrong[0]}: label must be 0 or 1 (fake), not {value!r}")
    wrong = np.flatnonzero([not _is_text(text) for text in frame["content"]])
    if len(wrong):
        raise InputError(f"{path}, row {wrong[0]}: content must be text")
    rows = [f"{path.stem}:{row}" for row in range(len(frame))]
    posts = pd.DataFrame(
        {
            "id": rows,
            "content": frame["content"].to_list(),
            "label": label,
            "domain": frame["category"].astype(str).to_numpy(),
        }
    )
    posts = posts[(frame["category"] != UNDETERMINED).to_numpy()]
    if not posts["content"].str.strip().any():
        raise InputError(f"{path}: no posts with text in a determined category")
    return posts


def _is_text(value: object) -> bool:
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
