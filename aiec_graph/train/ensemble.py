"""`auto`: a portfolio of models within a time budget, weighed by what they do on validation."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from aiec_graph.data import Graph, Preprocessor, Split
from aiec_graph.errors import InputError
from aiec_graph.metrics import average_precision
from aiec_graph.train.baselines import Columns, TableClassifier, logit
from aiec_graph.train.budget import Budget
from aiec_graph.train.classifier import (
    Arrays,
    State,
    nest,
    preprocessor_from_state,
    preprocessor_to_state,
    unnest,
)
from aiec_graph.train.folds import make_folds, spare_for_stopping
from aiec_graph.train.network_classifier import NetworkClassifier
from aiec_graph.train.portfolio import Candidate, portfolio
from aiec_graph.train.prepared import Prepared, prepare_graph
from aiec_graph.train.selection import (
    Ranker,
    Selection,
    Taken,
    from_top,
    mean_rank,
    select,
    to_rank,
)

LEAST_WEIGHT = 0.02
"""A model with less is left out: it would cost its time and change nothing."""
Member = TableClassifier | NetworkClassifier
MEMBERS: dict[str, type[Member]] = {"table": TableClassifier, "network": NetworkClassifier}


@dataclass
class Trial:
    """What became of one candidate."""

    name: str
    status: str
    """taken, lost, failed or no time."""
    val_ap: float | None = None
    """Average precision on validation (out of fold, where cross-validated), in percent."""
    weight: float = 0.0
    seconds: float = 0.0
    note: str = ""
    """Why it failed."""


class Step(NamedTuple):
    """Where a fit has got to, for a progress bar."""

    name: str
    """The candidate that begins."""
    done: int
    total: int
    seconds_left: float
    """Of the budget."""


class _Fitted(NamedTuple):
    """A candidate's models, one a fold, each with what turns its scores into ranks."""

    candidate: Candidate
    models: list[tuple[Member, Ranker]]
    val_ranks: NDArray[np.float64]
    """What `from_top` makes of the ranks, each among those of its own fold, of the nodes that the
    choice is made on [M]; so no fold's models are ahead of another's as a whole."""
    out_of_fold: NDArray[np.float64]
    """The same among all nodes that a model was not fitted on [M]."""
    bag: NDArray[np.float64]
    """The mean over the folds of the ranks of all nodes [N]."""
    seconds: float
    """Without the making of inputs that others share."""


class _Shared:
    """What all candidates need of a graph, made once."""

    def __init__(self, graph: Graph, preprocessor: Preprocessor) -> None:
        self.columns = Columns(graph, preprocessor)
        self._prepared: Prepared | None = None

    @property
    def prepared(self) -> Prepared:
        if self._prepared is None:
            self._prepared = prepare_graph(self.columns.graph)
        return self._prepared

    def make_inputs(self, model: Member) -> None:
        """Makes what a model needs of the graph, so that no candidate is charged with it."""
        if isinstance(model, TableClassifier):
            self.columns.table(model.recipe.columns)
        else:
            model.prepare_edges(self.prepared)

    def fit(self, model: Member, train_mask: NDArray[np.bool_], seed: int) -> None:
        """Fits a model on some nodes, of which a network stops on a part."""
        if isinstance(model, TableClassifier):
            model.fit_columns(self.columns, train_mask)
        else:
            graph = self.columns.graph
            model.fit_prepared(self.prepared, spare_for_stopping(graph, train_mask, seed))

    def score(self, model: Member) -> NDArray[np.float64]:
        if isinstance(model, TableClassifier):
            return model.score_columns(self.columns)
        return model.score_prepared(self.prepared)


