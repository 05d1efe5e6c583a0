"""qos and address groups"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "address_groups",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("addresses", sa.JSON(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("address_groups", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_address_groups_project_id"), ["project_id"], unique=False)

    op.create_table(
        "qos_policies",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("qos_policies", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_qos_policies_project_id"), ["project_id"], unique=False)

    op.create_table(
        "qos_rules",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("policy_id", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=True),
        sa.Column("max_kbps", sa.Integer(), nullable=True),
        sa.Column("max_burst_kbps", sa.Integer(), nullable=True),
        sa.Column("dscp_mark", sa.Integer(), nullable=True),
        sa.Column("min_kbps", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["policy_id"], ["qos_policies.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("qos_rules", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_qos_rules_policy_id"), ["policy_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_qos_rules_project_id"), ["project_id"], unique=False)

    with op.batch_alter_table("floating_ips", schema=None) as batch_op:
        batch_op.add_column(sa.Column("qos_policy_id", sa.String(length=36), nullable=True))
        batch_op.create_index(batch_op.f("ix_floating_ips_qos_policy_id"), ["qos_policy_id"], unique=False)
        batch_op.create_foreign_key("fk_floating_ips_qos_policy_id", "qos_policies", ["qos_policy_id"], ["id"])

    with op.batch_alter_table("networks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("qos_policy_id", sa.String(length=36), nullable=True))
        batch_op.create_index(batch_op.f("ix_networks_qos_policy_id"), ["qos_policy_id"], unique=False)
        batch_op.create_foreign_key("fk_networks_qos_policy_id", "qos_policies", ["qos_policy_id"], ["id"])

    with op.batch_alter_table("ports", schema=None) as batch_op:
        batch_op.add_column(sa.Column("qos_policy_id", sa.String(length=36), nullable=True))
        batch_op.create_index(batch_op.f("ix_ports_qos_policy_id"), ["qos_policy_id"], unique=False)
        batch_op.create_foreign_key("fk_ports_qos_policy_id", "qos_policies", ["qos_policy_id"], ["id"])

    with op.batch_alter_table("security_group_rules", schema=None) as batch_op:
        batch_op.add_column(sa.Column("remote_address_group_id", sa.String(length=36), nullable=True))
        batch_op.create_index(batch_op.f("ix_security_group_rules_remote_address_group_id"), ["remote_address_group_id"], unique=False)
        batch_op.create_foreign_key("fk_security_group_rules_address_group", "address_groups", ["remote_address_group_id"], ["id"])

    with op.batch_alter_table("security_groups", schema=None) as batch_op:
        batch_op.add_column(sa.Column("shared", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("security_groups", schema=None) as batch_op:
        batch_op.drop_column("shared")

    with op.batch_alter_table("security_group_rules", schema=None) as batch_op:
        batch_op.drop_constraint("fk_security_group_rules_address_group", type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_security_group_rules_remote_address_group_id"))
        batch_op.drop_column("remote_address_group_id")

    with op.batch_alter_table("ports", schema=None) as batch_op:
        batch_op.drop_constraint("fk_ports_qos_policy_id", type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_ports_qos_policy_id"))
        batch_op.drop_column("qos_policy_id")

    with op.batch_alter_table("networks", schema=None) as batch_op:
        batch_op.drop_constraint("fk_networks_qos_policy_id", type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_networks_qos_policy_id"))
        batch_op.drop_column("qos_policy_id")

    with op.batch_alter_table("floating_ips", schema=None) as batch_op:
        batch_op.drop_constraint("fk_floating_ips_qos_policy_id", type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_floating_ips_qos_policy_id"))
        batch_op.drop_column("qos_policy_id")

    with op.batch_alter_table("qos_rules", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_qos_rules_project_id"))
        batch_op.drop_index(batch_op.f("ix_qos_rules_policy_id"))

    op.drop_table("qos_rules")
    with op.batch_alter_table("qos_policies", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_qos_policies_project_id"))

    op.drop_table("qos_policies")
    with op.batch_alter_table("address_groups", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_address_groups_project_id"))

    op.drop_table("address_groups")
