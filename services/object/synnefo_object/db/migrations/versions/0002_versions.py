"""versions of objects"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NAME = sa.String(length=1100).with_variant(sa.String(length=1100, collation="C"), "postgresql")


def upgrade() -> None:
    op.add_column("objects", sa.Column("uuid", sa.String(length=36), nullable=True))
    op.add_column("objects", sa.Column("hash", sa.String(length=64), nullable=True))
    op.add_column("objects", sa.Column("modified_by", sa.String(length=64), server_default="", nullable=False))
    op.add_column("objects", sa.Column("versioned", sa.SmallInteger(), server_default="0", nullable=False))
    op.create_table(
        "versions",
        sa.Column("container_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("created_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("replaced_us", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("etag", sa.String(length=80), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("modified_us", sa.BigInteger(), nullable=False),
        sa.Column("delete_at", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("extra", sa.Text(), nullable=True),
        sa.Column("uuid", sa.String(length=36), nullable=True),
        sa.Column("hash", sa.String(length=64), nullable=True),
        sa.Column("modified_by", sa.String(length=64), server_default="", nullable=False),
        sa.Column("versioned", sa.SmallInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["container_id"], ["containers.id"]),
        sa.PrimaryKeyConstraint("container_id", "name", "created_us"),
    )
    op.create_index("ix_versions_created_us", "versions", ["created_us"], unique=False)


def downgrade() -> None:
    op.drop_table("versions")
    for column in ("versioned", "modified_by", "hash", "uuid"):
        op.drop_column("objects", column)
