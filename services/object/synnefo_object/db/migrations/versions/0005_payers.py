"""projects that pay for containers"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "container_payers",
        sa.Column("container_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("owner_id", sa.BigInteger(), nullable=False),
        sa.Column("payer_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("container_id"),
    )
    for column in ("owner_id", "payer_id"):
        op.create_index(f"ix_container_payers_{column}", "container_payers", [column], unique=False)


def downgrade() -> None:
    op.drop_table("container_payers")
