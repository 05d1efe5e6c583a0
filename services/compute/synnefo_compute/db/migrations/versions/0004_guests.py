"""what guests are told, and the password that they tell"""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'guests',
        sa.Column('server_id', sa.String(length=36), nullable=False),
        sa.Column('public_key', sa.Text(), nullable=True),
        sa.Column('files', sa.JSON(), nullable=False),
        sa.Column('admin_pass', sa.Text(), nullable=True),
        sa.Column('password', sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint('server_id'),
    )
