"""server groups, and the node that a member was promised"""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'server_groups',
        sa.Column('id', sa.String(length=36), nullable=False),
        sa.Column('project_id', sa.String(length=64), nullable=False),
        sa.Column('user_id', sa.String(length=64), nullable=False),
        sa.Column('name', sa.String(length=255), nullable=False),
        sa.Column('policy', sa.String(length=32), nullable=False),
        sa.Column('max_server_per_host', sa.Integer(), nullable=True),
        sa.Column('turn', sa.BigInteger(), nullable=False),
        sa.Column('created_at', sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_server_groups')),
    )
    op.create_index('ix_server_groups_project_id', 'server_groups', ['project_id', 'created_at', 'id'])
    op.add_column('servers', sa.Column('server_group_id', sa.String(length=36), nullable=True))
    op.create_index('ix_servers_server_group_id', 'servers', ['server_group_id'])
    op.add_column('reservations', sa.Column('node', sa.String(length=255), nullable=True))
