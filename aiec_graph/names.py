"""The names that commands and settings take, for help and for slips, without importing PyTorch.

The registries that give each name its meaning stand beside what they register; a test keeps the two
equal.
"""

ACTIVATIONS = ("softplus", "elu", "selu", "silu", "relu", "gelu", "gdn", "aiec")
"""`aiec_graph.core.activations.ACTIVATIONS`."""
AIEC_OPTIONS = ("tau", "gate", "count", "gate_norm", "detach_aux", "variant")
"""What a benchmark may change about AIEC; width, classes and pooling follow from the site."""
IMAGE_ACTIVATIONS = (
    *ACTIVATIONS,
    *("relu_naive", "gelu_naive", "relu_l0", "gelu_l0", "senet", "cbam"),
)
"""`aiec_graph.vision.activations.IMAGE_ACTIVATIONS`."""
MODELS = ("mlp", "gcn", "sage", "gin", "gat", "bwgnn")
"""`aiec_graph.train.models.MODELS`."""
CLASSIFIERS = (
    *("auto", "auto_no_trees", "auto_no_networks", "auto_no_aiec", "auto_no_rich"),
    *("logistic", "logistic_graph", "logistic_rich", "rf", "rf_graph", "rf_rich"),
    *("xgb", "xgb_graph", "xgb_rich", "hgb", "hgb_graph", "hgb_rich"),
    *MODELS,
)
"""`aiec_graph.train.registry.CLASSIFIERS`."""
FEATURES = ("raw", "standard", "row", "robust")
"""`aiec_graph.data.transforms.preprocess.FEATURES`."""
SPLITS = ("supervised", "semi")
"""`aiec_graph.data.transforms.splits.SPLITS`."""
IMAGES = ("digits", "cifar10", "cifar100", "imagenet100", "imagenet1k")
"""`aiec_graph.vision.images.IMAGES`."""
BACKBONES = (
    *("vit_tiny", "deit_tiny", "cait_xxs", "pvt_tiny", "tnt_small"),
    *("alexnet", "vgg11", "mobilenet", "shufflenet", "resnet18"),
)
"""`aiec_graph.vision.backbones.BACKBONES`."""
