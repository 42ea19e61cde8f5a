"""What AIEC loses to simulated drift of known strength, beside other activations.

    python benchmarks/drift_dose.py --graphs 9 --out results/drift-dose.csv

Each simulated graph has 20 time steps. Up to the cut at step 16 anomalous nodes differ from normal
ones in two groups of eight columns; after it, the shift of the second group is multiplied by
1 - dose: at dose 0 nothing changes, at 1 these columns tell nothing any more, at 2 they tell the
opposite. The control splits the same nodes at random. Graphs are the sample.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from aiec_graph.artifacts.variants import parse_variant
from aiec_graph.bench.backtest.cuts import Cut
from aiec_graph.bench.backtest.runs import Views, fit_and_score, measure
from aiec_graph.bench.backtest.spec import BacktestSpec
from aiec_graph.bench.backtest.timeline import StepTimeline
from aiec_graph.bench.study.statistics import Comparison, compare, holm
from aiec_graph.graph.edges import Edges
from aiec_graph.graph.graph import Graph
from aiec_graph.names import ACTIVATIONS
from aiec_graph.train.settings import TrainSettings

STEPS, EACH, RATE = 20, 250, 0.1
STABLE, DRIFTING, NOISE = 8, 8, 16
SHIFT, SAME, PARTNERS = 0.5, 0.6, 4
CUT = Cut(moment=16, first=1, last=12, known=16, horizon=4)
KEYS = ["graph", "dose", "act", "split"]


def simulate(dose: float, seed: int) -> Graph:
    """A graph over time whose anomalies change after the cut; edges join nodes of one step."""
    rng = np.random.default_rng(seed)
    step = np.repeat(np.arange(1, STEPS + 1), EACH)
    y = (rng.random(len(step)) < RATE).astype(np.int64)
    x = rng.standard_normal((len(step), STABLE + DRIFTING + NOISE)).astype(np.float32)
    x[:, :STABLE] += SHIFT * y[:, None]
    kept = np.where(step > CUT.moment, 1 - dose, 1.0)
    x[:, STABLE : STABLE + DRIFTING] += SHIFT * (kept * y)[:, None]
    target = np.repeat(np.arange(len(step)), PARTNERS)
    source = step[target] * EACH - EACH + rng.integers(0, EACH, len(target))
    # Of the pairs across classes some are left out, so that like joins like.
    kept_pairs = (y[source] == y[target]) | (rng.random(len(target)) < 1 - SAME)
    edges = Edges.from_pairs(source[kept_pairs], target[kept_pairs], len(step))
    ids = np.arange(len(step))
    return Graph("simulated", torch.from_numpy(x), edges, y, ids, simulated=1.0, time_step=step)


def main() -> None:
    """Runs what is not in the table yet, and prints dose and response."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graphs", type=int, default=9)
    parser.add_argument("--doses", type=float, nargs="+", default=[0.0, 0.5, 1.0, 2.0])
    parser.add_argument("--act", nargs="+", default=["relu", "gelu", "aux_only", "aiec"])
    parser.add_argument("--model", default="gcn")
    parser.add_argument("--out", type=Path, default=Path("results/drift-dose.csv"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    done = pd.read_csv(asked.out) if asked.out.exists() else pd.DataFrame(columns=[*KEYS, "ap"])
    finished = set(done[KEYS].itertuples(index=False, name=None))
    rows: list[Any] = done.to_dict("records")
    for graph in range(asked.graphs):
        for dose in asked.doses:
            views = Views(StepTimeline(simulate(dose, graph)))
            for act in asked.act:
                for split in ("time", "random"):
                    if (graph, dose, act, split) in finished:
                        continue
                    ap = run(views, asked.model, act, split == "random", graph)
                    rows.append({"graph": graph, "dose": dose, "act": act, "split": split} | ap)
            pd.DataFrame(rows).to_csv(asked.out, index=False)
    print(respond(pd.DataFrame(rows), asked.act))


def run(views: Views, model: str, act: str, is_random: bool, seed: int) -> dict[str, float]:
    """The metrics of one training, in percent."""
    variant = parse_variant(act, ACTIVATIONS)
    settings = variant.apply(TrainSettings(features="standard"))
    spec = BacktestSpec(
        *("simulated", 1.0, "standard", model, variant.act, settings, CUT, "f1"),
        is_random=is_random,
        changes=variant.changes,
    )
    row = measure(fit_and_score(views, spec, seed), "f1")
    return {name: float(row[name]) for name in ("auc", "ap", "rec_at_k")}


def leads(
    own: pd.DataFrame, act: str, reference: str, over: str
) -> Iterator[tuple[str, Comparison]]:
    """The lead of an activation on one split, and what of it is beyond its lead at random.

    Args:
        own: AP of each sample, by activation and split.
        act: the activation.
        reference: the one that it is compared with.
        over: the split beside the random one.
    """
    lead = own[act] - own[reference]
    for name, values in (
        ("lead", lead[over]),
        ("lead less that at random", lead[over] - lead["random"]),
    ):
        yield name, compare(values.to_numpy(), 0.0)


def respond(rows: pd.DataFrame, acts: list[str]) -> str:
    """A line for each dose and activation against the first, with Holm over all of them."""
    wide = rows.pivot(index=["dose", "graph"], columns=["act", "split"], values="ap")
    lines = []
    for dose, own in wide.groupby(level="dose"):
        for act in acts:
            line = {"dose": dose, "act": act, "by time": own[act, "time"].mean()}
            line["at random"] = own[act, "random"].mean()
            if act != acts[0]:
                for name, found in leads(own, act, acts[0], "time"):
                    line |= {name: found.difference, f"p, {name}": found.p}
                    line[f"95 %, {name}"] = f"{found.low:+.1f} to {found.high:+.1f}"
            lines.append(line)
    table = pd.DataFrame(lines)
    tested = [str(name) for name in table if str(name).startswith("p, ")]
    if tested:
        p = table[tested].melt(ignore_index=False).dropna()
        corrected = p.assign(value=holm(p["value"]))
        table[tested] = corrected.pivot(columns="variable", values="value")[tested]
    return table.round(3).to_string(index=False)


if __name__ == "__main__":
    main()
