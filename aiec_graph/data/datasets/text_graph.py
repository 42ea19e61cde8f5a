"""A collection of texts turned into a graph: vectors of the texts, joined to their nearest."""

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from aiec_graph.data.datasets.text_options import TextGraph
from aiec_graph.errors import InputError
from aiec_graph.graph.edges import Edges


def embed(texts: list[str], train: NDArray[np.bool_], options: TextGraph) -> NDArray[np.float32]:
    """Vectors of the texts [N, dimensions]; whatever is fitted is fitted on the training texts.

    Raises:
        InputError: the training texts are too few, or the language model cannot be loaded.
    """
    options.check()
    if options.backend == "sentence":
        vectors = _sentence_vectors(texts, options.sentence_model)
        if vectors.shape[1] <= options.dimensions:
            return vectors
    else:
        vectors = _tfidf(texts, train, options)
    limit = min(int(train.sum()), vectors.shape[1])
    if limit < options.dimensions:
        raise InputError(
            f"{int(train.sum())} training posts with {vectors.shape[1]} terms are too few for "
            f"{options.dimensions} dimensions"
        )
    svd = TruncatedSVD(options.dimensions, random_state=0)
    svd.fit(vectors[np.flatnonzero(train)])
    return np.ascontiguousarray(svd.transform(vectors), dtype=np.float32)


def _tfidf(texts: list[str], train: NDArray[np.bool_], options: TextGraph):  # a SciPy matrix
    tfidf = TfidfVectorizer(
        analyzer="char",
        ngram_range=(1, options.ngram),
        max_features=options.max_terms,
        sublinear_tf=True,
        dtype=np.float32,  # pyright: ignore[reportArgumentType]
    )
    tfidf.fit([text for text, is_train in zip(texts, train, strict=True) if is_train])
    return tfidf.transform(texts)


def _sentence_vectors(texts: list[str], model: str) -> NDArray[np.float32]:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise InputError(
            "the text backend 'sentence' needs sentence-transformers: pip install "
            "'aiec-graph[text]'"
        ) from None
    try:
        # No pickled weights: safetensors hold numbers only.
        encoder = SentenceTransformer(model, device="cpu", model_kwargs={"use_safetensors": True})
    except Exception as error:  # noqa: BLE001 (a model that is no model can raise anything)
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise InputError(
            f"cannot load the sentence model {model!r} ({reason}); without a network, give the "
            "folder of a model that was downloaded elsewhere"
        ) from None
    vectors = encoder.encode(texts, show_progress_bar=True, normalize_embeddings=True)
    return np.ascontiguousarray(vectors, dtype=np.float32)


def join_nearest(x: NDArray[np.float32], domain: NDArray[np.generic], options: TextGraph) -> Edges:
    """Joins each vector to its nearest by cosine, in both directions.

    Args:
        x: [N, F].
        domain: of each text [N].
        options: how many, and where they are looked for.

    Raises:
        InputError: there are too few texts.
    """
    groups = []
    if options.domain_edges in ("all", "both"):
        groups.append(np.arange(len(x)))
    if options.domain_edges in ("within", "both"):
        groups += [np.flatnonzero(domain == name) for name in np.unique(domain)]
    unit = np.asarray(normalize(x), dtype=np.float32)
    ends = [_nearest(unit, group, options.neighbours) for group in groups]
    source, target = (np.concatenate([end[i] for end in ends]) for i in (0, 1))
    both = np.concatenate([source, target]), np.concatenate([target, source])
    return Edges.from_pairs(*both, num_nodes=len(x))


def _nearest(
    unit: NDArray[np.float32], group: NDArray[np.int64], neighbours: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if len(group) <= neighbours:
        raise InputError(f"{len(group)} posts are too few for {neighbours} neighbours each")
    # On unit vectors the Euclidean order is the cosine order; asked without a query, the search
    # leaves out each post itself and keeps its copies.
    search = NearestNeighbors(n_neighbors=neighbours, n_jobs=-1).fit(unit[group])
    nearest = search.kneighbors(return_distance=False)
    return group[nearest.ravel()], np.repeat(group, neighbours)
