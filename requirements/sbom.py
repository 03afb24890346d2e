"""Remove web addresses from a CycloneDX bill of materials: python sbom.py < in.json > out.json.

A package's addresses change without its code, and no reader needs them to know what is installed.
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    """Copy the bill from standard input to standard output without its external references."""
    bill = json.load(sys.stdin)
    root = bill["metadata"]["component"]
    for component in (root, *bill["metadata"]["tools"]["components"], *bill["components"]):
        component.pop("externalReferences", None)
    json.dump(bill, sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
