"""Epochs that are replayed against epochs that are not: to the last bit, or not replayed."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from aiec_graph.data import load_dataset, make_split
from aiec_graph.nn.networks import GNN
from aiec_graph.ops import build, replay
from aiec_graph.train import FullBatch, TrainSettings, prepare_graph, set_up
from aiec_graph.train import trainer as graph

pytestmark = pytest.mark.skipif(build.library() is None, reason="there is no C++ compiler")
EPOCHS = 40


class Plain(FullBatch):
    """Never replayed: a class of its own, which might do something else in each epoch."""


class Anew(FullBatch):
    """Begins each epoch with a forward pass, whatever happened since the last."""

    def advance(self):
        self._logits = None
        self.objective.clear()
        return super().advance()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepare_graph(load_dataset("elliptic", tmp_path_factory.mktemp("data"), 0.02))


@pytest.fixture(scope="module")
def make(prepared):
    split = make_split(prepared.graph, "supervised", 0, (0.4, 0.2))

    def make(kind=FullBatch, model="gcn", act="aiec", **settings):
        asked = TrainSettings(hidden=19, lr=0.03, **settings)
        run, _ = set_up(prepared, split, model, act, asked, 0)
        run.__class__ = kind
        return run

    return make


def is_replayed(run):
    return run._repeated is not None and run._repeated.whole and len(run._repeated._known) == 3


def state(run):
    """All that an epoch leaves behind."""
    parameters = list(run.network.parameters())
    versions = torch.tensor([p._version for p in parameters])
    grads = [torch.zeros(()) if p.grad is None else p.grad.clone() for p in parameters]
    logits = [] if run._logits is None else [run._logits.detach().clone()]
    return [v.clone() for v in run.network.state_dict().values()] + grads + logits + [versions]


@pytest.fixture
def losses(monkeypatch):
    """The losses of all steps."""
    seen = []
    spy = SimpleNamespace(isfinite=lambda loss: seen.append(loss) or math.isfinite(loss))
    monkeypatch.setattr(graph, "math", spy)
    return seen


@pytest.mark.parametrize("act", ["relu", "aiec", "aiec:gate=union,count=all,detach_aux=True"])
@pytest.mark.parametrize(
    "asked",
    [
        {"model": "gcn"},
        {"model": "gcn", "layers": 3, "residual": True},
        {"model": "sage", "aggr": "mean"},
        {"model": "sage", "aggr": "max"},
        {"model": "sage", "aggr": "pool"},
    ],
)
def test_a_replay_gives_the_same_bits(make, losses, asked, act):
    act, _, options = act.partition(":")
    one, other = make(act=act, **asked), make(Plain, act=act, **asked)
    for run in (one, other):
        for option in filter(None, options.split(",")):
            name, _, value = option.partition("=")
            for layer in run.network.acts:
                where = (layer.gate, "mode") if name == "gate" else (layer, name)
                setattr(*where, bool(value) if name == "detach_aux" else value)
    for epoch in range(EPOCHS):
        assert one.epoch() == other.epoch()
        assert losses[-1] == losses[-2]
        assert all(map(torch.equal, state(one), state(other)))
        assert is_replayed(one) == (epoch > 0)
    assert not is_replayed(other)
    assert len(set(losses)) == EPOCHS


def test_the_network_is_called_twice_and_never_again(make, monkeypatch):
    calls, forward = [], GNN.forward

    def counted(self, *args):
        calls.append(1)
        return forward(self, *args)

    monkeypatch.setattr(GNN, "forward", counted)
    run = make()
    for _ in range(10):
        run.epoch()
    assert len(calls) == 2


class Loud(nn.ReLU):
    """Somebody's activation that does something which no kernel shows."""

    calls = 0

    def forward(self, x):
        Loud.calls += 1
        return super().forward(x)


@pytest.mark.parametrize("reason", ["norm", "act", "hook", "own", "gradient hook", "optimizer"])
def test_what_cannot_be_replayed_is_called(make, reason):
    seen = []

    def run_of(kind):
        settings = {"norm": "layer"} if reason == "norm" else {}
        run = make(kind, act="gelu" if reason == "act" else "relu", **settings)
        if reason == "hook":
            run.network.lin.register_forward_hook(lambda *_: seen.append(1))
            run.network.acts[0].register_forward_hook(lambda *_: seen.append(1))
        elif reason == "own":
            run.network.acts[0] = Loud()
        elif reason == "gradient hook":
            run.network.lin.weight.register_hook(lambda grad: seen.append(1))
        elif reason == "optimizer":
            run.optimizer = torch.optim.SGD(run.network.parameters(), lr=0.1)
        return run

    one, other = run_of(FullBatch), run_of(Plain)
    for _ in range(6):
        assert one.epoch() == other.epoch()
        assert all(map(torch.equal, state(one), state(other)))
    assert not one._repeated.whole
    assert len(seen) == {"hook": 14, "gradient hook": 12}.get(reason, 0)


