"""A simulator of Weibo21: pickled tables of Chinese-looking posts by domain, fake or real.

The posts are strings of made-up words over common characters and mean nothing. A domain has words
of its own; fake and real posts differ in how often they use a small set of planted words.
"""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data.datasets.cards import Card
from aiec_graph.data.datasets.weibo21 import FILES, UNDETERMINED
from aiec_graph.data.simulate.marker import Planted

SMALLEST_SCALE = 0.05
ROWS = (5_751, 1_918, 1_923)
UNDETERMINED_SHARE = 0.048
FAKE_SHARE = 0.49
DOMAINS = (
    "科技",
    "军事",
    "教育考试",
    "灾难事故",
    "政治",
    "医药健康",
    "财经商业",
    "文体娱乐",
    "社会生活",
)
FIRST_CHARACTER, CHARACTERS = 0x4E00, 2_000
COMMON_WORDS, DOMAIN_WORDS, PLANTED_WORDS = 800, 150, 40
WORDS_A_POST = (15, 60)
PLANTED_RATE = 0.06
"""Share of planted words in a post; a post of the other class has a third of them."""


def write(_: Card, folder: Path, scale: float, rng: np.random.Generator) -> Planted:
    """Writes the three pickles and says which words carry the signal."""
    words = _words(COMMON_WORDS + len(DOMAINS) * DOMAIN_WORDS + 2 * PLANTED_WORDS, rng)
    common, special, fake, real = np.split(
        words, np.cumsum([COMMON_WORDS, len(DOMAINS) * DOMAIN_WORDS, PLANTED_WORDS])
    )
    by_domain: dict[str, NDArray[np.str_]] = dict(
        zip(DOMAINS, np.split(special, len(DOMAINS)), strict=True)
    )
    for file, rows in zip(FILES, ROWS, strict=True):
        frame = _posts(max(round(rows * scale), 30), common, by_domain, (real, fake), rng)
        with (folder / file).open("wb") as stream:
            pickle.dump(frame, stream, protocol=4)
    return Planted([], [], [], words=[*fake.tolist(), *real.tolist()])


def _words(count: int, rng: np.random.Generator) -> NDArray[np.str_]:
    """Distinct words of two characters."""
    codes = rng.choice(CHARACTERS**2, count, replace=False)
    first, second = FIRST_CHARACTER + codes // CHARACTERS, FIRST_CHARACTER + codes % CHARACTERS
    return np.array([chr(a) + chr(b) for a, b in zip(first, second, strict=True)])


def _posts(
    rows: int,
    common: NDArray[np.str_],
    by_domain: dict[str, NDArray[np.str_]],
    planted: tuple[NDArray[np.str_], NDArray[np.str_]],
    rng: np.random.Generator,
) -> pd.DataFrame:
    label = (rng.random(rows) < FAKE_SHARE).astype(int)
    domain = rng.choice(list(by_domain), rows)
    category = np.where(rng.random(rows) < UNDETERMINED_SHARE, UNDETERMINED, domain)
    posts = []
    for is_fake, name in zip(label, domain, strict=True):
        length = rng.integers(*WORDS_A_POST)
        own, other = planted[is_fake], planted[1 - is_fake]
        counts = rng.multinomial(
            length, [0.6, 0.4 - 4 / 3 * PLANTED_RATE, PLANTED_RATE, PLANTED_RATE / 3]
        )
        groups = (common, by_domain[name], own, other)
        drawn = [rng.choice(group, n) for group, n in zip(groups, counts, strict=True)]
        posts.append("".join(rng.permutation(np.concatenate(drawn))))
    # Objects, as in the published files, which are older than pandas' Arrow strings.
    frame = pd.DataFrame({"content": posts, "label": label.tolist(), "category": category.tolist()})
    frame = frame.astype(object)
    frame.columns = pd.Index(list(frame.columns), dtype=object)
    return frame
