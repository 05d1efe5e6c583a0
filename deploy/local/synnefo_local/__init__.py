"""Synnefo on one machine: start, seed, demo, stop, and a fake Ganeti."""