def changes(name, run):
    network = run.network
    if name == "weights":
        with torch.no_grad():
            network.lin.weight.mul_(0.5)
    elif name == "data":
        network.lin.weight.data = network.lin.weight.data * 0.5
    elif name == "state":
        network.load_state_dict({k: v * 0.9 for k, v in network.state_dict().items()})
    elif name == "eval":
        network.eval()
    elif name == "lambda":
        run.objective.lambda_gate = 2.0
    elif name == "class weight":
        run.objective.class_weight.mul_(2)
    elif name == "rate":
        run.optimizer._lr = 0.001
    elif name == "gate":
        network.acts[1].gate.mode = "union"
    elif name == "frozen":
        network.convs[0].lin.weight.requires_grad_(False)
    elif name == "inputs":
        run.x.mul_(1.5)
    elif name == "hook":
        network.acts[0].register_forward_hook(lambda module, args, out: out * 0.5)
    elif name == "gradients":
        run.optimizer.zero_grad()
    elif name == "step":
        run.objective.clear()
        run.step(run.forward())
    elif name == "forward":
        run.forward()
    elif name == "forget":
        run.objective.clear()
    elif name == "layer":
        network.acts[0] = nn.ReLU()
    elif name == "counters":
        network.acts[0].counter.theta.set_(torch.zeros_like(network.acts[0].counter.theta))
    elif name == "shared":  # moves what a replay writes to
        for parameter in network.parameters():
            if parameter.grad is not None:
                parameter.grad.share_memory_()


@pytest.mark.parametrize(
    "change",
    ["weights", "data", "state", "eval", "lambda", "class weight", "rate", "gate", "frozen",
     "inputs", "hook", "gradients", "step", "forward", "forget", "layer", "counters", "shared"],
)  # fmt: skip
def test_a_change_between_epochs_counts(make, change):
    one, other = make(), make(Anew)
    for epoch in range(12):
        # A hook that is there from the start, or again, finds a loop that is not replayed.
        if epoch in ((6,) if change == "hook" else (0, 1, 2, 6)):
            changes(change, one)
            changes(change, other)
        assert one.epoch() == other.epoch()
        assert all(map(torch.equal, state(one), state(other)))
    assert is_replayed(one) == (change != "hook")


def test_eval_mode_between_epochs_that_are_not_replayed_changes_nothing(make):
    one, other = (make(norm="layer") for _ in range(2))
    for _ in range(6):
        assert one.epoch() == other.epoch()
        one.network.eval()
    assert not is_replayed(one)


def test_who_watches_torch_sees_an_epoch(make):
    from torch.utils._python_dispatch import TorchDispatchMode

    class Counter(TorchDispatchMode):
        seen = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            Counter.seen += 1
            return func(*args, **(kwargs or {}))

    run = make()
    for _ in range(3):
        run.epoch()
    with Counter():
        run.epoch()
    assert Counter.seen > 10


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_that_are_none_are_noticed(make, bad):
    for where, message in (("bias", "the loss is"), ("rate", "no numbers")):
        run = make(act="relu")
        for _ in range(5):
            run.epoch()
        assert is_replayed(run)
        weight = run.network.lin.weight.detach().clone()
        if where == "bias":  # unseen by versions, so that the replay itself meets it
            run._logits.detach().data.fill_(math.nan)
        else:
            run.optimizer._moments[0][0].fill_(bad)
        with pytest.raises(FloatingPointError, match=message):
            run.epoch()
        assert torch.equal(weight, run.network.lin.weight) == (where == "bias")
        assert is_replayed(run)


def test_hooks_on_all_modules_are_called(make):
    seen = []
    handle = torch.nn.modules.module.register_module_forward_hook(lambda *_: seen.append(1))
    try:
        one, other = make(), make(Plain)
        for _ in range(4):
            assert one.epoch() == other.epoch()
            assert len(seen) % 2 == 0
        assert not is_replayed(one)
    finally:
        handle.remove()


@pytest.mark.parametrize("epochs", [0, 1, 2, 4])
def test_an_epoch_that_is_interrupted_is_begun_anew(make, monkeypatch, epochs):
    """Wherever the interruption comes, the next epochs are those of a run in the same state."""
    call = replay.call
    ticks = iter(())

    def tick():
        if next(ticks, False):
            raise KeyboardInterrupt

    def ticking_call(function, *arguments):
        tick()
        call(function, *arguments)
        tick()

    def ticking_repeat(self):
        for function, arguments in self.calls:
            tick()
            function(*arguments)
            tick()

    monkeypatch.setattr(replay, "call", ticking_call)
    monkeypatch.setattr(replay.Tape, "replay", ticking_repeat)
    for when in itertools.count():
        run, same = make(), make(Plain)
        for _ in range(epochs):
            run.epoch()
        ticks = iter([False] * when + [True])
        try:
            run.epoch()
        except KeyboardInterrupt:
            pass
        else:
            break
        ticks = iter(())
        same.network.load_state_dict(run.network.state_dict())
        for one, other in zip(run.optimizer._moments, same.optimizer._moments, strict=True):
            for a, b in zip(one, other, strict=True):
                b.copy_(a)
        same.optimizer._steps.value = run.optimizer._steps.value
        for _ in range(3):
            assert run.epoch() == same.epoch()
            weights = zip(run.network.parameters(), same.network.parameters(), strict=True)
            assert all(torch.equal(a, b) for a, b in weights)
    assert when > 20, "every call of an epoch was interrupted once"


def test_memory_is_given_back(make):
    run = make()
    for _ in range(3):
        run.epoch()
    tapes = [tape for tape, _ in run._repeated._known.values()]
    run.network.eval()
    run.epoch()
    assert not any(tape is new for tape in tapes for new, _ in run._repeated._known.values())
    assert np.isfinite(run.epoch())
