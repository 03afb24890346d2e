"""Coded concepts: SNOMED CT and DICOM's own where they exist, private ones of `99ECHOKIT` else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from pydicom.sr.coding import Code

PRIVATE = "99ECHOKIT"
"""Coding scheme of concepts that no standard has (PS3.16 section 8)."""


def own(value: str, meaning: str) -> Code:
    """Make a private concept; its value has at most 16 characters (PS3.5 6.2, SH)."""
    return Code(value, PRIVATE, meaning[:64])


ECHOCARDIOGRAPHY = Code("40701008", "SCT", "Echocardiography")
REPORT = Code("126000", "DCM", "Imaging Measurement Report")
PULMONARY_HYPERTENSION = Code("70995007", "SCT", "Pulmonary hypertension")
SEVERITY = Code("246112005", "SCT", "Severity")
IMAGE_VIEW = Code("111031", "DCM", "Image View")
PROBABILITY = Code("122157", "DCM", "Probability")
PERCENT = Code("%", "UCUM", "Percent")
ARTIFICIAL_INTELLIGENCE = Code("123110", "DCM", "Artificial Intelligence")
DEVICE = Code("121007", "DCM", "Device")

AGREEMENT = own("agreement", "Agreement between voters")
UNCALIBRATED = own("uncalibrated", "Probability, not calibrated")
VIEW_USED = own("view-used", "View used")
VIEW_MISSING = own("view-missing", "View missing")
NOT_RULED_OUT = own("not-ruled-out", "Label that cannot be left out")
NOT_JUDGED = own("not-judged", "Not judged")
TRAINING = own("training", "Training data")
SYNTHETIC = own("synthetic", "Synthetic clips: software test only, no clinical validity")
INTENDED_USE = own("intended-use", "Intended use")
RESEARCH = own("research", "Research use only, not for diagnosis")

FINDINGS = {"ph-newborn": PULMONARY_HYPERTENSION}
"""Recipe -> what its tasks ask about."""
LABELS = {
    "none": Code("260413007", "SCT", "None"),
    "mild": Code("255604002", "SCT", "Mild"),
    "moderate": Code("6736007", "SCT", "Moderate"),
    "moderate-severe": Code("371924009", "SCT", "Moderate to Severe"),
    "severe": Code("24484000", "SCT", "Severe"),
}
"""Label -> severity of CID 3716."""
PRESENCE = {
    "none": Code("272519000", "SCT", "Absent"),
    "PH": Code("52101004", "SCT", "Present"),
}
"""Label of a task that asks whether there is pulmonary hypertension at all -> CID 240."""
VIEWS = {
    "PLAX": Code("399139001", "SCT", "Parasternal long axis"),
    "A4C": Code("399214001", "SCT", "Apical four chamber"),
    "PSAX-P": Code("399271003", "SCT", "Parasternal short axis at the Papillary Muscle level"),
    "PSAX-S": Code("399239005", "SCT", "Parasternal short axis at the aortic valve level"),
    "PSAX-A": own("PSAX-A", "Parasternal short axis at the apical level"),
}
"""View -> CID 12226, which has no code for the apical level of the short axis."""


def finding(recipe: str) -> Code:
    """Return what a recipe asks about: a finding of SNOMED CT, or the recipe's own name."""
    return FINDINGS.get(recipe) or _named("finding", recipe)


def question(recipe: str, classes: Sequence[str]) -> Code:
    """Return what a label answers: how severe the finding is, or whether it is there at all."""
    return finding(recipe) if PRESENCE.keys() == set(classes) else SEVERITY


def label(name: str, classes: Sequence[str]) -> Code:
    """Return the concept of one of the labels that there are to choose from."""
    known = PRESENCE if PRESENCE.keys() == set(classes) else LABELS
    return known.get(name) or _named("label", name)


def view(name: str) -> Code:
    """Return the concept of a view."""
    return VIEWS.get(name) or _named("view", name)


def probability_of(name: str) -> Code:
    """Return the concept of the probability of one label."""
    return _named("p", name, f"Probability of {name}")


def _named(kind: str, name: str, meaning: str = "") -> Code:
    digits = hashlib.sha256(name.encode()).hexdigest()[: 15 - len(kind)]
    return own(f"{kind}-{digits}", meaning or name)
