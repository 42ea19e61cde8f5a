"""What --act takes, and what the results call it."""

import pandas as pd
import pytest

from aiec_graph.artifacts.variants import NAMED, label_of, parse_variant, swept, title_of
from aiec_graph.bench.sweep import plot_sweeps
from aiec_graph.core import ACTIVATIONS
from aiec_graph.errors import InputError
from aiec_graph.train import TrainSettings


def label(text, **changes):
    variant = parse_variant(text, ACTIVATIONS)
    settings = variant.apply(TrainSettings(**changes))
    return label_of(variant.act, settings, variant.changes)


@pytest.mark.parametrize(
    ("text", "expected", "title"),
    [
        ("relu", "relu", "ReLU"),
        ("aiec", "aiec", "AIEC"),
        ("union", "union", "AIEC I ∪ E"),
        ("aiec:gate=union", "union", "AIEC I ∪ E"),
        ("aiec:lambda_gate=0", "aux_only", "aux-only"),
        ("aiec:gate=none", "aux_only", "aux-only"),
        ("aiec:lambda_gate=0,tau=0.1", "aux_only:tau=0.1", "aux-only τ 0.1"),
        ("aiec:tau=0.10", "aiec:tau=0.1", "AIEC τ 0.1"),
        ("aiec:lambda_gate=200", "aiec:lambda_gate=200", "AIEC λ_gate 200"),
        ("aiec:variant=share", "aiec:variant=share", "AIEC share"),
        ("aiec:variant=warm_up", "aiec:variant=warm_up", "AIEC warm up"),
        ("aiec:variant=warm_up,lambda_gate=0", "aux_only", "aux-only"),
    ],
)
def test_labels_and_titles(text, expected, title):
    assert label(text) == expected
    assert title_of(label(text)) == title


def test_a_gate_that_the_settings_close_is_closed_for_every_variant():
    assert label("aiec", lambda_gate=0.0) == "aux_only"
    assert label("aiec:tau=0.1", lambda_gate=0.0) == "aux_only:tau=0.1"
    assert label("union", act_options={"tau": 0.1}) == "union"


def test_variants_change_what_they_say_and_no_more():
    base = TrainSettings(lambda_gate=3.0, act_options={"tau": 0.2, "count": "all"})
    changed = parse_variant("aiec:tau=0.5,lambda_aux=2", ACTIVATIONS).apply(base)
    assert changed.act_options == {"tau": 0.5, "count": "all"}
    assert (changed.lambda_gate, changed.lambda_aux) == (3.0, 2.0)
    assert base.act_options["tau"] == 0.2
    for name, expected in NAMED.items():
        assert parse_variant(name, ACTIVATIONS).changes == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unoin", "Did you mean 'union'"),
        ("relu:tau=1", "only aiec takes tau"),
        ("relu:dropuot=1", "Did you mean 'dropout'"),
        ("aiec:tua=1", "Did you mean 'tau'"),
        ("aiec:tau", "is not SETTING=VALUE"),
        ("aiec:tau=big", "'big' is not a number"),
        ("aiec:", "is not SETTING=VALUE"),
    ],
)
def test_mistakes(text, message):
    with pytest.raises(InputError, match=message):
        parse_variant(text, ACTIVATIONS)


def test_any_activation_takes_what_regularises():
    variant = parse_variant("relu:dropout=0.5,weight_decay=0.001", ACTIVATIONS)
    settings = variant.apply(TrainSettings())
    assert (settings.dropout, settings.weight_decay) == (0.5, 0.001)
    assert label_of("relu", settings, variant.changes) == "relu:dropout=0.5,weight_decay=0.001"
    assert title_of("relu:dropout=0.5") == "ReLU dropout 0.5"


def test_sweeps_are_found_and_drawn(tmp_path):
    assert swept("aiec:tau=0.1") == ("tau", 0.1)
    assert swept("aiec") is swept("union") is swept("aiec:tau=0.1,gate=union") is None
    acts = ["relu", "aiec:tau=0", "aiec:tau=0.1", "aiec:lambda_gate=5"]
    summary = pd.DataFrame(
        {
            **{"dataset": "d", "model": "gcn", "act": acts, "simulated": True},
            **{"test_ap_mean": [1.0, 2.0, 3.0, 4.0], "test_ap_std": [0.1, 0.2, None, 0.1]},
        }
    )
    plot_sweeps(tmp_path, summary, "model", "test_ap", "AP (%)")
    assert [p.name for p in tmp_path.iterdir()] == ["sweep_tau.png"]
    assert (tmp_path / "sweep_tau.png").read_bytes()[:4] == b"\x89PNG"
