"""alembic's entry: the tables are in `synnefo_object.db`."""

from synnefo_common.db.migrate import run_env
from synnefo_object.db import all_tables

run_env(all_tables())
