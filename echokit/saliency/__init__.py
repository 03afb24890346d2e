"""Explain sequences by saliency maps, and measure, test and draw the maps."""
