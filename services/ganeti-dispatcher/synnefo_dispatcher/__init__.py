"""Synnefo's Ganeti dispatcher."""
