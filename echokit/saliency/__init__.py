"""Saliency maps: made, measured and tested."""
