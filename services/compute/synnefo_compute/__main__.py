"""`python -m synnefo_compute`."""

from synnefo_common.command import cli
from synnefo_compute.main import build
from synnefo_compute.settings import Settings

main = cli("synnefo_compute", build, Settings)

if __name__ == "__main__":
    main()
