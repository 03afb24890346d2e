"""tiny3d keeps the contract of a backbone."""

from echokit.testing import BackboneContract


class TestTiny3d(BackboneContract):
    component = "tiny3d"
    options = {"width": 4}
