"""`python -m synnefo_volume`."""

from synnefo_common.command import cli
from synnefo_volume.main import build
from synnefo_volume.settings import Settings

main = cli("synnefo_volume", build, Settings)

if __name__ == "__main__":
    main()
