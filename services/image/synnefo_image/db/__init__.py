"""Tables and queries of the image service, a module per resource."""

import importlib
import pkgutil

from sqlalchemy import MetaData

from synnefo_image.db.base import metadata


def all_tables() -> MetaData:
    """The metadata with every module's tables in it."""
    for module in pkgutil.iter_modules(__path__):
        if module.name != "migrations":
            importlib.import_module(f"{__name__}.{module.name}")
    return metadata
