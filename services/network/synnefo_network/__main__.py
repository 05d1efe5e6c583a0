"""`python -m synnefo_network`."""

from synnefo_common.command import cli
from synnefo_network.main import build
from synnefo_network.settings import Settings

main = cli("synnefo_network", build, Settings)

if __name__ == "__main__":
    main()
