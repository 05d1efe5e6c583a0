"""charged pools and policies"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("subnetpools", "rbac_policies"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column("is_charged", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    for table in ("rbac_policies", "subnetpools"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column("is_charged")
