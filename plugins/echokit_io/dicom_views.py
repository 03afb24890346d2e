"""The view that a DICOM header names: by codes, by a site's own words, or by a user's rules."""

from __future__ import annotations

import re
from typing import Any

from echokit import VIEWS
from echokit_io.dicom_values import items, text
from echokit_io.naming import canonical, view_in

STANDARD_VIEWS = {
    "399139001": "PLAX",
    "G-0396": "PLAX",
    "parasternal long axis": "PLAX",
    "399214001": "A4C",
    "G-A19C": "A4C",
    "130681": "A4C",
    "130682": "A4C",
    "apical four chamber": "A4C",
    "apical four chamber rv focused": "A4C",
    "apical four chamber rv modified": "A4C",
    "399271003": "PSAX-P",
    "G-039B": "PSAX-P",
    "parasternal short axis at the papillary muscle level": "PSAX-P",
    "399239005": "PSAX-S",
    "G-0398": "PSAX-S",
    "parasternal short axis at the aortic valve level": "PSAX-S",
}
"""Codes (SNOMED CT, its old form SNOMED RT, and DICOM's own) and meanings of CID 12226 (PS3.16),
which has no code for the short axis at the apex."""
OTHER_CODES = {
    "399232001": "apical two chamber",
    "399339008": "apical long axis",
    "399306005": "parasternal short axis",
    "399036006": "parasternal short axis at the mitral valve level",
    "399371001": "parasternal short axis at the level of the mitral chords",
    "443082005": "parasternal long axis view of the RV inflow tract",
    "443083000": "parasternal long axis view of the RV outflow tract",
    "398998003": "right ventricular inflow tract view",
    "399195005": "right ventricular outflow tract view",
    "399310008": "subcostal long axis",
    "399200001": "subcostal short axis",
    "399106004": "suprasternal long axis",
    "399145009": "suprasternal short axis",
    "443698002": "transesophageal short axis view",
    "G-A19B": "apical two chamber",
    "G-0395": "apical long axis",
    "G-0397": "parasternal short axis",
    "G-039A": "parasternal short axis at the mitral valve level",
    "G-0399": "parasternal short axis at the level of the mitral chords",
    "G-039E": "subcostal long axis",
}
"""Codes of other views of CID 12226 -> their meanings: such a clip is none of the views in use,
whatever its file is called."""
OTHER_VIEWS = frozenset(OTHER_CODES.values())
SITE_CODE = re.compile(r"[A-Z][A-Z0-9-]{1,7}")
"""Pattern of a description that may be a site's name of a view: KAPAP, not `US KIDNEY`."""
TEXTS = ("ViewName", "StageName", "SeriesDescription")
"""Attributes in which a site may write the view (PS3.3 C.8.5.6, C.7.3.1), most reliable first."""


def views(tags: Any) -> list[str]:
    """List the header's names of the view, the most reliable first."""
    names = [text(tags, "ViewName")]
    for item in items(tags, "ViewCodeSequence"):
        value, meaning = text(item, "CodeValue"), text(item, "CodeMeaning")
        names += [STANDARD_VIEWS.get(value) or OTHER_CODES.get(value, ""), meaning]
    for keyword in TEXTS[1:]:  # these often say something else
        word = text(tags, keyword)
        if canonical(word) in VIEWS or SITE_CODE.fullmatch(word):
            names.append(word)
    # a view among other words counts less than one that stands alone
    names += [view_in(text(tags, keyword)) for keyword in TEXTS]
    return [_standard(name) for name in names if name]


def _standard(name: str) -> str:
    lower = name.lower()
    same = next((view for view in OTHER_VIEWS if view.lower() == lower), name)
    return STANDARD_VIEWS.get(lower, same)


def texts(tags: Any) -> list[str]:
    """List what the header says of the view as it is written, for a user's rules."""
    found = [text(tags, keyword) for keyword in TEXTS]
    for item in items(tags, "ViewCodeSequence"):
        found += [text(item, "CodeValue"), text(item, "CodeMeaning")]
    return [one for one in found if one]
