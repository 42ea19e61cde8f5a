"""Half a batch in each of two processes against the whole batch in one, on an image network."""

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from aiec_graph.core import AIEC, AIECLoss
from aiec_graph.vision import VisionSettings
from aiec_graph.vision.training import build_network

SIZE, CLASSES, BATCH = 16, 10, 16


def step(images, y, wrap=None):
    """Counters, gates, losses and gradients after two steps' judgement of a fresh network."""
    torch.manual_seed(0)
    network = build_network("vit_tiny", "aiec", CLASSES, SIZE, VisionSettings(drop_path=0.0))
    network.double().train()
    forward = network if wrap is None else wrap(network)
    objective = AIECLoss(network, 1.0, 200.0)
    found = {}
    for x, labels in zip(images.chunk(2), y.chunk(2), strict=True):
        network.zero_grad()
        losses = objective(forward(x), labels)
        losses.total.backward()
    layers = [m for m in network.modules() if isinstance(m, AIEC)]
    found["theta"] = torch.stack([m.counter.theta for m in layers])
    found["phi"] = torch.stack([m.counter.phi for m in layers])
    found["gates"] = torch.stack([m.gates() for m in layers])
    found["losses"] = torch.stack([*losses]).detach()
    found["grads"] = torch.cat([p.grad.flatten() for p in network.parameters()])
    return found


def half(rank, images, y, address, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    try:
        # Each step's batch is cut in two, as DistributedSampler does.
        own = torch.cat([c.chunk(2)[rank] for c in images.chunk(2)])
        labels = torch.cat([c.chunk(2)[rank] for c in y.chunk(2)])
        found = step(own, labels, torch.nn.parallel.DistributedDataParallel)
        dist.all_reduce(found["losses"])
        found["losses"] /= 2
        torch.save(found, f"{folder}/{rank}.pt")
    finally:
        dist.destroy_process_group()


@pytest.mark.skipif(not dist.is_gloo_available(), reason="gloo is not available")
def test_two_halves_make_a_whole(tmp_path):
    generator = torch.Generator().manual_seed(3)
    images = torch.randn(BATCH, 3, SIZE, SIZE, generator=generator, dtype=torch.double)
    y = torch.randint(CLASSES, (BATCH,), generator=generator)
    whole = step(images, y)
    assert int(whole["phi"].sum()) > 0 and whole["gates"].any()
    address = f"file://{tmp_path}/meet"
    mp.spawn(half, (images, y, address, str(tmp_path)), nprocs=2)
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for name in ("theta", "phi", "gates"):
            assert torch.equal(found[name], whole[name])
        for name in ("losses", "grads"):
            torch.testing.assert_close(found[name], whole[name], rtol=1e-7, atol=1e-9)
