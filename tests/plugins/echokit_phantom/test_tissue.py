"""The roughness of the ventricles' inner surface."""

import numpy as np

from echokit_phantom.curves import Shape, ellipse
from echokit_phantom.tissue import uneven


def test_trabeculae_roughen_a_ventricle_and_keep_its_shape():
    frames = 3
    round_ = ellipse((0.0, 0.0), (9.0, np.array([9.0, 8.0, 7.0])), frames, points=90)
    shapes = [
        Shape("blood", round_, "LV"),
        Shape("blood", round_, "LA"),
        Shape("papillary", round_, "myocardium"),
        Shape("pericardium", round_, labelled=False),
    ]
    rough = uneven(shapes, np.random.default_rng(0))
    moved = [
        np.linalg.norm(r.outline - s.outline, axis=-1) for r, s in zip(rough, shapes, strict=True)
    ]
    assert moved[1].max() == moved[3].max() == 0
    for values in (moved[0], moved[2]):
        assert 0.18 < values.std() + values.mean() < 0.6
        np.testing.assert_allclose(values, values[:1].repeat(frames, axis=0))  # one surface
    for frame in range(frames):
        spread = [
            np.sqrt(np.linalg.eigvalsh(np.cov(s[0].outline[frame].T))) for s in (rough, shapes)
        ]
        np.testing.assert_allclose(spread[0], spread[1], rtol=0.02)
    assert [(s.material, s.structure, s.labelled) for s in rough] == [
        (s.material, s.structure, s.labelled) for s in shapes
    ]
