"""The contract of each kind of component, as a suite of rules."""
