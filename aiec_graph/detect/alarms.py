"""Warnings that an analyst should see, one class for each kind, so that a filter can name it."""


class DetectionWarning(UserWarning):
    """Something that does not stop a detector, and that who relies on it has to know."""


class SplitWarning(DetectionWarning):
    """A split that flatters the model."""


class ThresholdWarning(DetectionWarning):
    """A threshold or a probability that is not what it seems."""


class TiesWarning(DetectionWarning):
    """So many equal scores that the list has no order."""


class DriftWarning(DetectionWarning):
    """What is scored does not look like what the model was trained on."""
