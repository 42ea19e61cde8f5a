"""Every classifier by name on data sets, trial by trial: what `auto` and each part of it add.

    python benchmarks/best_score.py --dataset reddit weibo21 --trials 10 --out results/best.csv

A row a run, written as it ends; what the file holds already is not run again. Networks train with
ReLU on standardised features. `auto_no_…` are the ablations of the portfolio, and `rf_graph:refit`
is fitted on the validation nodes as well, whose labels auto has too.
"""

import argparse
import csv
import time
from dataclasses import replace
from pathlib import Path

from aiec_graph.artifacts.specs import FIRST_SEED, REFIT, SEED_STEP, trial_of
from aiec_graph.data import TextGraph, fractions, load_dataset, make_split
from aiec_graph.errors import look_up
from aiec_graph.metrics import evaluate
from aiec_graph.train import CLASSIFIERS, make_classifier
from aiec_graph.train.budget import parse_seconds

COLUMNS = ("dataset", "model", "seed", "auc", "ap", "rec_at_k", "seconds", "weights")
MODELS = ["auto", "rf_graph", "xgb_graph", f"rf_graph:{REFIT}", f"xgb_graph:{REFIT}"]


def main() -> None:
    """Runs what the command names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", nargs="+", required=True, help="names or paths")
    parser.add_argument("--model", nargs="+", default=MODELS, help=", ".join(CLASSIFIERS))
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--first-trial", type=int, default=300)
    parser.add_argument("--budget", type=parse_seconds, default=180.0, help="of auto: 90s, 3m")
    parser.add_argument("--data-root", type=Path, default=None)
    parser.add_argument("--out", type=Path, default=Path("results/best_score.csv"))
    options = parser.parse_args()
    for model in options.model:
        look_up(model.removesuffix(f":{REFIT}"), CLASSIFIERS, "model")
    finished = _finished(options.out)
    for dataset in options.dataset:
        graph = load_dataset(dataset, options.data_root, None, TextGraph())
        for trial in range(options.first_trial, options.first_trial + options.trials):
            seed = FIRST_SEED + SEED_STEP * trial
            split = make_split(graph, "supervised", seed, fractions(dataset), trial_of(seed))
            for model in options.model:
                if (graph.label, model, str(seed)) in finished:
                    continue
                started = time.perf_counter()
                name, _, how = model.partition(":")
                both = replace(split, train_mask=split.train_mask | split.val_mask)
                own = {"budget": options.budget} if name.startswith("auto") else {}
                classifier = make_classifier(name, seed=seed, options=own)
                classifier.fit(graph, both if how else split)
                score = classifier.decision_function(graph)
                seconds = time.perf_counter() - started
                found = evaluate(graph.y[split.test_mask], score[split.test_mask])
                trials = getattr(classifier, "trials_", [])
                weights = "; ".join(f"{t.name} {t.weight:.2f}" for t in trials if t.weight)
                numbers = (f"{value:.3f}" for value in (*found, seconds))
                _append(options.out, (graph.label, model, str(seed), *numbers, weights))


def _finished(path: Path) -> set[tuple[str, str, str]]:
    if not path.is_file():
        return set()
    with path.open(newline="", encoding="utf-8") as stream:
        return {(row["dataset"], row["model"], row["seed"]) for row in csv.DictReader(stream)}


def _append(path: Path, row: tuple[str, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        if is_new:
            writer.writerow(COLUMNS)
        writer.writerow(row)
    print(*row, sep="\t", flush=True)


if __name__ == "__main__":
    main()
