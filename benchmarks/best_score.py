"""Every model beside `auto` on data sets, trial by trial: what it chooses, and what each part adds.

    python benchmarks/best_score.py --dataset reddit weibo21 --trials 10 --out results/best.csv
    python benchmarks/best_score.py --report --out results/best.csv

Each candidate of the portfolio is fitted once a trial. `auto` and its ablations (`auto_no_…`)
choose from these same fits, as they would from their own; `candidate: …` are the candidates by
themselves, and `rf_graph:refit` is fitted on the validation nodes as well, whose labels auto has
too. A row a model, written when its trial ends; trials that the file holds are not run again.
`--report` prints the means and the paired differences of `auto`, as Markdown.
"""

import argparse
import csv
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.artifacts.specs import FIRST_SEED, REFIT, SEED_STEP, trial_of
from aiec_graph.bench.study.statistics import compare, holm
from aiec_graph.data import Graph, Split, TextGraph, fractions, load_dataset, make_split
from aiec_graph.errors import look_up
from aiec_graph.metrics import evaluate
from aiec_graph.train import CLASSIFIERS, make_classifier
from aiec_graph.train.budget import parse_seconds
from aiec_graph.train.ensemble import AutoClassifier
from aiec_graph.train.portfolio import ABLATIONS

COLUMNS = ("dataset", "model", "seed", "auc", "ap", "rec_at_k", "seconds", "overlap", "weights")
BASELINES = ["rf", "rf_graph", "xgb_graph", f"rf_graph:{REFIT}", f"xgb_graph:{REFIT}"]
CANDIDATE = "candidate: "


class Result(NamedTuple):
    """One model of a trial."""

    model: str
    score: NDArray[np.float64]
    seconds: float
    weights: str = ""


def main() -> None:
    """Runs what the command names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", nargs="+", default=[], help="names or paths")
    parser.add_argument("--baseline", nargs="*", default=BASELINES, help=", ".join(CLASSIFIERS))
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--first-trial", type=int, default=300)
    parser.add_argument("--budget", type=parse_seconds, default=180.0, help="of auto: 90s, 3m")
    parser.add_argument("--data-root", type=Path, default=None)
    parser.add_argument("--out", type=Path, default=Path("results/best_score.csv"))
    parser.add_argument("--report", action="store_true", help="print the tables of --out")
    options = parser.parse_args()
    if options.report:
        report(pd.read_csv(options.out))
        return
    for model in options.baseline:
        look_up(model.removesuffix(f":{REFIT}"), CLASSIFIERS, "model")
    finished = _finished(options.out)
    for trial in range(options.first_trial, options.first_trial + options.trials):
        seed = FIRST_SEED + SEED_STEP * trial
        for dataset in options.dataset:
            graph = load_dataset(dataset, options.data_root, None, TextGraph())
            if (graph.label, str(seed)) in finished:
                continue
            split = make_split(graph, "supervised", seed, fractions(dataset), trial_of(seed))
            results = list(_trial(graph, split, seed, options))
            _append(options.out, [_row(graph, split, seed, result) for result in results])


def _trial(graph: Graph, split: Split, seed: int, options: argparse.Namespace) -> Iterator[Result]:
    begun = time.perf_counter()
    tried = AutoClassifier(options.budget, seed=seed).try_candidates(graph, split)
    spent = time.perf_counter() - begun
    for name in ABLATIONS:
        classifier = AutoClassifier(portfolio=name, seed=seed).choose(tried.only(name))
        weights = "; ".join(f"{t.name} {t.weight:.2f}" for t in classifier.trials_ if t.weight)
        yield Result(name, classifier.decision_function(graph), spent, weights)
    for part in tried.fitted:
        yield Result(f"{CANDIDATE}{part.candidate.name}", part.bag, part.seconds)
    both = replace(split, train_mask=split.train_mask | split.val_mask)
    for model in options.baseline:
        begun = time.perf_counter()
        name, _, how = model.partition(":")
        classifier = make_classifier(name, seed=seed).fit(graph, both if how else split)
        score = classifier.decision_function(graph)
        yield Result(model, score, time.perf_counter() - begun)


def _row(graph: Graph, split: Split, seed: int, result: Result) -> tuple[str, ...]:
    test = split.test_mask
    found = evaluate(graph.y[test], result.score[test])
    overlap = test.sum() / (split.train_mask | split.val_mask).sum()
    numbers = (f"{value:.3f}" for value in (*found, result.seconds, overlap))
    return (graph.label, result.model, str(seed), *numbers, result.weights)


def report(rows: pd.DataFrame) -> None:
    """Prints mean AP by model, and how far `auto` is ahead of each model but single candidates.

    The corrected t of Nadeau and Bengio (2003), with Holm's correction over the whole table.
    """
    trials = rows.groupby("dataset", sort=False)["seed"].nunique()
    print("| model |", " | ".join(f"{name} ({count})" for name, count in trials.items()), "|")
    print("|---" * (1 + len(trials)) + "|")
    for model, part in rows.groupby("model", sort=False):
        ap = part.groupby("dataset", sort=False)["ap"]
        told = [f"{mean:.2f} ± {std:.2f}" for mean, std in zip(ap.mean(), ap.std(), strict=True)]
        print(f"| {model} |", " | ".join(told), "|")
    pairs = []
    for dataset, part in rows.groupby("dataset", sort=False):
        ap = part.pivot(index="seed", columns="model", values="ap")
        others = [m for m in ap if m != "auto" and not str(m).startswith(CANDIDATE)]
        for model in others if len(ap) > 1 else []:
            found = compare((ap["auto"] - ap[model]).to_numpy(), part["overlap"].mean())
            pairs.append({"dataset": dataset, "model": model, **found._asdict()})
    if not pairs:
        print("\nOne trial: no difference can be compared.")
        return
    table = pd.DataFrame(pairs)
    table["p_holm"] = holm(table["p"])
    print("\n| data set | auto ahead of | points of AP | 95 % interval | p | p (Holm) |")
    print("|---|---|---|---|---|---|")
    for row in table.itertuples():
        interval = f"{row.low:+.2f} to {row.high:+.2f}"
        p = f"{row.p:.3f} | {row.p_holm:.3f}"
        print(f"| {row.dataset} | {row.model} | {row.difference:+.2f} | {interval} | {p} |")


def _finished(path: Path) -> set[tuple[str, str]]:
    if not path.is_file():
        return set()
    with path.open(newline="", encoding="utf-8") as stream:
        return {(row["dataset"], row["seed"]) for row in csv.DictReader(stream)}


def _append(path: Path, rows: list[tuple[str, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        if is_new:
            writer.writerow(COLUMNS)
        writer.writerows(rows)
    for row in rows:
        print(*row, sep="\t", flush=True)


if __name__ == "__main__":
    main()
