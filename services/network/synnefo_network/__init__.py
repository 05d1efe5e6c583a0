"""Synnefo's network service."""
