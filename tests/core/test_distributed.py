"""Two processes with half a batch each give what one process gives on the whole batch."""

import socket

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from aiec_graph.core import AIEC, AIECLoss

CUT = 9  # uneven on purpose: 9 and 15 samples


def model_and_batch():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(5, 8), AIEC(8, 3), nn.Linear(8, 6), AIEC(6, 3), nn.Linear(6, 3)
    ).double()
    return model, torch.randn(24, 5).double(), torch.randint(3, (24,))


def step(model, x, y):
    weight = torch.tensor([1.0, 2.0, 5.0])
    objective = AIECLoss(model, lambda_gate=1.0, class_weight=weight)
    losses = objective(model(x), y)
    losses.total.backward()
    return {
        "losses": torch.stack(losses).detach(),
        "theta": [layer.counter.theta for layer in objective.layers()],
        "gates": [layer.gates() for layer in objective.layers()],
        "grads": [p.grad for p in model.parameters()],
    }


def worker(rank, port, folder):
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    model, x, y = model_and_batch()
    part = slice(0, CUT) if rank == 0 else slice(CUT, None)
    torch.save(step(model, x[part], y[part]), folder / f"{rank}.pt")
    wrapped = DistributedDataParallel(model_and_batch()[0])
    torch.save(step(wrapped, x[part], y[part]), folder / f"ddp-{rank}.pt")
    with pytest.raises(ValueError, match="find_unused_parameters=False"):
        AIECLoss(DistributedDataParallel(model, find_unused_parameters=True))
    dist.destroy_process_group()


@pytest.mark.skipif(not dist.is_gloo_available(), reason="gloo is not available")
def test_two_processes_equal_one(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(worker, (port, tmp_path), nprocs=2)
    parts = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    whole = step(*model_and_batch())
    for part in parts:
        assert all(map(torch.equal, part["theta"], whole["theta"]))
        assert all(map(torch.equal, part["gates"], whole["gates"]))
    # DistributedDataParallel averages over the processes.
    torch.testing.assert_close((parts[0]["losses"] + parts[1]["losses"]) / 2, whole["losses"])
    for one, other, expected in zip(
        parts[0]["grads"], parts[1]["grads"], whole["grads"], strict=True
    ):
        torch.testing.assert_close((one + other) / 2, expected)
    # DistributedDataParallel has averaged the gradients, the decision weights' too.
    for rank in (0, 1):
        found = torch.load(tmp_path / f"ddp-{rank}.pt", weights_only=True)["grads"]
        for one, expected in zip(found, whole["grads"], strict=True):
            torch.testing.assert_close(one, expected)
