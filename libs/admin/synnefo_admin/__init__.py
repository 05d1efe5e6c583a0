"""Synnefo: the operator's command."""
