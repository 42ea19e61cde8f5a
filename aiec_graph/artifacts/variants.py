"""What --act takes: an activation, an ablation of AIEC, or AIEC with settings of its own.

`aiec:tau=0.1,gate=union` is AIEC with two settings that differ from the rest of the command, and
`relu:dropout=0.5` an activation in a network that is regularised in another way. The ablations of
the paper's Table 3 have names.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import yaml

from aiec_graph.errors import InputError, did_you_mean
from aiec_graph.names import AIEC_OPTIONS

LAMBDAS = ("lambda_aux", "lambda_gate")
REGULARISERS = ("dropout", "weight_decay")
"""What may stand behind any activation."""
SETTINGS = (*LAMBDAS, *AIEC_OPTIONS, *REGULARISERS)
"""What may stand behind `aiec:`."""
AUX_ONLY = "aux_only"
NAMED: dict[str, dict[str, Any]] = {
    AUX_ONLY: {"lambda_gate": 0.0},
    "stats_all": {"count": "all"},
    "gate_all": {"gate": "all"},
    "intrinsic": {"gate": "intrinsic"},
    "extrinsic": {"gate": "extrinsic"},
    "union": {"gate": "union"},
}
"""The paper's Table 3, beside `aiec` itself, which is the consensus."""

TITLES = {
    "softplus": "Softplus",
    "elu": "ELU",
    "selu": "SELU",
    "silu": "SiLU",
    "relu": "ReLU",
    "gelu": "GELU",
    "gdn": "GDN",
    "aiec": "AIEC",
    "relu_naive": "ReLU, naive",
    "gelu_naive": "GELU, naive",
    "relu_l0": "ReLU + L0",
    "gelu_l0": "GELU + L0",
    "senet": "SENet",
    "cbam": "CBAM",
    AUX_ONLY: "aux-only",
    "stats_all": "AIEC stats-all",
    "gate_all": "AIEC all",
    "intrinsic": "AIEC I",
    "extrinsic": "AIEC E",
    "union": "AIEC I ∪ E",
    "none": "no activation",
    "refit": "refit",
}
SETTING_TITLES = {"tau": "τ", "lambda_gate": "λ_gate", "lambda_aux": "λ_aux"}


class AIECSettings(Protocol):
    """What graphs' and images' settings have in common."""

    @property
    def lambda_aux(self) -> float: ...
    @property
    def lambda_gate(self) -> float | None: ...
    @property
    def act_options(self) -> dict[str, Any]: ...


S = TypeVar("S", bound=AIECSettings)


@dataclass(frozen=True)
class Variant:
    """An activation, and what it changes in the settings."""

    act: str
    """The activation that the network is built with."""
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """What chooses it in a configuration: the activation, and the ablation that it is."""
        ablations = NAMED if self.act == "aiec" else {}
        return {self.act, *(name for name, same in ablations.items() if same == self.changes)}

    def apply(self, settings: S) -> S:
        """The settings with the changes made.

        Raises:
            InputError: there is no such setting, as of the networks on images.
        """
        fields = {k: v for k, v in self.changes.items() if k in (*LAMBDAS, *REGULARISERS)}
        options = {k: v for k, v in self.changes.items() if k not in fields}
        for name in fields:
            if not hasattr(settings, name):
                raise InputError(f"{self.act}:{name}: this kind of network has no such setting")
        return replace(  # pyright: ignore[reportCallIssue]
            settings,  # pyright: ignore[reportArgumentType]
            **fields,
            act_options={**settings.act_options, **options},
        )


def parse_variant(text: str, known: Iterable[str]) -> Variant:
    """Reads one value of --act.

    Args:
        text: such as `relu`, `union` or `aiec:tau=0.1`.
        known: names of activations.

    Raises:
        InputError: a name is unknown or a value is out of its set.
    """
    if text in NAMED:
        return Variant("aiec", dict(NAMED[text]))
    names = [*known, *NAMED]
    act, colon, rest = text.partition(":")
    if act not in names:
        raise InputError(
            f"unknown activation {act!r}.{did_you_mean(act, names)} Known: {', '.join(names)}"
        )
    if not colon:
        return Variant(act)
    settings = SETTINGS if act == "aiec" else REGULARISERS
    changes: dict[str, Any] = {}
    for part in rest.split(","):
        key, equals, value = part.partition("=")
        if key in SETTINGS and key not in settings:
            raise InputError(f"{text!r}: only aiec takes {key}, such as aiec:tau=0.1")
        if key not in settings or not equals:
            raise InputError(
                f"{text!r}: {part!r} is not SETTING=VALUE with a setting of {act}."
                f"{did_you_mean(key, settings)} Known: {', '.join(settings)}"
            )
        is_number = key in (*LAMBDAS, *REGULARISERS, "tau")
        changes[key] = _number(value, text) if is_number else _plain(value)
    return Variant(act, changes)


def _number(value: str, text: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise InputError(f"{text!r}: {value!r} is not a number") from None


def _plain(value: str) -> Any:
    return yaml.safe_load(value) if value in ("true", "false") else value


def label_of(act: str, settings: AIECSettings, changes: Mapping[str, Any]) -> str:
    """A variant's name in the results: without a gate, AIEC is its own control, `aux_only`."""
    if act != "aiec":
        return act + _written(changes)
    gated = settings.lambda_gate != 0 and settings.act_options.get("gate") != "none"
    idle = () if gated else ("lambda_gate", "gate", "gate_norm", "variant")
    own = {k: v for k, v in changes.items() if k not in idle}
    if gated and own in NAMED.values():
        return next(name for name, same in NAMED.items() if same == own)
    return ("aiec" if gated else AUX_ONLY) + _written(own)


def _written(changes: Mapping[str, Any]) -> str:
    """Settings as they stand behind an activation, such as `:tau=0.1,gate=union`."""
    parts = [f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in changes.items()]
    return ":" + ",".join(parts) if parts else ""


def title_of(label: str) -> str:
    """A label as tables and figures show it."""
    act, _, rest = label.partition(":")
    parts = [part.partition("=") for part in rest.split(",") if part]
    # A variant is called by its name alone.
    named = (
        v.replace("_", " ") if k == "variant" else f"{SETTING_TITLES.get(k, k)} {v}"
        for k, _, v in parts
    )
    return " ".join([TITLES[act], *named])


def swept(label: str) -> tuple[str, float] | None:
    """The one setting with a number that a label changes, and its value."""
    key, equals, value = label.partition(":")[2].partition("=")
    numeric = equals and "," not in value and key in (*LAMBDAS, "tau")
    return (key, float(value)) if numeric else None


def slug_of(label: str) -> str:
    """A label as a part of a file's name."""
    return label.replace(":", "-").replace("=", "-").replace(",", "-")
