"""echokit plugin."""
