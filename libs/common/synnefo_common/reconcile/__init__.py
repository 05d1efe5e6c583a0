"""Reconcilers: compare what is with what should be, by period and by nudge, and mend the difference."""

from synnefo_common.reconcile.loop import Reconciler

__all__ = ["Reconciler"]
