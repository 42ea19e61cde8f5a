"""The ways from posts to a graph."""

import numpy as np
import pytest

from aiec_graph.data import TextGraph
from aiec_graph.data.datasets.text_graph import embed, join_nearest
from aiec_graph.errors import InputError


def pairs_of(edges):
    return set(map(tuple, edges.edge_index.T.tolist()))


@pytest.fixture(scope="module")
def posts():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 6)).astype(np.float32)
    return x, np.array(["科技", "军事"])[np.arange(40) % 2]


def nearest(x, candidates, count):
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    pairs = set()
    for i in candidates:
        others = [j for j in candidates if j != i]
        best = sorted(others, key=lambda j: -float(unit[i] @ unit[j]))[:count]
        pairs |= {(i, j) for j in best} | {(j, i) for j in best}
    return pairs


def test_edges_in_all_or_within_domains_or_both(posts):
    x, domain = posts
    everywhere = nearest(x, range(40), 3)
    within = nearest(x, range(0, 40, 2), 3) | nearest(x, range(1, 40, 2), 3)
    for kind, expected in (
        ("all", everywhere),
        ("within", within),
        ("both", everywhere | within),
    ):
        options = TextGraph(neighbours=3, domain_edges=kind)
        assert pairs_of(join_nearest(x, domain, options)) == expected
    with pytest.raises(InputError, match="20 posts are too few for 20 neighbours"):
        join_nearest(x, domain, TextGraph(neighbours=20, domain_edges="within"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "sentense"}, "Did you mean 'sentence'"),
        ({"domain_edges": "withn"}, "Did you mean 'within'"),
        ({"neighbours": 0}, "neighbours must be at least 1"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(InputError, match=message):
        TextGraph(**options).check()


@pytest.fixture(scope="module")
def sentence_model(tmp_path_factory):
    """A language model of random weights, in the form in which real ones are kept."""
    parts = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("model")
    vocabulary = {c: i for i, c in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"今天气震惊速"])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokens = PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]"
    )
    tokens.save_pretrained(folder / "bert")
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    BertModel(config).save_pretrained(folder / "bert")
    transformer = parts.Transformer(str(folder / "bert"))
    SentenceTransformer(modules=[transformer, parts.Pooling(16)], device="cpu").save(
        str(folder / "sentences")
    )
    return str(folder / "sentences")


def test_sentence_embeddings(sentence_model):
    texts = ["今天天气"] * 3 + ["震惊速速"] * 3 + ["今震"]
    train = np.ones(7, dtype=bool)
    options = TextGraph(backend="sentence", sentence_model=sentence_model, dimensions=16)
    x = embed(texts, train, options)
    assert x.shape == (7, 16)
    assert x.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(x[0], x[1], atol=1e-6)
    assert np.abs(x[0] - x[3]).max() > 1e-3
    fewer = TextGraph(backend="sentence", sentence_model=sentence_model, dimensions=2)
    assert embed(texts, train, fewer).shape == (7, 2)


def test_a_sentence_model_that_is_not_there(tmp_path):
    pytest.importorskip("sentence_transformers")
    options = TextGraph(backend="sentence", sentence_model=str(tmp_path / "none"))
    with pytest.raises(InputError, match="cannot load the sentence model .* folder of a model"):
        embed(["a", "b"], np.ones(2, dtype=bool), options)
