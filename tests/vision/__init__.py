"""Tests of image classification."""

import pytest

pytest.importorskip("timm")
pytest.importorskip("lightning")
