"""How a collection of texts becomes a graph: the options, apart from the libraries they need."""

from dataclasses import dataclass

from aiec_graph.errors import InputError, look_up

BACKENDS = ("tfidf", "sentence")
DOMAIN_EDGES = ("all", "within", "both")


@dataclass(frozen=True)
class TextGraph:
    """How texts become nodes and edges; the text below each field is its help."""

    backend: str = "tfidf"
    """tfidf: character n-grams; or sentence: the embeddings of a pretrained language model, which
    needs pip install 'aiec-graph[text]'."""
    sentence_model: str = "paraphrase-multilingual-MiniLM-L12-v2"
    """For sentence: the model, a name that sentence-transformers can download, or a folder."""
    ngram: int = 2
    """For tfidf: the longest character n-gram."""
    max_terms: int = 20_000
    """For tfidf: so many of the training posts' most frequent n-grams are kept."""
    dimensions: int = 128
    """Node features: dimensions of the truncated SVD, fitted on the training posts."""
    neighbours: int = 10
    """Each post is joined to so many posts nearest to it by cosine, in both directions."""
    domain_edges: str = "all"
    """Where the nearest posts are looked for: all (in every domain), within (in the post's own
    domain), or both (so many of each)."""

    def check(self) -> None:
        """Checks names and ranges.

        Raises:
            InputError: one is unknown or out of range.
        """
        look_up(self.backend, dict.fromkeys(BACKENDS), "text backend")
        look_up(self.domain_edges, dict.fromkeys(DOMAIN_EDGES), "kind of domain edges")
        for name in ("ngram", "max_terms", "dimensions", "neighbours"):
            if getattr(self, name) < 1:
                raise InputError(f"text {name} must be at least 1, not {getattr(self, name)}")
