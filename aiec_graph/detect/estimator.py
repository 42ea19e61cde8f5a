"""The detector: from any form of graph to a ranked list of suspects, in scikit-learn's habits."""

import logging
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from aiec_graph.artifacts.scores import explain_not_finite
from aiec_graph.artifacts.trained_on import TrainedOn
from aiec_graph.data import UNKNOWN, Graph
from aiec_graph.data.transforms.structural import is_symmetric
from aiec_graph.data.user import Declaration
from aiec_graph.detect.added_columns import OWN, SPECTRAL, STRUCTURAL, add_columns
from aiec_graph.detect.alarms import ThresholdWarning
from aiec_graph.detect.calibration import Calibrator
from aiec_graph.detect.conformal import alert_list, conformal_p_values
from aiec_graph.detect.describe import describe_data, describe_enrichment, tell_of
from aiec_graph.detect.drift import Drift, Reference, column_names
from aiec_graph.detect.effort import effort_of_fit, effort_of_scoring
from aiec_graph.detect.evaluation import Evaluation, evaluate_scores
from aiec_graph.detect.inputs import Aligned, align, as_nodes
from aiec_graph.detect.leakage import gap_after_fit
from aiec_graph.detect.nodes import Nodes
from aiec_graph.detect.parameters import DetectorParameters
from aiec_graph.detect.rules import Rule
from aiec_graph.detect.splits import split_again, split_nodes
from aiec_graph.detect.suspects import list_suspects, warn_of
from aiec_graph.detect.thresholds import Threshold, make_threshold
from aiec_graph.errors import InputError
from aiec_graph.extras import check_extra
from aiec_graph.metrics import average_precision
from aiec_graph.train.ensemble import AutoClassifier

if TYPE_CHECKING:
    from aiec_graph.detect.reasons_words import NodeReasons

LOG = logging.getLogger("aiec_graph.detect")


def _is_calibrated(detector: "FraudDetector") -> bool:
    return bool(detector.calibrate)


