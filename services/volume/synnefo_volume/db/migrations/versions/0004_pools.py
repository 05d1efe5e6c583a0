"""pools of storage jobs"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("storage_jobs", sa.Column("pool", sa.String(64), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("storage_jobs", "pool")
