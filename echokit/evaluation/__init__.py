"""Evaluate held-out predictions: metrics, intervals, differences and calibration."""
