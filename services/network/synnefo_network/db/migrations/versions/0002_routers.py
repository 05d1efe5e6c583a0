"""routers"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "routers",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("admin_state_up", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("distributed", sa.Boolean(), nullable=False),
        sa.Column("ha", sa.Boolean(), nullable=False),
        sa.Column("enable_snat", sa.Boolean(), nullable=False),
        sa.Column("routes", sa.JSON(), nullable=False),
        sa.Column("availability_zone_hints", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("routers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_routers_project_id"), ["project_id"], unique=False)

    op.create_table(
        "router_ports",
        sa.Column("port_id", sa.String(length=36), nullable=False),
        sa.Column("router_id", sa.String(length=36), nullable=False),
        sa.Column("is_gateway", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["port_id"], ["ports.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["router_id"],
            ["routers.id"],
        ),
        sa.PrimaryKeyConstraint("port_id"),
    )
    with op.batch_alter_table("router_ports", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_router_ports_router_id"), ["router_id"], unique=False)

    op.create_table(
        "port_forwardings",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("floatingip_id", sa.String(length=36), nullable=False),
        sa.Column("protocol", sa.String(length=8), nullable=False),
        sa.Column("external_port", sa.Integer(), nullable=False),
        sa.Column("internal_port", sa.Integer(), nullable=False),
        sa.Column("internal_port_id", sa.String(length=36), nullable=False),
        sa.Column("internal_ip_address", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["floatingip_id"], ["floating_ips.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["internal_port_id"], ["ports.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("floatingip_id", "protocol", "external_port", name="uq_port_forwardings_external"),
        sa.UniqueConstraint(
            "floatingip_id", "protocol", "internal_port_id", "internal_ip_address", "internal_port", name="uq_port_forwardings_internal"
        ),
    )
    with op.batch_alter_table("port_forwardings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_port_forwardings_floatingip_id"), ["floatingip_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_port_forwardings_internal_port_id"), ["internal_port_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_port_forwardings_project_id"), ["project_id"], unique=False)

    with op.batch_alter_table("floating_ips", schema=None) as batch_op:
        batch_op.add_column(sa.Column("port_id", sa.String(length=36), nullable=True))
        batch_op.add_column(sa.Column("fixed_ip_address", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("router_id", sa.String(length=36), nullable=True))
        batch_op.create_index(batch_op.f("ix_floating_ips_router_id"), ["router_id"], unique=False)
        batch_op.create_index("uq_floating_ips_fixed", ["port_id", "fixed_ip_address", "floating_network_id"], unique=True)
        batch_op.create_foreign_key("fk_floating_ips_port_id", "ports", ["port_id"], ["id"])


def downgrade() -> None:
    with op.batch_alter_table("floating_ips", schema=None) as batch_op:
        batch_op.drop_constraint("fk_floating_ips_port_id", type_="foreignkey")
        batch_op.drop_index("uq_floating_ips_fixed")
        batch_op.drop_index(batch_op.f("ix_floating_ips_router_id"))
        batch_op.drop_column("router_id")
        batch_op.drop_column("fixed_ip_address")
        batch_op.drop_column("port_id")

    with op.batch_alter_table("port_forwardings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_port_forwardings_project_id"))
        batch_op.drop_index(batch_op.f("ix_port_forwardings_internal_port_id"))
        batch_op.drop_index(batch_op.f("ix_port_forwardings_floatingip_id"))

    op.drop_table("port_forwardings")
    with op.batch_alter_table("router_ports", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_router_ports_router_id"))

    op.drop_table("router_ports")
    with op.batch_alter_table("routers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_routers_project_id"))

    op.drop_table("routers")
