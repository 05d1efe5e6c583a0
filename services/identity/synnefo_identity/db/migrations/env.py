"""alembic's entry: the tables are in `synnefo_identity.db`."""

from synnefo_identity.db import all_tables
from synnefo_common.db.migrate import run_env

run_env(all_tables())
