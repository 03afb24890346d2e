"""Evaluation on held-out patients: metrics, intervals, differences, calibration."""
