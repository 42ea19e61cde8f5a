"""The AIEC penalty beside any task loss, and what it takes for labels and index."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from aiec_graph.core import AIEC, AIECLoss, AIECPenalty

X = torch.randn(24, 5, generator=torch.Generator().manual_seed(1))
Y = torch.arange(24) % 2


def network(**options):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), AIEC(8, **options), nn.Linear(8, 2))


def focal(logits, y):
    log_p = -F.cross_entropy(logits, y, reduction="none")
    return (-(1 - log_p.exp()).square() * log_p).mean()


def soft(logits, y):
    return F.cross_entropy(logits, F.one_hot(y, 2) * 0.8 + 0.1)


def regression(out, y):
    return F.mse_loss(out[:, 0], y * 2.5)


@pytest.mark.parametrize("task_loss", [focal, soft, regression, F.cross_entropy])
def test_a_loop_of_ones_own_adds_it_to_any_task_loss(task_loss):
    model = network()
    penalty = AIECPenalty(model, lambda_aux=0.5, lambda_gate=2.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    before = None
    for _ in range(3):
        penalty.start_epoch()
        optimizer.zero_grad()
        task = task_loss(model(X), Y)
        terms = penalty(Y)
        torch.testing.assert_close(terms.total, 0.5 * terms.aux + 2.0 * terms.gate)
        (task + terms.total).backward()
        optimizer.step()
        before = before or terms
        assert model[1].counter.phi.sum() <= 24
    assert terms.aux < before.aux
    assert AIECPenalty(model.eval())(Y) == (0, 0, 0)


def test_the_loss_is_cross_entropy_and_penalty():
    weight = torch.tensor([1.0, 5.0])
    one, other = network(), network()
    losses = AIECLoss(one, 0.5, 2.0, weight)(one(X), Y)
    penalty = AIECPenalty(other, 0.5, 2.0, weight)
    task = F.cross_entropy(other(X), Y, weight)
    terms = penalty(Y)
    torch.testing.assert_close(losses.task, task)
    torch.testing.assert_close(losses.total, task + terms.total)
    assert (losses.aux, losses.gate) == (terms.aux, terms.gate)
    unweighted, third = network(), network()
    found = AIECLoss(unweighted, 0.5, 2.0, weight, weigh_aux=False)(unweighted(X), Y)
    third(X)
    assert found.aux == AIECPenalty(third)(Y).aux != losses.aux


MASK = torch.arange(24) % 3 == 0


@pytest.mark.parametrize(
    "index",
    [MASK, MASK.nonzero()[:, 0], MASK.nonzero()[:, 0].int(), slice(0, 24, 3), slice(None, None, 3)],
)
def test_a_mask_positions_and_a_slice_are_one_index(index):
    model, expected = network(), network()
    model(X)
    expected(X[MASK])
    for one, other in zip(
        AIECPenalty(model)(Y[MASK], index), AIECPenalty(expected)(Y[MASK]), strict=True
    ):
        torch.testing.assert_close(one, other)
    assert torch.equal(model[1].counter.theta, expected[1].counter.theta)


@pytest.mark.parametrize(
    ("y", "index", "error", "message"),
    [
        (Y[:5], None, ValueError, "5 labels for 24 of the 24"),
        (Y[:5], slice(0, 6), ValueError, "5 labels for 6 of the 24"),
        (Y[:5], MASK, ValueError, "5 labels for 8 of the 24"),
        (Y[:2], torch.tensor([True, True, False]), ValueError, "mask.*24.*not 3"),
        (Y[:2], torch.tensor([0, 24]), IndexError, "from 0 to 23"),
        (Y[:2], torch.tensor([-1, 3]), IndexError, "from 0 to 23"),
        (Y[:2], torch.tensor([0.0, 1.0]), TypeError, "float32"),
        (Y[:2], torch.tensor([0, 1], dtype=torch.uint8), TypeError, r"bool\(\)"),
        (Y[:2], [0, 1], TypeError, "not list"),
        (Y[:2], torch.tensor([[0, 1]]), ValueError, "vector"),
        (Y.float(), None, TypeError, "int64, not torch.float32"),
        (Y[:, None], None, ValueError, r"\[N\]"),
        (Y + 1, None, ValueError, "from 1 to 2, but AIEC has 2 classes"),
        (Y - 1, None, ValueError, "from -1 to 0"),
    ],
)
def test_what_is_no_index_or_label_is_refused(y, index, error, message):
    model = network()
    model(X)
    with pytest.raises(error, match=message):
        AIECPenalty(model)(y, index)
    AIECPenalty(model).clear()
    model(X)
    assert AIECPenalty(model)(Y).total.isfinite()


@pytest.mark.parametrize(
    "weight", [torch.tensor([1.0, -1.0]), torch.tensor([1.0, float("nan")]), torch.ones(1, 2)]
)
def test_class_weights_are_checked(weight):
    with pytest.raises(ValueError, match="class_weight"):
        AIECPenalty(network(), class_weight=weight)
    model = network()
    model(X)
    with pytest.raises(ValueError, match="3 numbers, but AIEC has 2"):
        AIECPenalty(model, class_weight=torch.ones(3))(Y)


def test_a_class_of_no_weight_has_no_loss():
    weight = torch.tensor([0.0, 1.0])
    model = network()
    losses = AIECLoss(model, class_weight=weight)(model(X), torch.zeros(24, dtype=torch.long))
    assert (losses.task.item(), losses.aux.item()) == (0, 0)
    losses.total.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    assert (model[2].weight.grad == 0).all()
    mixed = network()
    losses = AIECLoss(mixed, class_weight=weight)(mixed(X), Y)
    torch.testing.assert_close(losses.task, F.cross_entropy(mixed(X)[Y == 1], Y[Y == 1]))


@pytest.mark.parametrize("index", [None, slice(0, 8), torch.arange(8), torch.ones(8).bool()])
def test_the_task_of_a_network_without_aiec_is_its_loss(index):
    losses = AIECLoss(nn.Linear(5, 2))(torch.zeros(8, 2), Y[:8], index)
    assert losses.total == losses.task
    assert (losses.aux, losses.gate) == (0, 0)
