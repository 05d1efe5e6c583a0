"""Synnefo's object service."""
