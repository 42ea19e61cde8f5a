"""Weibo21: a text collection turned into a graph of posts that are worded alike."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from aiec_graph.data.cards import find_file, read_card
from aiec_graph.data.graph import Graph, Split
from aiec_graph.data.safe_load import read_frame
from aiec_graph.errors import InputError

UNDETERMINED = "无法确定"  # the category that the authors' own loader drops
PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class TextGraph:
    """How posts become nodes and edges."""

    ngrams: tuple[int, int] = (1, 2)
    """Shortest and longest character n-gram of the TF-IDF."""
    max_terms: int = 20_000
    """The most frequent n-grams of the training posts that are kept."""
    dimensions: int = 128
    """Dimensions of the truncated SVD: the node features."""
    neighbours: int = 10
    """Each post is joined to so many posts nearest to it by cosine, in both directions."""


def load(name: str, folder: Path, options: TextGraph = TextGraph()) -> Graph:
    """Loads the three pickles, with the authors' split.

    TF-IDF and SVD are fitted on the training posts only; edges join all posts.

    Raises:
        InputError: a file is missing, forbidden, damaged or has other columns or labels.
    """
    card = read_card(name)
    frames = [_read_part(find_file(card, folder, f"{part}.pkl")) for part in PARTS]
    part = np.repeat(np.arange(3), [len(frame) for frame in frames])
    posts = pd.concat(frames, ignore_index=True)
    x = _embed(posts["content"].tolist(), part == 0, options)
    return Graph(
        name=name,
        x=torch.from_numpy(x),
        edge_index=torch.from_numpy(_neighbours(x, options.neighbours)),
        y=posts["label"].to_numpy(np.int64, copy=True),
        node_ids=posts["id"].to_numpy(),
        given_split=Split(*(part == i for i in range(3))),
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
    posts = pd.DataFrame({"id": rows, "content": frame["content"].to_list(), "label": label})
    posts = posts[(frame["category"] != UNDETERMINED).to_numpy()]
    if not posts["content"].str.strip().any():
        raise InputError(f"{path}: no posts with text in a determined category")
    return posts


def _is_text(value: object) -> bool:
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def _embed(texts: list[str], train: NDArray[np.bool_], options: TextGraph) -> NDArray[np.float32]:
    tfidf = TfidfVectorizer(
        analyzer="char",
        ngram_range=options.ngrams,
        max_features=options.max_terms,
        sublinear_tf=True,
        dtype=np.float32,  # pyright: ignore[reportArgumentType]
    )
    tfidf.fit([text for text, is_train in zip(texts, train, strict=True) if is_train])
    terms = tfidf.transform(texts)
    svd = TruncatedSVD(options.dimensions, random_state=0)
    limit = min(int(train.sum()), terms.shape[1])
    if limit < options.dimensions:
        raise InputError(
            f"weibo21: {int(train.sum())} training posts with {terms.shape[1]} terms are too few "
            f"for {options.dimensions} dimensions"
        )
    svd.fit(terms[np.flatnonzero(train)])
    return np.ascontiguousarray(svd.transform(terms), dtype=np.float32)


def _neighbours(x: NDArray[np.float32], neighbours: int) -> NDArray[np.int64]:
    if len(x) <= neighbours:
        raise InputError(f"weibo21: {len(x)} posts are too few for {neighbours} neighbours each")
    # On unit vectors the Euclidean order is the cosine order; asked without a query, the search
    # leaves out each post itself and keeps its copies.
    search = NearestNeighbors(n_neighbors=neighbours, n_jobs=-1).fit(normalize(x))
    nearest = search.kneighbors(return_distance=False)
    source, target = nearest.ravel(), np.repeat(np.arange(len(x)), neighbours)
    both = np.concatenate([np.stack([source, target]), np.stack([target, source])], axis=1)
    return np.unique(both, axis=1)
