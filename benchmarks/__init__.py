"""Measured claims: each module is one benchmark, with a function ``run(full)`` that returns rows."""
