"""Databases: engine, unit of work, common tables. SQL itself belongs to each service's `db/`."""

from synnefo_common.db.engine import Database
from synnefo_common.db.sql import JSON, contend, upsert_ignore
from synnefo_common.db.tables import common_metadata, service_metadata
from synnefo_common.db.uow import UnitOfWork

__all__ = ["JSON", "Database", "UnitOfWork", "common_metadata", "contend", "service_metadata", "upsert_ignore"]
