"""Archives: studies out of them by DICOMweb or DIMSE, results into them."""
