"""What tells the grades apart, and what must not."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from echokit import resolve
from echokit_phantom.render import label_map, render, stage

PATIENTS = 150


def cohort(view, **options):
    defaults = {"size": 40, "frames": 14, "frames_sd": 0, "files": 0, "seed": 3}
    loader = resolve(
        "loader", "phantom", patients=PATIENTS, views=[view], **{**defaults, **options}
    )
    return loader, np.array([min(patient.grade, 2) for patient in loader.patients])


def cross_validated(features, grades):
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    scores = []
    for seed in range(3):
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        scores.append(
            balanced_accuracy_score(grades, cross_val_predict(model, features, grades, cv=folds))
        )
    return np.mean(scores)


@pytest.mark.parametrize("view", ["PSAX-P", "PLAX"])
def test_brightness_does_not_give_the_grade_away(view):
    loader, grades = cohort(view)
    features = []
    for patient in loader.patients:
        frames = render(loader.settings, patient, view)[0].frames.astype(float)
        mean, spread = frames.mean(axis=(1, 2)), frames.var(axis=(1, 2))
        features.append([mean.mean(), mean.var(), spread.mean(), spread.var()])
    assert cross_validated(np.array(features), grades) < 0.45


def eccentricity(structures, names):
    """Spread of the left ventricle along the septum over that across it, by frame."""
    left, right = names.index("LV") + 1, names.index("RV") + 1
    values = []
    for labels in structures:
        cavity = np.argwhere(labels == left).astype(float)
        towards = np.argwhere(labels == right).mean(axis=0) - cavity.mean(axis=0)
        towards /= np.linalg.norm(towards)
        cavity -= cavity.mean(axis=0)
        values.append(np.std(cavity @ [-towards[1], towards[0]]) / np.std(cavity @ towards))
    return np.array(values)


def shapes(view):
    """(eccentricity at end diastole, at end systole) of every patient, and the grades."""
    loader, grades = cohort(view, size=80)
    indices = []
    for patient in loader.patients:
        scene, _ = stage(loader.settings, patient, view)
        labels = label_map(scene, np.ones((80, 80), bool))
        index = eccentricity(labels, scene.structures)
        beat = scene.beat
        # the mean over a few frames, as one would measure several beats
        relaxed, tense = np.argsort(beat.squeeze)[:3], np.argsort(-beat.pressure)[:3]
        indices.append([index[relaxed].mean(), index[tense].mean()])
    return np.array(indices), grades


def test_systolic_flattening_in_the_short_axis_tells_and_diastole_misses_mild():
    short, grades = shapes("PSAX-P")
    diastole, systole = short.T
    by_grade = [systole[grades == grade].mean() for grade in range(3)]
    assert by_grade[0] < 1.15 < by_grade[2]  # Abraham & Weismann 2016: seen from 1.15
    assert by_grade[0] + 0.05 < by_grade[1] < by_grade[2] - 0.1
    told = cross_validated(systole[:, None], grades)
    assert told > 0.65
    mild = grades < 2
    assert roc_auc_score(grades[mild], systole[mild]) > 0.8
    assert roc_auc_score(grades[mild], diastole[mild]) < 0.75
    assert roc_auc_score(grades == 2, diastole) > 0.85

    apical, same_grades = shapes("A4C")
    assert cross_validated(apical[:, 1:], same_grades) < told - 0.1


def test_views_of_a_patient_share_one_severity():
    loader, _ = cohort("PSAX-P")
    patient = loader.patients[0]
    assert patient.severity == cohort("A4C")[0].patients[0].severity
