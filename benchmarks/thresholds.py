"""How honest a detector's threshold and probabilities are, over resampled splits.

    python benchmarks/thresholds.py --splits 50

Simulated accounts and payments; each split trains anew, and looks up whether the test nodes'
precision and recall at the cut lie in the intervals that were stated from the validation nodes.
Prints, for each rule, the share of the splits in which they do, and the mean calibration error.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd

from aiec_graph.data.user import from_frames
from aiec_graph.detect import FraudDetector, as_nodes
from aiec_graph.detect.calibration import expected_calibration_error

RULES = ("f1", "precision=0.6", "recall=0.8", "cost=1:20")


def make_frames(nodes: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Simulated: the risk of an account shows in its own features and in its neighbours'."""
    rng = np.random.default_rng(seed)
    source, target = rng.integers(nodes, size=(2, 4 * nodes))
    hidden = rng.standard_normal(nodes)
    around = np.bincount(target, hidden[source], nodes) / np.maximum(
        np.bincount(target, minlength=nodes), 1
    )
    risk = hidden + 1.5 * around + 0.5 * rng.standard_normal(nodes)
    columns = {f"x{i}": hidden * (i < 2) + rng.standard_normal(nodes) for i in range(6)}
    label = (risk > np.quantile(risk, 0.93)).astype(int)
    accounts = pd.DataFrame({"id": np.arange(nodes), **columns, "label": label})
    return accounts, pd.DataFrame({"source": source, "target": target})


def main() -> None:
    """Runs the splits and prints a line for each rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=int, default=50)
    parser.add_argument("--nodes", type=int, default=6000)
    parser.add_argument("--model", default="sage")
    parser.add_argument("--epochs", type=int, default=60)
    options = parser.parse_args()
    graph = from_frames(*make_frames(options.nodes, 0))
    held: dict[str, list[tuple[bool, bool]]] = {rule: [] for rule in RULES}
    errors, started = [], time.perf_counter()
    for seed in range(options.splits):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            detector = FraudDetector(
                options.model, epochs=options.epochs, random_state=seed, n_jobs=1
            ).fit(graph)
            nodes = as_nodes(graph)
            score = detector.decision_function(nodes)
            chance = detector.predict_proba(nodes)[:, 1]
        test = detector.trained_on_.parts(graph) == ""
        y = graph.y[test]
        errors.append(expected_calibration_error(y, chance[test]))
        for rule in RULES:
            detector.set_threshold(rule)
            found = detector.threshold_
            flag = score[test] >= found.cut.value
            precision = y[flag].mean() if flag.any() else 0.0
            held[rule].append(
                (
                    found.precision.low <= precision <= found.precision.high,
                    found.recall.low <= flag[y == 1].mean() <= found.recall.high,
                )
            )
    for rule, rows in held.items():
        precision, recall = np.mean(rows, axis=0)
        print(f"{rule:14} precision in its interval {precision:.0%}, recall {recall:.0%}")
    print(
        f"calibration error {np.mean(errors):.4f} on average, {np.max(errors):.4f} at most; "
        f"{options.splits} splits in {time.perf_counter() - started:.0f} s"
    )


if __name__ == "__main__":
    main()
