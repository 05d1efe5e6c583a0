"""Synnefo's compute service."""
