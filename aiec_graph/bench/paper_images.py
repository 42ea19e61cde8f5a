"""The paper's top-1 accuracies on images: targets of a comparison, never results."""

from dataclasses import replace

from aiec_graph.vision import VisionSettings

ACTS = ("softplus", "elu", "selu", "silu", "relu", "gelu", "gdn", "aiec")
# Tables 1 and 2: data set → backbone → one figure for each of ACTS, in percent.
TOP1 = {
    "cifar10": {
        "vit_tiny": (84.3, 82.0, 79.4, 85.5, 89.9, 89.2, 81.8, 91.8),
        "deit_tiny": (84.7, 81.4, 79.9, 86.6, 89.6, 89.2, 83.0, 91.9),
        "cait_xxs": (82.5, 80.7, 78.4, 86.6, 89.4, 88.7, 80.0, 90.5),
        "pvt_tiny": (90.6, 89.3, 85.4, 92.5, 93.0, 92.8, 82.8, 94.0),
        "tnt_small": (88.3, 85.4, 83.7, 90.5, 90.8, 91.1, 85.1, 92.7),
        "alexnet": (85.6, 86.1, 85.7, 86.0, 86.0, 85.8, 85.4, 86.3),
        "vgg11": (91.3, 92.0, 91.5, 91.9, 92.2, 91.9, 91.1, 92.2),
        "mobilenet": (87.4, 87.7, 87.2, 87.8, 87.4, 87.4, 87.0, 89.0),
        "shufflenet": (89.2, 89.0, 88.9, 89.3, 89.4, 89.3, 88.5, 89.9),
        "resnet18": (94.6, 94.7, 94.6, 95.1, 95.0, 94.9, 94.0, 95.1),
    },
    "cifar100": {
        "vit_tiny": (62.4, 60.0, 57.5, 65.5, 65.7, 65.4, 59.4, 71.1),
        "deit_tiny": (63.4, 60.0, 58.3, 67.1, 67.0, 67.0, 59.8, 71.8),
        "cait_xxs": (60.4, 59.3, 55.8, 63.9, 65.8, 65.5, 56.2, 70.0),
        "pvt_tiny": (69.5, 69.3, 65.7, 70.2, 70.9, 70.6, 64.4, 76.0),
        "tnt_small": (65.2, 63.8, 60.9, 65.1, 65.4, 64.4, 62.5, 73.9),
        "alexnet": (57.6, 58.4, 58.1, 58.1, 57.2, 57.4, 56.8, 58.9),
        "vgg11": (69.6, 69.9, 69.7, 69.9, 70.2, 70.0, 70.1, 71.2),
        "mobilenet": (65.4, 65.5, 65.6, 65.2, 66.0, 65.4, 64.8, 66.1),
        "shufflenet": (66.2, 66.1, 65.9, 66.3, 66.3, 66.2, 65.6, 66.9),
        "resnet18": (75.5, 75.7, 75.6, 76.1, 75.7, 75.6, 74.3, 77.0),
    },
    "imagenet100": {
        "vit_tiny": (74.1, 68.9, 66.4, 74.1, 75.4, 76.4, 67.9, 82.1),
        "deit_tiny": (75.3, 69.4, 67.0, 75.1, 75.6, 74.6, 66.3, 82.5),
        "cait_xxs": (70.9, 69.1, 65.9, 76.1, 76.0, 76.7, 69.5, 81.3),
        "pvt_tiny": (79.5, 77.1, 76.1, 79.5, 81.9, 81.4, 75.8, 86.3),
        "tnt_small": (78.9, 79.3, 76.4, 77.6, 79.9, 77.2, 76.9, 86.5),
        "alexnet": (75.7, 76.0, 75.7, 76.6, 76.3, 76.3, 75.5, 79.2),
        "vgg11": (87.0, 87.3, 87.6, 87.8, 87.7, 87.5, 86.7, 88.1),
        "mobilenet": (80.6, 79.3, 79.2, 80.1, 80.6, 80.5, 78.7, 80.8),
        "shufflenet": (80.9, 80.9, 80.4, 81.7, 81.6, 81.6, 80.0, 82.2),
        "resnet18": (84.6, 84.4, 84.1, 84.9, 84.9, 84.7, 83.5, 86.5),
    },
    "imagenet1k": {
        "vit_tiny": (70.0, 64.2, 63.1, 66.9, 70.9, 70.4, 65.2, 73.0),
        "deit_tiny": (71.9, 67.9, 66.2, 72.0, 73.2, 73.0, 66.4, 73.7),
        "cait_xxs": (70.3, 68.1, 66.7, 73.2, 74.0, 73.6, 66.1, 74.1),
        "pvt_tiny": (71.5, 69.2, 68.5, 72.8, 73.7, 73.5, 66.5, 74.6),
        "tnt_small": (72.0, 70.7, 70.3, 71.5, 73.4, 73.3, 68.2, 78.1),
        "alexnet": (56.1, 56.3, 56.1, 56.4, 56.5, 56.4, 55.6, 57.8),
        "vgg11": (68.4, 68.2, 67.8, 69.0, 69.0, 69.1, 68.1, 70.1),
        "mobilenet": (67.2, 66.7, 67.1, 67.4, 68.1, 68.2, 66.3, 68.6),
        "shufflenet": (68.5, 68.3, 68.4, 69.1, 69.0, 68.9, 68.0, 69.6),
        "resnet18": (69.3, 69.4, 68.9, 69.7, 69.7, 69.4, 68.3, 70.4),
    },
}
# Tables 3 and 8, on CIFAR-100: backbone → variant → percent.
CIFAR100 = {
    "vit_tiny": {
        "aux_only": 66.7,
        "stats_all": 70.3,
        "gate_all": 65.8,
        "intrinsic": 69.7,
        "extrinsic": 68.5,
        "union": 69.6,
        "relu_l0": 67.1,
        "gelu_l0": 67.2,
        "senet": 65.7,
    },
    "resnet18": {
        "aux_only": 76.1,
        "stats_all": 76.8,
        "gate_all": 75.7,
        "intrinsic": 76.3,
        "extrinsic": 76.6,
        "union": 76.6,
        "relu_l0": 76.5,
        "gelu_l0": 76.2,
        "senet": 75.6,
        "cbam": 76.2,
    },
}
WARMUPS = (5, 20)
# What neither the paper settles nor the protocol depends on.
FREE = ("lambda_gate", "batch_size", "warmup_epochs", "precision", "workers", "lambda_l0")


def paper_top1(dataset: str, backbone: str, label: str, settings: VisionSettings) -> float | None:
    """The paper's figure in percent for a network that was trained as in its Table 7.

    Args:
        dataset: as the command names it.
        backbone: one of `BACKBONES`.
        label: the activation's name in the results.
        settings: those of the run; anything short of the full protocol has no counterpart.
    """
    protocol = VisionSettings()
    shared = replace(settings, act_options={}, **{name: getattr(protocol, name) for name in FREE})
    if shared != protocol or settings.warmup_epochs not in WARMUPS:
        return None
    if label in ACTS:
        return TOP1.get(dataset, {}).get(backbone, (None,) * len(ACTS))[ACTS.index(label)]
    return CIFAR100.get(backbone, {}).get(label) if dataset == "cifar100" else None
