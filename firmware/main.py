"""Starts the app. What happens when it ends is rheorp2.app's: the REPL is never reached with output on."""

from rheorp2 import app

app.main()
