"""direct floating ips and address history"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "address_history",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("ip_address", sa.String(length=64), nullable=False),
        sa.Column("network_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("floating_ip_id", sa.String(length=36), nullable=True),
        sa.Column("port_id", sa.String(length=36), nullable=True),
        sa.Column("mac_address", sa.String(length=17), nullable=True),
        sa.Column("device_id", sa.String(length=255), nullable=False),
        sa.Column("device_owner", sa.String(length=255), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("address_history", schema=None) as batch_op:
        batch_op.create_index("ix_address_history_address", ["ip_address", "started_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_address_history_floating_ip_id"), ["floating_ip_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_address_history_port_id"), ["port_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_address_history_project_id"), ["project_id"], unique=False)

    with op.batch_alter_table("networks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("is_drained", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("direct_floating_ips", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("networks", schema=None) as batch_op:
        batch_op.drop_column("direct_floating_ips")
        batch_op.drop_column("is_drained")

    with op.batch_alter_table("address_history", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_address_history_project_id"))
        batch_op.drop_index(batch_op.f("ix_address_history_port_id"))
        batch_op.drop_index(batch_op.f("ix_address_history_floating_ip_id"))
        batch_op.drop_index("ix_address_history_address")

    op.drop_table("address_history")