@dataclass
class Tried:
    """Candidates that were fitted and scored, before any is chosen."""

    shared: _Shared
    folds: list[Split]
    known: NDArray[np.bool_]
    """Training and validation nodes [N]."""
    trials: list[Trial]
    fitted: list[_Fitted]

    @property
    def rest(self) -> NDArray[np.bool_]:
        """The nodes among which scores are ranked: those that no model has seen, if any [N]."""
        return ~self.known if (~self.known).any() else self.known

    def only(self, name: str) -> "Tried":
        """What is left of the candidates under a name in `ABLATIONS`.

        Raises:
            InputError: the name is unknown, or none of them was fitted.
        """
        names = {candidate.name for candidate in portfolio(name)}
        fitted = [part for part in self.fitted if part.candidate.name in names]
        if not fitted:
            raise InputError(f"{name}: none of its candidates was fitted")
        trials = [trial for trial in self.trials if trial.name in names]
        return replace(self, trials=trials, fitted=fitted)


@dataclass
class AutoClassifier:
    """Forests, boosting and networks together, each with the weight that validation gives it.

    Every candidate of the portfolio that the budget leaves time for is fitted on the training
    nodes, of which a network stops on a part: what it is compared on has chosen nothing of it.
    Where validation has few anomalies, each is fitted several times instead, on all but a part of
    the training and validation nodes together, and evaluated there. Scores become ranks; `select`
    weighs them, or takes the best candidate alone where mixing does not pay.

    Attributes that end in an underscore are there once it is fitted. `held_out_` [N] has, for the
    nodes that the choice was made on, the scores of models that were not fitted on them, and NaN
    for others; whoever calibrates takes these (`held_out_scores`). It is not saved.
    """

    budget: float = 180.0
    """Seconds for all candidates together. The first is always fitted; another begins where, by
    the pace so far, it ends in time, and is given up after a fold that shows it does not."""
    portfolio: str = "auto"
    """A name in `ABLATIONS`."""
    refit: bool = False
    """Fit the models that were taken once more, on training and validation nodes together;
    cross-validated ones have seen both already."""
    seed: int = 0
    n_jobs: int | None = None
    on_step: Callable[[Step], None] | None = field(default=None, repr=False)
    """Is called before each candidate."""
    on_trial: Callable[[Trial], None] | None = field(default=None, repr=False)
    """Is called after each candidate, with what became of it."""

    def fit(self, graph: Graph, split: Split) -> Self:
        """Tries the candidates and weighs them; see `NodeClassifier`.

        Raises:
            InputError: the split lacks a class, or no candidate could be fitted.
        """
        return self.choose(self.try_candidates(graph, split))

    def try_candidates(self, graph: Graph, split: Split) -> Tried:
        """The first half of `fit`: fits and scores what the budget leaves time for.

        Raises:
            InputError: the split lacks a class, or no candidate could be fitted.
        """
        budget = Budget(self.budget)
        for part in ("train", "val"):
            if not {0, 1} <= set(graph.y[split.masks()[part]].tolist()):
                raise InputError(f"the {part} nodes must hold anomalous and normal ones")
        folds = make_folds(graph, split, self.seed)
        both = split.train_mask | split.val_mask
        known = both if len(folds) > 1 else split.train_mask
        shared = _Shared(graph, Preprocessor.fit(graph, known, "raw", fill=False))
        trials, fitted = self._try_all(shared, folds, budget)
        if not fitted:
            notes = "; ".join(f"{trial.name}: {trial.note}" for trial in trials)
            raise InputError(f"{graph.label}: no model could be fitted ({notes})")
        return Tried(shared, folds, both, trials, fitted)

    def choose(self, tried: Tried) -> Self:
        """The second half of `fit`: weighs candidates by validation.

        Args:
            tried: what `try_candidates` gave, or some of it (`Tried.only`).
        """
        graph, folds, fitted = tried.shared.columns.graph, tried.folds, tried.fitted
        self.is_cross_validated_ = len(folds) > 1
        self.preprocessor_ = tried.shared.columns.preprocessor
        self.trials_ = [replace(trial) for trial in tried.trials]
        y = np.concatenate([graph.y[fold.val_mask] for fold in folds])
        self.selection_ = select(np.stack([f.val_ranks for f in fitted]), y, self.seed)
        weights = self._take(tried)
        self.held_out_: NDArray[np.float64] = np.full(len(graph.y), np.nan)
        nodes = np.concatenate([np.flatnonzero(fold.val_mask) for fold in folds])
        mean = weights @ np.stack([f.out_of_fold for f in fitted])
        self.held_out_[nodes] = logit(to_rank(mean))
        if self.refit and not self.is_cross_validated_:
            self._refit(tried)
        self.remarks_ = _remarks(fitted, self.trials_, self.selection_)
        return self

    def _try_all(
        self, shared: _Shared, folds: list[Split], budget: Budget
    ) -> tuple[list[Trial], list[_Fitted]]:
        candidates = portfolio(self.portfolio)
        trials: list[Trial] = []
        fitted: list[_Fitted] = []
        y = np.concatenate([shared.columns.graph.y[fold.val_mask] for fold in folds])
        for i, candidate in enumerate(candidates):
            kind = "network" if candidate.is_network else "table"
            trial = Trial(candidate.name, "no time")
            trials.append(trial)
            if i and budget.forecast(kind, candidate.cost) >= budget.left:
                continue
            if self.on_step is not None:
                self.on_step(Step(candidate.name, i, len(candidates), budget.left))
            begun = time.perf_counter()
            try:
                found = self._fit_one(candidate, shared, folds, budget if i else None)
            except InputError as error:  # the others may do without what is missing
                trial.status, trial.note, found = "failed", str(error), None
            trial.seconds = time.perf_counter() - begun
            if found is not None:
                budget.note(kind, candidate.cost, found.seconds)
                trial.status, trial.val_ap = "lost", 100 * average_precision(y, found.val_ranks)
                fitted.append(found)
            if self.on_trial is not None:
                self.on_trial(trial)
        return trials, fitted

    def _fit_one(
        self, candidate: Candidate, shared: _Shared, folds: list[Split], budget: Budget | None
    ) -> _Fitted | None:
        """Fits and scores a candidate on each fold, or gives it up where it will not end in time.

        Args:
            candidate: what is fitted.
            shared: its inputs.
            folds: what it is fitted on.
            budget: that it must keep; None for as long as it takes.

        Returns:
            None where the budget would be spent before the last fold.
        """
        models, val_ranks, parts, bag = [], [], [], np.zeros(len(shared.columns.graph.y))
        shared.make_inputs(candidate.make(self.seed, self.n_jobs))
        begun = time.perf_counter()
        for i, fold in enumerate(folds):
            pace = (time.perf_counter() - begun) / max(i, 1)
            if budget is not None and pace * (len(folds) - i) > budget.left:
                return None
            model = candidate.make(self.seed + i, self.n_jobs)
            shared.fit(model, fold.train_mask, self.seed + i)
            score = shared.score(model)
            ranker = Ranker.fit(score[~fold.train_mask])
            held_out = score[fold.val_mask]
            val_ranks.append(from_top(Ranker.fit(held_out)(held_out)))
            parts.append(from_top(ranker(held_out)))
            bag += ranker(score) / len(folds)
            models.append((model, ranker))
        seconds = time.perf_counter() - begun
        out_of_fold = np.concatenate(parts)
        return _Fitted(candidate, models, np.concatenate(val_ranks), out_of_fold, bag, seconds)

    def _take(self, tried: Tried) -> NDArray[np.float64]:
        """Keeps the models that have a weight, and returns the weights [K]."""
        weights = np.where(self.selection_.weights < LEAST_WEIGHT, 0, self.selection_.weights)
        weights /= weights.sum()
        by_name = {trial.name: trial for trial in self.trials_}
        self.members_: list[Taken] = []
        for weight, part in zip(weights.tolist(), tried.fitted, strict=True):
            if weight:
                by_name[part.candidate.name].status = "taken"
                by_name[part.candidate.name].weight = weight
                self.members_.append(Taken(weight, part.models, Ranker.fit(part.bag[tried.rest])))
        return weights

    def _refit(self, tried: Tried) -> None:
        shared, rest = tried.shared, tried.rest
        for k, member in enumerate(self.members_):
            for i, (model, _) in enumerate(member.models):
                shared.fit(model, tried.known, self.seed + i)
            scores = [shared.score(model) for model, _ in member.models]
            rankers = [Ranker.fit(score[rest]) for score in scores]
            again = [(m, rank) for (m, _), rank in zip(member.models, rankers, strict=True)]
            ranker = Ranker.fit(mean_rank(again, scores)[rest])
            self.members_[k] = Taken(member.weight, again, ranker)

    def decision_function(self, graph: Graph) -> NDArray[np.float64]:
        """The log-odds of the mean rank of each node [N]; see `NodeClassifier`.

        Raises:
            InputError: the graph has other columns.
        """
        shared = _Shared(graph, self.preprocessor_)
        mean = np.zeros(len(graph.y))
        for member in self.members_:
            mean += member.weight * member.mix([shared.score(model) for model, _ in member.models])
        return logit(to_rank(mean))

    def to_state(self) -> State:
        """See `NodeClassifier`."""
        preprocessor, arrays = preprocessor_to_state(self.preprocessor_)
        arrays = nest("preprocessor", arrays)
        members = []
        for i, member in enumerate(self.members_):
            parts = []
            arrays.update(nest(f"{i}/ranker", member.ranker._asdict()))
            for j, (model, ranker) in enumerate(member.models):
                of_model, own = model.to_state()
                kind = "table" if isinstance(model, TableClassifier) else "network"
                parts.append({"kind": kind, "meta": of_model})
                arrays.update(nest(f"{i}/{j}/model", own))
                arrays.update(nest(f"{i}/{j}/ranker", ranker._asdict()))
            members.append({"weight": member.weight, "models": parts})
        meta = {
            "budget": self.budget,
            "portfolio": self.portfolio,
            "refit": self.refit,
            "seed": self.seed,
            "is_cross_validated": self.is_cross_validated_,
            "trials": [asdict(trial) for trial in self.trials_],
            "remarks": self.remarks_,
            "preprocessor": preprocessor,
            "members": members,
        }
        return meta, arrays

    @classmethod
    def from_state(cls, meta: dict[str, Any], arrays: Arrays) -> Self:
        """See `NodeClassifier`.

        Raises:
            InputError: the state is damaged or asks for a type that no classifier holds.
        """
        found = cls(meta["budget"], meta["portfolio"], meta["refit"], meta["seed"])
        found.preprocessor_ = preprocessor_from_state(
            meta["preprocessor"], unnest("preprocessor", arrays)
        )
        found.is_cross_validated_ = meta["is_cross_validated"]
        found.trials_ = [Trial(**trial) for trial in meta["trials"]]
        found.remarks_ = list(meta["remarks"])
        found.members_ = []
        for i, member in enumerate(meta["members"]):
            models = []
            for j, part in enumerate(member["models"]):
                own = unnest(f"{i}/{j}/model", arrays)
                model = MEMBERS[part["kind"]].from_state(part["meta"], own)
                models.append((model, Ranker(**unnest(f"{i}/{j}/ranker", arrays))))
            ranker = Ranker(**unnest(f"{i}/ranker", arrays))
            found.members_.append(Taken(member["weight"], models, ranker))
        return found


def _remarks(fitted: list[_Fitted], trials: list[Trial], selection: Selection) -> list[str]:
    """What the trials say about the data, in words."""
    ap = {trial.name: trial.val_ap for trial in trials if trial.val_ap is not None}
    best = fitted[selection.best].candidate.name
    remarks = []
    if selection.gain <= 0:
        remarks.append(f"mixing models did not pay: {best} is taken alone")
    flat = [f.candidate.name for f in fitted if not f.candidate.uses_graph]
    graph = [f.candidate.name for f in fitted if f.candidate.uses_graph]
    if flat and graph:
        of_flat, of_graph = (max(names, key=lambda name: ap[name]) for names in (flat, graph))
        if ap[of_flat] >= ap[of_graph]:
            remarks.append(
                f"the graph adds nothing to the nodes' own columns: {of_flat}, which does not look "
                f"at it, has a validation AP of {ap[of_flat]:.1f}, the best that does, "
                f"{of_graph}, of {ap[of_graph]:.1f}"
            )
    return remarks
