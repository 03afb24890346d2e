"""`python -m echokit` is the `echokit` command."""

from echokit.cli import main

main()
