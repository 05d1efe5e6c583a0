"""sharing, public links, and blocks that are held"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NAME = sa.String(length=1100).with_variant(sa.String(length=1100, collation="C"), "postgresql")
_LARGE = sa.text("size >= 1048576")


def upgrade() -> None:
    op.create_table(
        "grants",
        sa.Column("container_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("grantee", sa.String(length=600), nullable=False),
        sa.Column("mode", sa.SmallInteger(), nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("container_id", "name", "grantee"),
    )
    op.create_index("ix_grants_grantee", "grants", ["grantee"], unique=False)
    op.create_table(
        "account_groups",
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("member", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "name", "member"),
    )
    op.create_index("ix_account_groups_member", "account_groups", ["member"], unique=False)
    op.create_table(
        "public_links",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("container_id", sa.BigInteger(), nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_public_links_place", "public_links", ["container_id", "name"], unique=False)
    op.create_table(
        "held_blocks",
        sa.Column("holder", sa.String(length=130), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.SmallInteger(), nullable=False),
        sa.Column("added_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("holder", "hash"),
    )
    op.create_index("ix_held_blocks_added_us", "held_blocks", ["added_us"], unique=False)
    op.create_table(
        "held_indexed",
        sa.Column("holder", sa.String(length=130), nullable=False),
        sa.Column("started_us", sa.BigInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("holder"),
    )
    op.create_index("ix_objects_hash", "objects", ["hash"], unique=False)
    for table in ("objects", "versions"):
        op.create_index(f"ix_{table}_large", table, ["container_id", "created_us"], unique=False, sqlite_where=_LARGE, postgresql_where=_LARGE)


def downgrade() -> None:
    for table in ("objects", "versions"):
        op.drop_index(f"ix_{table}_large", table_name=table)
    op.drop_index("ix_objects_hash", table_name="objects")
    for table in ("held_indexed", "held_blocks", "public_links", "account_groups", "grants"):
        op.drop_table(table)
