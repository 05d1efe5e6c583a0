"""The sagas of compute, a module each."""

from synnefo_common.saga import Saga
from synnefo_compute.app.core import Compute
from synnefo_compute.app.sagas import interface_attach, server_create, server_delete, server_resize, volume_attach


def all_sagas(compute: Compute) -> list[Saga]:
    """What the engine must know."""
    return [
        server_create.saga(compute), server_delete.saga(compute), server_resize.saga(compute), server_resize.revert_saga(compute),
        volume_attach.attach_saga(compute), volume_attach.detach_saga(compute), interface_attach.attach_saga(compute),
        interface_attach.detach_saga(compute),
    ]  # fmt: skip
