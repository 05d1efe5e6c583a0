"""Synnefo's image service."""
