"""Discrete symmetries: tests of finite sets, and a search for the other components of a group."""
