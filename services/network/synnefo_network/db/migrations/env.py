"""alembic's entry: the tables are in `synnefo_network.db`."""

from synnefo_common.db.migrate import run_env
from synnefo_network.db import all_tables

run_env(all_tables())
