"""pools of containers and of what is stored"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_COLUMNS = {"containers": "policy", "objects": "pool", "versions": "pool", "s3_parts": "pool"}


def upgrade() -> None:
    for table, column in _COLUMNS.items():
        op.add_column(table, sa.Column(column, sa.String(64), server_default="", nullable=False))


def downgrade() -> None:
    for table, column in _COLUMNS.items():
        op.drop_column(table, column)
