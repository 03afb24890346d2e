from echokit import hookimpl


def tiny3d(num_classes: int, in_channels: int, *, width: int = 8):
    """Three 3D convolutions and a linear head."""
    from torch import nn

    class Tiny3d(nn.Sequential):
        def cam_layer(self):  # where Grad-CAM looks
            return self[4]

    return Tiny3d(
        nn.Conv3d(in_channels, width, 3, stride=(1, 2, 2), padding=1), nn.ReLU(),
        nn.Conv3d(width, 2 * width, 3, stride=2, padding=1), nn.ReLU(),
        nn.Conv3d(2 * width, 4 * width, 3, stride=2, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4 * width, num_classes),
    )


@hookimpl
def register_backbones(register):
    register("tiny3d", tiny3d)
