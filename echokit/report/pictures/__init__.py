"""Pictures of clips and saliency."""
