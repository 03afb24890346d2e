"""The network ResNet-18 on each frame by itself."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models.video.resnet import BasicBlock, Conv3DNoTemporal


class ResNet18(nn.Module):
    """ResNet-18: a stem, four layers of two residual blocks, mean over space and time, a head.

    Every kernel spans one frame. Kernels are 3D so that a 5D sequence is used in its own memory
    format, no frame is copied, and a feature map keeps the time axis.

    Args:
        num_classes: number of classes K.
        in_channels: number of input channels C.
        width: channels of the stem and of layer 1.
        cam: name of the layer that class-activation maps are taken from.
    """

    def __init__(self, num_classes: int, in_channels: int, width: int, cam: str = "layer4") -> None:
        super().__init__()
        self.cam = cam
        # named as in torchvision, whose state dict then fits
        self.conv1 = nn.Conv3d(in_channels, width, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False)
        self.bn1 = nn.BatchNorm3d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        self.layer1 = _layer(width, width, stride=1)
        self.layer2 = _layer(width, 2 * width, stride=2)
        self.layer3 = _layer(2 * width, 4 * width, stride=2)
        self.layer4 = _layer(4 * width, 8 * width, stride=2)
        self.fc = nn.Linear(8 * width, num_classes)
        for module in self.modules():  # initialised as torchvision's ResNet is
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, sequences: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B K"]:
        """Map sequences to one logit per class: the mean of their frames' logits."""
        x = self.relu(self.bn1(self.conv1(sequences)))  # B, width, T, H/2, W/2
        x = self.layer2(self.layer1(self.maxpool(x)))  # B, 2 width, T, H/8, W/8
        x = self.layer4(self.layer3(x))  # B, 8 width, T, H/32, W/32
        # the head is linear: the logits of the mean are the mean of the logits
        logits: Tensor = self.fc(x.mean(dim=(2, 3, 4)))  # B, K
        return logits

    def cam_layer(self) -> nn.Module:
        """Return the layer named by `cam`.

        The last one's output is `(B, 8 width, T, H/32, W/32)`, rounded up.
        """
        return self.get_submodule(self.cam)


def _layer(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    changes = stride != 1 or in_channels != out_channels
    downsample = (
        nn.Sequential(
            nn.Conv3d(in_channels, out_channels, 1, (1, stride, stride), bias=False),
            nn.BatchNorm3d(out_channels),
        )
        if changes
        else None
    )
    return nn.Sequential(
        BasicBlock(in_channels, out_channels, Conv3DNoTemporal, stride, downsample),
        BasicBlock(out_channels, out_channels, Conv3DNoTemporal),
    )
