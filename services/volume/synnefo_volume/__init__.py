"""Synnefo's volume service."""
