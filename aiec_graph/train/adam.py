"""Adam, by torch's function of that name."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

BETAS = (0.9, 0.999)
EPS = 1e-8


class Adam:
    """Adam (Kingma and Ba, 2015) with an L2 penalty: `torch.optim.Adam` to the last bit.

    That class loads torch's compiler at its first step, compiled or not, which takes 1.6 s of
    processor time in each process; the function that computes its steps does not.

    Args:
        parameters: what is trained, all on one device.
        lr: learning rate.
        weight_decay: weight of the penalty.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float) -> None:
        self.parameters = list(parameters)
        self.lr, self.weight_decay = lr, weight_decay
        self.means = [torch.zeros_like(p) for p in self.parameters]
        self.squares = [torch.zeros_like(p) for p in self.parameters]
        self.steps = [torch.zeros((), device=p.device) for p in self.parameters]
        self._is_fused = {p.device.type for p in self.parameters} <= {"cpu", "cuda"}

    def zero_grad(self) -> None:
        """Forgets the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Makes a step of every parameter that has a gradient."""
        parts = (self.parameters, self.means, self.squares, self.steps)
        moved = [part for part in zip(*parts, strict=True) if part[0].grad is not None]
        if not moved:
            return
        parameters, means, squares, steps = map(list, zip(*moved, strict=True))
        adam(
            parameters,
            [p.grad for p in parameters],
            means,
            squares,
            [],
            steps,
            fused=self._is_fused,
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=self.lr,
            weight_decay=self.weight_decay,
            eps=EPS,
            maximize=False,
        )

    def state_dict(self) -> dict[str, list[Tensor]]:
        """Running means of the gradients and of their squares, and the steps made."""
        return {"means": self.means, "squares": self.squares, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`.

        Raises:
            ValueError: it is the state of other parameters.
        """
        for name, mine in self.state_dict().items():
            for tensor, found in zip(mine, state[name], strict=True):
                tensor.copy_(found)
