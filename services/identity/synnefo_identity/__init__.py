"""Synnefo's identity service."""
