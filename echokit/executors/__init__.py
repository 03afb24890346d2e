"""Where independent jobs run."""
