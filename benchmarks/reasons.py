"""Whether reasons name what was planted, and whether the named neighbours matter.

    python benchmarks/reasons.py

The data are simulated: two own columns and the neighbours' means of three others make a node
anomalous, among ten columns. Of the highest nodes it prints

- how many of the five columns that contribute most are planted ones, over all of these nodes and
  for each by itself: whether the model found what was planted, and the reasons say so;
- how often the score changes more where the column that is named first has its usual value than
  where another has, and without the neighbour that is named first than without another: whether
  the reasons say what the model does.
"""

import argparse
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from numpy.random import Generator

from aiec_graph.detect import DetectionWarning, FraudDetector, as_nodes
from aiec_graph.detect.reasons import Explainer
from aiec_graph.detect.reasons_removal import score_without
from aiec_graph.detect.reasons_words import NodeReasons

PLANTED = {"c0", "c1", *(f"mean of c{k} over partners" for k in (2, 3, 4))}
MODELS = (
    "logistic_graph",
    "rf_graph",
    "xgb_graph",
    "hgb_graph",
    "gcn-relu",
    "sage-relu",
    "sage-aiec",
)


def simulate(nodes: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accounts of which 15 % are anomalous, and edges in both directions."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((nodes, 10))
    ends = rng.integers(nodes, size=(2, 4 * nodes))
    ends = ends[:, ends[0] != ends[1]]
    source, target = np.concatenate([ends, ends[::-1]], 1)
    degree = np.maximum(np.bincount(target, minlength=nodes), 1)
    risk = 1.2 * x[:, 0] + x[:, 1]
    for k in (2, 3, 4):
        risk += 2.4 * np.bincount(target, weights=x[source, k], minlength=nodes) / degree
    accounts = pd.DataFrame(x, columns=[f"c{k}" for k in range(10)])
    accounts.insert(0, "id", [f"n{i}" for i in range(nodes)])
    accounts["label"] = (risk > np.quantile(risk, 0.85)).astype(int)
    ids = accounts["id"].to_numpy()
    return accounts, pd.DataFrame({"source": ids[source], "target": ids[target]})


def score_with_usual(explainer: Explainer, node: int, column: str) -> float:
    """The score of a node where a column of its own, or of its partners, has its mean value."""
    own, _, partners = column.removeprefix("mean of ").partition(" over ")
    who = explainer.partners[[node]].indices if partners else [node]
    x = explainer.graph.x.clone()
    place = [c.name for c in explainer.graph.columns or ()].index(own)
    x[who, place] = x[:, place][torch.from_numpy(~explainer.flag)].mean()
    graph = replace(explainer.graph, x=x)
    return float(explainer.detector.classifier_.decision_function(graph)[node])


def column_beats_another(explainer: Explainer, reasons: NodeReasons, rng: Generator) -> bool:
    """Whether the first of the named columns changes the score more than a column at random."""
    known = [f"c{k}" for k in range(10)]
    known += [f"mean of {name} over partners" for name in known]
    named = next(c.column for c in reasons.columns if c.column in known)
    another = rng.choice([name for name in known if name != named])
    changes = [
        abs(reasons.score - score_with_usual(explainer, reasons.node, column))
        for column in (named, another)
    ]
    return changes[0] > changes[1]


def measure(model: str, nodes: int, count: int) -> str:
    """A row of the table for one model."""
    name, _, act = model.partition("-")
    data = as_nodes(simulate(nodes, 0))
    detector = FraudDetector(name, act or "relu", epochs=60, hidden=16).fit(data)
    explainer = Explainer(detector, data.graph)
    found = explainer.explain(np.argsort(-explainer.score)[:count])
    total: dict[str, float] = {}
    for column in (column for reasons in found for column in reasons.columns):
        total[column.column] = total.get(column.column, 0) + abs(column.contribution)
    over_all = sorted(total, key=lambda column: -total[column])[:5]
    each = [len(PLANTED & {c.column for c in reasons.columns}) / 5 for reasons in found]
    rng = np.random.default_rng(0)
    pairs, named = [], []
    for reasons in found:
        near = set(explainer.partners[[reasons.node]].indices.tolist())
        if reasons.neighbours and (others := near - {reasons.neighbours[0].node}):
            pairs.append((reasons.node, rng.choice(sorted(others))))
            named.append(abs(reasons.neighbours[0].change))
    without = score_without(detector.classifier_, explainer.prepared, np.array(pairs))
    change = np.abs(explainer.score[np.array(pairs)[:, 0]] - without)
    column = np.mean([column_beats_another(explainer, reasons, rng) for reasons in found])
    ap = detector.metrics_["test"].ap.value
    neighbour = np.mean(np.array(named) > change)
    shares = (len(PLANTED & set(over_all)) / 5, np.mean(each), column, neighbour)
    return f"| {model} | {ap:.2f} | " + " | ".join(f"{share:.0%}" for share in shares) + " |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=1500)
    parser.add_argument("--count", type=int, default=30)
    given = parser.parse_args()
    warnings.simplefilter("ignore", DetectionWarning)
    print(
        "| model | test AP | planted of the top five over all | of each | named column > another |"
        " named neighbour > another |"
    )
    print("|---|---|---|---|---|---|")
    for model in MODELS:
        print(measure(model, given.nodes, given.count), flush=True)


if __name__ == "__main__":
    main()
