"""buckets and multipart uploads of S3"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.String(length=32).with_variant(sa.String(length=32, collation="C"), "postgresql")
_NAME = sa.String(length=1100).with_variant(sa.String(length=1100, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "s3_buckets",
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("container_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["container_id"], ["containers.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_s3_buckets_container_id", "s3_buckets", ["container_id"], unique=False)
    op.create_table(
        "s3_uploads",
        sa.Column("id", _ID, nullable=False),
        sa.Column("container_id", sa.BigInteger(), nullable=False),
        sa.Column("name", _NAME, nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("checksum", sa.String(length=32), server_default="", nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["container_id"], ["containers.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_s3_uploads_container_id_name", "s3_uploads", ["container_id", "name", "id"], unique=False)
    op.create_table(
        "s3_parts",
        sa.Column("upload_id", _ID, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("prev_size", sa.BigInteger(), nullable=True),
        sa.Column("etag", sa.String(length=32), nullable=False),
        sa.Column("checksum", sa.String(length=64), server_default="", nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["upload_id"], ["s3_uploads.id"]),
        sa.PrimaryKeyConstraint("upload_id", "number"),
    )
    op.create_index("ix_s3_parts_created_us", "s3_parts", ["created_us"], unique=False)


def downgrade() -> None:
    op.drop_table("s3_parts")
    op.drop_table("s3_uploads")
    op.drop_table("s3_buckets")
