"""How often a backtest's tests find a difference where there is none: simulated data.

Two models of equal expected quality, linear discriminants on two halves of exchangeable features,
are trained at each cut on all steps before it (or on a window) and compared in AP on the steps
after it. Training windows overlap; horizons do where they are longer than the distance of the cuts.

    python benchmarks/backtest_level.py --simulations 1000
"""

import argparse
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.bench.backtest.cuts import Schedule
from aiec_graph.bench.backtest.statistics import compare_cuts, correlation_of
from aiec_graph.bench.study.statistics import LEVEL, compare
from aiec_graph.metrics import average_precision

RIDGE = 1e-3


class Scenario(NamedTuple):
    """What is simulated."""

    steps: int = 49
    nodes: int = 60
    """A step."""
    every: int = 3
    horizon: int = 3
    train_window: int | None = None
    features: int = 10
    """Of each model."""
    rate: float = 0.1
    """Share of anomalies."""


SCENARIOS = {
    "all before, horizons apart": Scenario(),
    "all before, 40 features a model": Scenario(features=40),
    "window of 10 steps, horizons apart": Scenario(train_window=10),
    "all before, horizon twice the distance": Scenario(steps=80, horizon=6),
    "all before, horizon thrice the distance": Scenario(horizon=9),
}


class SimulatedTimeline(NamedTuple):
    """As much of a timeline as a schedule reads."""

    moment: NDArray[np.int64]
    y: NDArray[np.int64]
    unit: str = "step"
    label: str = "simulated"
    is_frozen: bool = True

    def at(self, moment: int) -> None:
        """There is no graph."""
        raise NotImplementedError


def differences(
    scenario: Scenario, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The differences in AP of one simulated backtest [9], and their correlation [9, 9]."""
    moment = np.repeat(np.arange(1, scenario.steps + 1), scenario.nodes)
    y = (rng.random(len(moment)) < scenario.rate).astype(np.int64)
    timeline = SimulatedTimeline(moment, y)
    width = scenario.features
    x = rng.standard_normal((len(y), 2 * width)) + y[:, None] * 0.35 / np.sqrt(width)
    schedule = Schedule(
        9, every=scenario.every, horizon=scenario.horizon, train_window=scenario.train_window
    )
    cuts = schedule.plan(timeline).cuts  # pyright: ignore[reportArgumentType]
    found = []
    for cut in cuts:
        split = cut.split(y, moment)
        learnt = split.train_mask | split.val_mask  # nothing is chosen on validation here
        ap = [
            average_precision(
                y[split.test_mask], half[split.test_mask] @ _discriminant(half[learnt], y[learnt])
            )
            for half in (x[:, :width], x[:, width:])
        ]
        found.append(100 * (ap[0] - ap[1]))
    return np.array(found), correlation_of(cuts, timeline)  # pyright: ignore[reportArgumentType]


def _discriminant(x: NDArray[np.float64], y: NDArray[np.int64]) -> NDArray[np.float64]:
    """Fisher's linear discriminant: Σ⁻¹ (μ₁ − μ₀)."""
    means = np.stack([x[y == value].mean(axis=0) for value in (0, 1)])
    centred = x - means[y]
    covariance = centred.T @ centred / len(x) + RIDGE * np.eye(x.shape[1])
    return np.linalg.solve(covariance, means[1] - means[0])


def rejections(scenario: Scenario, simulations: int, seed: int = 0) -> dict[str, float]:
    """The share of simulated backtests in which each test rejects at the 5 % level.

    Returns:
        `t` as a backtest computes it, `t_plain` without the correction for shared test nodes,
        `wilcoxon`, and the mean correlation of two cuts' differences, measured and expected.
    """
    rng = np.random.default_rng(seed)
    rows = [differences(scenario, rng) for _ in range(simulations)]
    corrected = [compare_cuts(d, known) for d, known in rows]
    plain = [compare(d, 0) for d, _ in rows]
    correlation = np.asarray(np.corrcoef(np.stack([d for d, _ in rows]).T))
    apart = ~np.eye(len(rows[0][0]), dtype=bool)
    return {
        "t": float(np.mean([c.p < LEVEL for c in corrected])),
        "t_plain": float(np.mean([c.p < LEVEL for c in plain])),
        "wilcoxon": float(np.mean([c.p_wilcoxon < LEVEL for c in plain])),
        "correlation": float(correlation[apart].mean()),
        "expected": float(np.mean([known[apart].mean() for _, known in rows])),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    table = {
        name: rejections(scenario, arguments.simulations, arguments.seed)
        for name, scenario in SCENARIOS.items()
    }
    print(pd.DataFrame(table).T.round(3).to_string())
