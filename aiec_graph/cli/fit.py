"""The command `fit`."""

from dataclasses import dataclass, field, fields
from pathlib import Path

from aiec_graph.names import ACTIVATIONS, CLASSIFIERS

KNOWN = {"model": CLASSIFIERS, "act": ACTIVATIONS}


@dataclass(frozen=True)
class FitOptions:
    """The parameters of a detector that the command line sets."""

    model: str = "auto"
    """auto mixes forests, boosting and networks; or one of them, or a baseline."""
    budget: str = "60s"
    """Time that auto may take: 90s, 10m, 1h."""
    act: str = "aiec"
    """Activation of a network."""
    threshold: str = "f1"
    """Where the list ends, by the validation nodes: f1, precision=0.9, recall=0.8, top=200,
    cost=1:50 (false alarm : miss) or score=1.5. The command threshold changes it later."""
    base_rate: float | None = None
    """Share of anomalies among the nodes that will be scored, where the labelled ones are
    enriched with them."""
    split: str = "auto"
    """auto (given with the data, else by time_step, else at random), given, stratified, time,
    time=T1:T2 (train up to T1, validation up to T2) or group (connected accounts together)."""
    validation_size: float = 0.2
    """Share of the validation nodes, which choose the epoch, the threshold and the calibration."""
    test_size: float = 0.2
    """Share of the test nodes, on which the model card's metrics are measured; 0 for none."""
    hidden: int | None = None
    """Width of a network's hidden layers."""
    layers: int | None = None
    """Number of a network's graph layers."""
    lr: float | None = None
    """A network's learning rate."""
    epochs: int | None = None
    """Largest number of a network's epochs."""
    batch_size: str = "auto"
    """Training nodes of a network's step; full for the whole graph at once, or auto: full where it
    fits in memory, else batches of 1024. Scores are exact either way."""
    fanout: list[int] = field(default_factory=list)
    """In batches: neighbours that are sampled of a node at each layer, the last layer's first; -1
    for all (default: 10 at each layer)."""
    features: str = "standard"
    """A network's inputs of a node's own columns: standard (mean 0, variance 1), raw, row or
    robust. Or what the columns of any model are made of: own, structural (degrees, walks, core
    number, triangles, component), labels (the training labels around a node) and spectral; of
    several such as own+structural. Without own, nodes need no columns."""
    as_of: str | None = None
    """A day such as 2026-01-31, or a number: transactions, edges and nodes of a later time are left
    out."""
    random_state: int = 0
    """Seed of everything drawn."""


DEFAULTS = FitOptions()
MODEL = Path("model")


def fit(
    data: str, options: FitOptions = DEFAULTS, out: Path = MODEL, overwrite: bool = False
) -> int:
    """Fits a detector on a graph with labels, and saves it with a model card.

      run_bench.py fit accounts/ --out model/ --threshold precision=0.9
      run_bench.py fit accounts/ --model xgb_graph --base-rate 0.001
      run_bench.py score model/ next-month/ --out suspects.csv

    The labelled nodes are split into train, validation and test. The training nodes fit the model;
    the validation nodes choose its epoch, the threshold and the calibration of probabilities; the
    test nodes tell how good all that is. docs/guides/own-graphs.md says what DATA can be.

    Args:
        data: A folder of tables, a file, or the name of a data set.
        options: Parameters of the detector.
        out: The folder of the model, with card.md for people and card.json for programs.
        overwrite: A model that is there under this name is replaced.

    Raises:
        InputError: an option or the data cannot be used, or something is there already.
    """
    from rich.console import Console

    from aiec_graph.cli.detection import reporting
    from aiec_graph.detect import FraudDetector
    from aiec_graph.detect.card import describe_fit
    from aiec_graph.detect.store import check_folder

    check_folder(out, overwrite)
    parameters = {entry.name: getattr(options, entry.name) for entry in fields(options)}
    detector = FraudDetector(**parameters)
    with reporting() as console:
        detector.fit(data)
        detector.save(out, overwrite=overwrite)
        for line in describe_fit(detector):
            console.print(line, markup=False)
    Console(soft_wrap=True).print(f"{out}: fitted; see {out / 'card.md'}", markup=False)
    return 0
