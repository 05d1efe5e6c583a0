"""default security group rules"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


_COLUMNS = [
    *("id", "project_id", "description", "tags", "revision", "created_at", "updated_at", "direction", "ethertype", "remote_is_parent"),
    *("used_in_default_sg", "used_in_non_default_sg", "default_key", "non_default_key"),
]
_ROWS = [
    (
        "d83cdb6b-e5f6-59b2-91e4-a4cb65ce7d2d",
        "",
        "Legacy default SG rule for egress traffic",
        "",
        0,
        0,
        0,
        "egress",
        "IPv4",
        False,
        True,
        True,
        "egress|IPv4|||||",
        "egress|IPv4|||||",
    ),
    (
        "8833d086-5022-5ecf-8357-80e489834314",
        "",
        "Legacy default SG rule for egress traffic",
        "",
        0,
        1,
        1,
        "egress",
        "IPv6",
        False,
        True,
        True,
        "egress|IPv6|||||",
        "egress|IPv6|||||",
    ),
    (
        "b71da1e7-7b29-5561-a812-e66c439877e5",
        "",
        "Legacy default SG rule for ingress traffic",
        "",
        0,
        2,
        2,
        "ingress",
        "IPv4",
        True,
        True,
        False,
        "ingress|IPv4|||||PARENT",
        None,
    ),
    (
        "92f2ec68-385b-500f-8027-c2cd4e0bb613",
        "",
        "Legacy default SG rule for ingress traffic",
        "",
        0,
        3,
        3,
        "ingress",
        "IPv6",
        True,
        True,
        False,
        "ingress|IPv6|||||PARENT",
        None,
    ),
]


def upgrade() -> None:
    op.create_table(
        "default_security_group_rules",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("ethertype", sa.String(length=4), nullable=False),
        sa.Column("protocol", sa.String(length=40), nullable=True),
        sa.Column("port_range_min", sa.Integer(), nullable=True),
        sa.Column("port_range_max", sa.Integer(), nullable=True),
        sa.Column("remote_ip_prefix", sa.String(length=64), nullable=True),
        sa.Column("remote_is_parent", sa.Boolean(), nullable=False),
        sa.Column("remote_group_id", sa.String(length=36), nullable=True),
        sa.Column("remote_address_group_id", sa.String(length=36), nullable=True),
        sa.Column("used_in_default_sg", sa.Boolean(), nullable=False),
        sa.Column("used_in_non_default_sg", sa.Boolean(), nullable=False),
        sa.Column("default_key", sa.String(length=255), nullable=True),
        sa.Column("non_default_key", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(["remote_address_group_id"], ["address_groups.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["remote_group_id"], ["security_groups.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("default_key"),
        sa.UniqueConstraint("non_default_key"),
    )
    with op.batch_alter_table("default_security_group_rules", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_default_security_group_rules_project_id"), ["project_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_default_security_group_rules_remote_address_group_id"), ["remote_address_group_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_default_security_group_rules_remote_group_id"), ["remote_group_id"], unique=False)

    op.bulk_insert(
        sa.table("default_security_group_rules", *(sa.column(name) for name in _COLUMNS)),
        [dict(zip(_COLUMNS, row, strict=True)) for row in _ROWS],
    )


def downgrade() -> None:
    with op.batch_alter_table("default_security_group_rules", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_default_security_group_rules_remote_group_id"))
        batch_op.drop_index(batch_op.f("ix_default_security_group_rules_remote_address_group_id"))
        batch_op.drop_index(batch_op.f("ix_default_security_group_rules_project_id"))

    op.drop_table("default_security_group_rules")
