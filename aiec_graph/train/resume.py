"""What an interrupted run is continued from: its state after each epoch, in a file."""

import io
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from aiec_graph.core.processes import process_rank, send_from
from aiec_graph.errors import InputError
from aiec_graph.files import write_whole
from aiec_graph.nn.networks import GNN
from aiec_graph.train.adam import Adam


@dataclass
class Progress:
    """How far a run is."""

    epoch: int = 0
    """The last one that was made, from 1."""
    best_epoch: int = 0
    best_ap: float = -1.0
    """Of the validation nodes after `best_epoch`."""
    weights: dict[str, Tensor] = field(default_factory=dict)
    """The network's state after `best_epoch`."""
    seconds: float = 0.0
    """Spent on the epochs, over all processes that had a part in the run."""


@dataclass(frozen=True)
class StateFile:
    """The state of one run in a file, written by the first process and read by all.

    It holds tensors and plain values; loading it runs no code.
    """

    path: Path
    identity: str
    """All that the run depends on; the state of another one is not used."""

    def save(self, network: GNN, optimizer: Adam, progress: Progress) -> None:
        """Writes the state after an epoch.

        Raises:
            InputError: the file cannot be written.
        """
        if process_rank() > 0:
            return
        content = {
            "identity": self.identity,
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "progress": asdict(progress),
        }
        write_whole(self.path, lambda draft: torch.save(content, draft))

    def load(self, network: GNN, optimizer: Adam) -> Progress | None:
        """Puts a run where its last epoch left it; None where there is no state of this run.

        Raises:
            InputError: the file is damaged.
        """
        content = b""
        if process_rank() == 0 and self.path.is_file():
            content = self.path.read_bytes()
        size = int(send_from(0, torch.tensor([len(content)]))[0])
        if not size:
            return None
        packed = torch.frombuffer(bytearray(content or bytes(size)), dtype=torch.uint8)
        stream = io.BytesIO(send_from(0, packed).numpy().tobytes())
        try:
            found = torch.load(stream, weights_only=True)
            if found["identity"] != self.identity:
                return None
            network.load_state_dict(found["network"])
            optimizer.load_state_dict(found["optimizer"])
            torch.set_rng_state(found["random"])
            return Progress(**found["progress"])
        except Exception as error:  # noqa: BLE001  (a damaged file can raise anything)
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(f"{self.path}: damaged ({reason}); remove it to begin anew") from None

    def remove(self) -> None:
        """Removes the file of a finished run."""
        if process_rank() == 0:
            self.path.unlink(missing_ok=True)
