"""Components are tried before a run does any work."""

import pytest

from echokit import PluginError
from echokit.components import trial
from echokit.recipe import load_recipe


@pytest.mark.usefixtures("tiny_plugin")
def test_an_explainer_that_needs_a_layer_is_refused_before_training(monkeypatch):
    from echokit_captum.gradcam import GradCam

    monkeypatch.setattr("echokit.components.parts.make_explainer", lambda _: GradCam())
    with pytest.raises(PluginError, match=r"spatio-temporal.*`cam_layer\(\)`.*explain=false"):
        trial.try_components(load_recipe("tiny-study"))
    monkeypatch.setattr("echokit.components.parts.make_explainer", lambda _: GradCam("3"))
    trial.try_components(load_recipe("tiny-study"))
