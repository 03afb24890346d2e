"""Copies of clips in which nobody is named: `echokit data deidentify`."""
