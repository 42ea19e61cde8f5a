"""Trained models as files: checkpoints, predictions and exports."""
