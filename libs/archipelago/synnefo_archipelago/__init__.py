"""Archipelago: Synnefo's block store."""
