"""`python -m synnefo_identity`: the command line of the service."""

from synnefo_common.command import cli
from synnefo_common.service import Service
from synnefo_identity.app.bootstrap import rotate_key
from synnefo_identity.main import build
from synnefo_identity.settings import Settings


async def _rotate_key(service: Service) -> str:
    await rotate_key(service.app.state.services, now_old=True)
    return "identity: new tokens are signed with a new key; those signed before stay good until they expire"


main = cli("synnefo_identity", build, Settings, {"rotate-key": ("sign new tokens with a new key from now on", _rotate_key)})

if __name__ == "__main__":
    main()