class FraudDetector(DetectorParameters):
    """Ranks the nodes of a graph by how anomalous they are, and says where to cut the list.

    `DetectorParameters` has the parameters and what they mean.

    Attributes that end in an underscore are there after `fit`; `leakage_gap_` is what
    `leakage.gap_after_fit` measures, or None. Every method that takes `data`
    takes whatever `as_nodes` does, and changes nothing in it; the methods that return something
    for each node do so in the order of its nodes. A fitted detector scores graphs and nodes that
    it has never seen; their columns are matched by name.
    """

    def fit(self, data: Any, y: Any = None) -> Self:
        """Splits the labelled nodes, trains, calibrates and chooses the cut.

        Args:
            data: a graph with labels; see `as_nodes`.
            y: labels in place of those in the data; see `Nodes.with_labels`.

        Raises:
            InputError: a parameter, the data or the labels cannot be used.
        """
        rule = self._check()
        seed = self._seed()
        if not isinstance(data, Nodes):
            LOG.info("loading %s", data if isinstance(data, str | Path) else "the graph")
        wanted = None if OWN in self._parts else ()
        nodes = as_nodes(data, y, self.declaration, self.as_of, wanted)
        own = nodes.alone_labelled()
        tell_of(own)
        # A search keeps test nodes of its own.
        test = self.test_size if nodes.is_whole else 0.0
        split, how = split_nodes(own, self.split, self.validation_size, test, seed)
        self.seed_ = seed
        # The graphs of later days have the same columns, whatever their edges.
        is_asked = STRUCTURAL in self._parts
        self.has_directions_ = is_asked and not is_symmetric(replace(own.edges, weight=None))
        graph = self._with_parts(own, split.train_mask)
        rows = int(split.train_mask.sum())
        if unused := self._list_unused():
            LOG.info("%s is no network and has no use for %s", self.model, ", ".join(unused))
        LOG.info("training %s on %s nodes", self.model, f"{rows:,}")
        classifier = self._make_classifier(seed)
        effort_of_fit(classifier, graph, rows).say("the training")
        chooses = isinstance(classifier, AutoClassifier)
        classifier.fit(graph, split_again(graph, split, how, seed) if chooses else split)
        score = classifier.decision_function(graph)
        self.classifier_ = classifier
        self.classes_ = np.array([0, 1])
        self.columns_ = own.columns if OWN in self._parts else ()
        self.declaration_ = dict(graph.declaration)
        self.n_features_in_ = int(own.x.shape[1])
        self.feature_names_in_ = np.array(column_names(own), dtype=object)
        self.split_ = how
        self.validation_y_ = graph.y[split.val_mask]
        self.validation_score_ = score[split.val_mask]
        self.nodes_ = len(graph.y)
        self.trained_on_ = TrainedOn.of(own, split)
        self.reference_ = Reference.of(graph, score, ~(split.train_mask | split.val_mask))
        LOG.info("calibrating on %s validation nodes", f"{len(self.validation_y_):,}")
        self._calibrate()
        self._set_threshold(rule)
        if self.base_rate is None and (line := describe_enrichment(graph)):
            warnings.warn(line, ThresholdWarning, stacklevel=2)
        parts = {k: m for k, m in split.masks().items() if k != "train" and m.any()}
        self.metrics_ = {k: self._evaluate(graph.y[m], score[m]) for k, m in parts.items()}
        self.data_ = describe_data(graph, split.masks())
        self.leakage_gap_ = gap_after_fit(self, data, nodes, score)
        return self

    def read(self, data: Any, y: Any = None, as_of: int | str | None = None) -> Nodes:
        """Reads later data in the columns of the training, and as was declared there.

        What was known at the time of the training says nothing of what is known now, so `as_of` of
        the training does not count.

        Args:
            data: whatever `as_nodes` takes; a folder's own graph.yaml counts before the training's.
            y: labels in place of those in the data.
            as_of: what is known: what came later is left out; all by default.

        Raises:
            InputError: the data cannot be used, or lack a column; names all that is at fault.
        """
        check_is_fitted(self)
        declared = self.declaration or Declaration.from_dict(self.declaration_)
        return as_nodes(data, y, replace(declared, as_of=""), as_of, self.columns_)

    def decision_function(self, data: Any) -> NDArray[np.float64]:
        """A score for each node [N]: higher is more anomalous; no probability.

        Raises:
            InputError: the data cannot be used, or have other columns than the fitted ones.
        """
        nodes = self.read(data)
        return self._score(nodes)[1][nodes.index]

    @available_if(_is_calibrated)
    def predict_proba(self, data: Any) -> NDArray[np.float64]:
        """Calibrated probabilities [N, 2] of being normal and anomalous.

        Raises:
            InputError: as `decision_function`.
        """
        chance = self.calibrator_(self.decision_function(data))
        return np.stack([1 - chance, chance], axis=1)

    def predict(self, data: Any) -> NDArray[np.int64]:
        """1 for the nodes that the threshold flags, 0 for the others [N].

        Raises:
            InputError: as `decision_function`.
        """
        return self._flag(self.decision_function(data)).astype(np.int64)

    def score(self, data: Any, y: Any = None) -> float:
        """The average precision over the labelled nodes of some data.

        Raises:
            InputError: as `decision_function`; or a class is absent.
        """
        nodes = self.read(data, y)
        score = self.decision_function(nodes)
        known = nodes.y != UNKNOWN
        try:
            return average_precision(nodes.y[known], score[known])
        except ValueError as error:
            raise InputError(f"{nodes.graph.label}: {error}") from None

    def rank(self, data: Any, false_alarms: float | None = None) -> pd.DataFrame:
        """The list of suspects: all nodes, the most anomalous first.

        Equal scores share a rank, and stand in the order of the data. Warns by name where the data
        have drifted from those of the training, and where scores tie.

        Args:
            data: what holds the nodes.
            false_alarms: adds the columns p_value and alert, see `alerts`.

        Returns:
            A row for each node: id, score, probability (if calibrated), flag, rank; then p_value
            and alert where they are asked for, and label, time_step and part (train or val, for a
            node that took part in the training) where there are any.

        Raises:
            InputError: as `decision_function`; or the share is out of range.
        """
        nodes = self.read(data)
        found, score = self._score(nodes)
        drift = self.reference_.compare(found.graph, score, found.unseen)
        warn_of(nodes.graph.label, drift, score[nodes.index])
        return list_suspects(self, nodes, score[nodes.index], false_alarms)

    def alerts(self, data: Any, false_alarms: float) -> NDArray[np.bool_]:
        """Flags nodes [N] so that on average at most a given share of the list is false.

        By conformal p-values on the normal validation nodes; see `aiec_graph.detect.conformal` for
        what it assumes, which the neighbourhoods of a graph can break.

        Raises:
            InputError: as `decision_function`; or the share is out of range.
        """
        return alert_list(self.p_values(self.decision_function(data)), false_alarms)

    def p_values(self, score: NDArray[np.floating]) -> NDArray[np.float64]:
        """How rarely a normal node scores as high, for scores of nodes [N]; see `alerts`."""
        normal = self.validation_score_[self.validation_y_ == 0]
        return conformal_p_values(normal, score)

    def drift(self, data: Any) -> Drift:
        """Compares some data, and their scores, with those of the training.

        Raises:
            InputError: as `decision_function`.
        """
        found, score = self._score(self.read(data))
        return self.reference_.compare(found.graph, score, found.unseen)

    def evaluate(self, data: Any, y: Any = None) -> Evaluation:
        """Metrics with intervals on labelled nodes that took no part in the training.

        Raises:
            InputError: as `decision_function`; or a class is absent.
        """
        nodes = self.read(data, y)
        score = self.decision_function(nodes)
        fresh = (nodes.y != UNKNOWN) & (self.trained_on_.parts(nodes.graph)[nodes.index] == "")
        if not {0, 1} <= set(nodes.y[fresh]):
            raise InputError(
                f"{nodes.graph.label}: {int(fresh.sum())} labelled nodes took no part in the "
                "training; an evaluation needs both anomalous and normal ones"
            )
        return self._evaluate(nodes.y[fresh], score[fresh], self._flag(score)[fresh])

    def explain(self, data: Any, nodes: Any, most: int = 5) -> "list[NodeReasons]":
        """Says why some nodes score as they do; see `aiec_graph.detect.reasons.explain`.

        Args:
            data: what holds the nodes.
            nodes: their ids.
            most: columns, and neighbours, to name of each.

        Raises:
            InputError: as `decision_function`; or an id is not in the data.
        """
        from aiec_graph.detect.reasons import explain

        return explain(self, data, nodes, most)

    def report(
        self,
        data: Any,
        path: str | Path,
        suspects: int = 10,
        baselines: bool = True,
        as_of: int | str | None = None,
    ) -> Path:
        """Writes a report on some data as one HTML file; see `aiec_graph.detect.report`.

        Args:
            data: what holds the nodes.
            path: of the file.
            suspects: number of nodes that are shown with reasons.
            baselines: whether plain models are fitted beside it, where the data hold the training
                nodes.
            as_of: what is known: what came later is left out, and the leakage gap shown.

        Raises:
            InputError: as `decision_function`; or the file holds something else.
        """
        for extra in ("explain", "report"):
            check_extra(extra)
        from aiec_graph.detect.report import write_report

        nodes = self.read(data, as_of=as_of)
        whole = None if as_of is None else self.read(data)
        return write_report(self, nodes, Path(path), suspects, baselines, whole=whole)

    def set_threshold(self, rule: str) -> Self:
        """Chooses another cut on the validation nodes, without fitting anew.

        Raises:
            InputError: it is no rule, or no cut fulfils it; the present one stays.
        """
        check_is_fitted(self)
        found = self._make_threshold(Rule.parse(rule))
        if not found.cut.is_met:
            raise InputError(found.warnings[-1])
        self.threshold_ = found
        self.threshold = rule
        return self

    def save(self, folder: str | Path, overwrite: bool = False) -> Path:
        """Writes the fitted detector and its model card into a folder.

        Args:
            folder: to make.
            overwrite: a detector that is there already is replaced; nothing else ever is.

        Raises:
            InputError: something is there already, or the folder cannot be written.
        """
        from aiec_graph.detect.store import save_detector

        check_is_fitted(self)
        return save_detector(self, Path(folder), overwrite)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Reads what `save` wrote; the scores are the same, bit for bit. Runs no code of a file's.

        Raises:
            InputError: it is no such folder, or damaged.
        """
        from aiec_graph.detect.store import load_detector

        return load_detector(cls, Path(folder))

    def in_columns(self, nodes: Nodes) -> Aligned:
        """The graph of some nodes in the columns of the training, those made of it among them.

        Raises:
            InputError: a column is missing; too few of the training nodes are there for columns of
                labels; or the graph is another than that of the training, whose spectrum cannot be
                compared.
        """
        check_is_fitted(self)
        found = Aligned(nodes.graph, {}, [], nodes.graph)
        if OWN in self._parts:
            found = align(nodes.graph, self.columns_, self.n_features_in_)
        if SPECTRAL in self._parts and not self.trained_on_.is_graph(found.own):
            raise InputError(
                f"{nodes.graph.label}: the model was fitted on the spectrum of another graph, "
                "which says nothing of this one; fit it anew, or without 'spectral' in features"
            )
        is_known = self.trained_on_.parts(found.own) == "train"
        graph = self._with_parts(found.own, is_known & (found.own.y != UNKNOWN))
        return replace(found, graph=graph)

    def _with_parts(self, graph: Graph, known: NDArray[np.bool_]) -> Graph:
        if self._parts == (OWN,):
            return graph
        return add_columns(graph, self._parts, known, self.has_directions_, self.seed_)

    def _calibrate(self) -> None:
        if self.calibrate:
            y, score = self.validation_y_, self.validation_score_
            self.calibrator_ = Calibrator.fit(y, score, self.base_rate)

    def _make_threshold(self, rule: Rule) -> Threshold:
        y, score = self.validation_y_, self.validation_score_
        # Of nodes as rare as the base rate says, a batch of the validation's size holds too few.
        is_whole = rule.kind == "top" or self.base_rate is not None
        batch = self.nodes_ if is_whole else len(y)
        return make_threshold(y, score, rule, self.base_rate, (self.nodes_, batch))

    def _set_threshold(self, rule: Rule) -> None:
        self.threshold_ = self._make_threshold(rule)
        for line in self.threshold_.warnings:
            warnings.warn(line, ThresholdWarning, stacklevel=3)

    def _score(self, nodes: Nodes) -> tuple[Aligned, NDArray[np.float64]]:
        """The graph of some nodes in the columns of the training, and the scores of all of it."""
        found = self.in_columns(nodes)
        effort_of_scoring(self.classifier_, found.graph).say("scoring")
        score = self.classifier_.decision_function(found.graph)
        if not np.isfinite(score).all():
            raise InputError(explain_not_finite(found.graph, score))
        return found, score

    def _flag(self, score: NDArray[np.float64]) -> NDArray[np.bool_]:
        return self.threshold_.flag(score)

    def _evaluate(
        self,
        y: NDArray[np.integer],
        score: NDArray[np.float64],
        flag: NDArray[np.bool_] | None = None,
    ) -> Evaluation:
        flag = score >= self.threshold_.cut.value if flag is None else flag
        fair = self.calibrate and self.base_rate is None
        return evaluate_scores(y, score, flag, self.calibrator_(score) if fair else None)
