"""Synnefo: what every service shares."""
