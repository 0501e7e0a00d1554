"""The command line: ``erlangen demo``, ``discover``, ``conserved``, ``identify``.

Everything heavy is imported inside the commands, so that help is quick.
"""

from erlangen.cli._app import main as main

__all__ = ["main"]
