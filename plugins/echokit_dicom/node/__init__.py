"""A node of the hospital's network: studies come in by DICOM, results go out."""
