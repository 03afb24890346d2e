"""Results as DICOM objects: structured report, secondary capture, encapsulated PDF."""
