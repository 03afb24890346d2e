"""Write the DICOM conformance statement from the code: `python -m echokit_dicom.conformance`.

Its order follows PS3.2 annex N: roles, services, contexts, character sets, security.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.uid import (
    UID,
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
)
from pynetdicom import AllStoragePresentationContexts
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from echokit_dicom.archive import contexts
from echokit_dicom.node.config import Node
from echokit_dicom.node.storage import transfer_syntaxes


def statement() -> str:
    """Return the statement as Markdown."""
    node = Node(allow=())
    storage = [str(context.abstract_syntax) for context in AllStoragePresentationContexts]
    return "\n".join(
        [
            "# DICOM conformance statement",
            "",
            "Made by `python -m echokit_dicom.conformance` from the code that it describes; a test "
            "holds it to that. Research software, not a medical device.",
            "",
            "## Roles",
            "",
            *_table(
                ("service", "role", "used by"),
                [
                    ("Verification", "SCP", "`echokit listen`"),
                    ("Storage", "SCP", "`echokit listen`"),
                    ("Query/Retrieve, study root: FIND, GET, MOVE", "SCU", "loader `dimse`"),
                    ("Storage, for what C-GET and C-MOVE bring", "SCP", "loader `dimse`"),
                    ("Storage of results", "SCU", "`--send dimse:AET@HOST:PORT`"),
                    ("QIDO-RS, WADO-RS", "user agent", "loader `dicomweb`"),
                    ("STOW-RS, QIDO-RS", "user agent", "`--send dicomweb:URL`"),
                ],
            ),
            "",
            "## The node `echokit listen`",
            "",
            f"AE title `{node.ae_title}` and port {node.port} of {node.host} unless its TOML says "
            f"otherwise; at most {node.associations} associations at once. The called AE title "
            "must be its own, and the calling one must be allowed. A C-STORE is answered with "
            "0x0000 once the file is on the disk and in the queue; with 0xA700 where there is no "
            "room or the queue cannot be written, so that the sender tries again; with 0xC000 "
            "where the data set has no StudyInstanceUID or SOPInstanceUID; with 0xA900 where it is "
            "not the instance that the command names. Data sets are kept as they were sent. An "
            "instance that was received before is acknowledged and not kept twice.",
            "",
            f"Verification (`{Verification}`) and {len(storage)} storage SOP classes are accepted, "
            "in these transfer syntaxes:",
            "",
            *_uids(transfer_syntaxes()),
            "",
            "<details><summary>The storage SOP classes</summary>",
            "",
            *_uids(storage),
            "",
            "</details>",
            "",
            "## The loader `dimse`",
            "",
            "It asks for studies by C-FIND and brings instances of these SOP classes by C-GET, or "
            "by C-MOVE to its own AE title:",
            "",
            *_uids(contexts.ULTRASOUND),
            "",
            "in these transfer syntaxes, each in a presentation context of its own:",
            "",
            *_uids(map(str, contexts.SYNTAXES)),
            "",
            "## Results",
            "",
            *_table(
                ("writer", "SOP class", "what it is"),
                [
                    (
                        "`dicom-sr`",
                        _named(ComprehensiveSRStorage),
                        "TID 1500 measurement report, UNVERIFIED",
                    ),
                    (
                        "`dicom-sc`",
                        _named(MultiFrameTrueColorSecondaryCaptureImageStorage),
                        "saliency over the source's frames",
                    ),
                    ("`dicom-pdf`", _named(EncapsulatedPDFStorage), "the page of the study"),
                ],
            ),
            "",
            "Each keeps the patient and study of its source, is a new series, and has UIDs that "
            "follow from the source, the networks and the result: the same prediction gives the "
            "same UIDs.",
            "",
            "## Security",
            "",
            "TLS with certificates of both sides for the node (`[node.tls]`) and for DIMSE and "
            "DICOMweb addresses; bearer tokens and basic authentication for DICOMweb, from the "
            "environment. No de-identification takes place on the network: "
            "`echokit data deidentify` does that in files.",
            "",
        ]
    )


def _uids(uids: Iterable[str]) -> list[str]:
    return _table(("name", "UID"), [(UID(uid).name, f"`{uid}`") for uid in uids])


def _named(uid: UID) -> str:
    return f"{uid.name}, `{uid}`"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [_row(head), _row("---" for _ in head), *map(_row, rows)]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(statement(), end="")
