"""MONAI's 3D networks, with time as their first spatial axis."""

from __future__ import annotations

from jaxtyping import Float
from monai.networks.nets import densenet121, resnet18
from torch import Tensor, nn
from torch.nn import functional as F

from echokit import fit_weights, read_weights


class Network(nn.Module):
    """One of MONAI's networks with a layer for class-activation maps.

    Args:
        network: the network as MONAI builds it.
        cam: name of the module that class-activation maps are taken from.
    """

    def __init__(self, network: nn.Module, cam: str) -> None:
        super().__init__()
        self.network, self.cam = network, cam

    def forward(self, sequences: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B K"]:
        """Map sequences to one logit per class."""
        logits: Tensor = self.network(sequences)
        return logits

    def cam_layer(self) -> nn.Module:
        """Return the last stage, whose output is `(B, C', T', H', W')`."""
        return self.network.get_submodule(self.cam)


class Halve(nn.Module):
    """Averages blocks of 2x2x2 values; the last block of an odd size is smaller."""

    def forward(self, x: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B C t h w"]:
        """Halve every axis, rounded up."""
        window = [min(2, size) for size in x.shape[2:]]
        return F.avg_pool3d(x, window, window, ceil_mode=True)


def resnet(num_classes: int, in_channels: int, width: float, weights: str) -> Network:
    """Build `monai-resnet18`."""
    network = resnet18(
        spatial_dims=3,
        n_input_channels=in_channels,
        num_classes=num_classes,
        widen_factor=width,
    )
    _load(network, weights, first="conv1.weight", head="fc")
    return Network(network, "layer4")


def densenet(num_classes: int, in_channels: int, weights: str) -> Network:
    """Build `monai-densenet121`."""
    network = densenet121(spatial_dims=3, in_channels=in_channels, out_channels=num_classes)
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.AvgPool3d):  # MONAI's own fails where an axis has length 1
            parent, _, leaf = name.rpartition(".")
            setattr(network.get_submodule(parent), leaf, Halve())
    _load(network, weights, first="features.conv0.weight", head="class_layers.out")
    return Network(network, "features")


def _load(network: nn.Module, weights: str, first: str, head: str) -> None:
    """Load a file of weights, unless `weights` is `none`."""
    if weights != "none":
        wanted = network.state_dict()
        state = read_weights(weights)
        network.load_state_dict(fit_weights(state, wanted, first=first, head=head, source=weights))
