"""The metadata of this service's database: the common tables, and one module per resource beside this one."""

from synnefo_common.db import service_metadata

metadata = service_metadata()
