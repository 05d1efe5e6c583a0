"""Finds the distribution's `rados` binding from any environment of the same Python version.

There is none on PyPI. The module is loaded from where the distribution keeps it; nothing else of the distribution's
packages becomes importable, and the environment is not changed. The only importer of `rados`.
"""

import importlib.util
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path
from types import ModuleType

_DIRECTORIES = (
    Path("/usr/lib/python3/dist-packages"),
    Path(f"/usr/lib64/python3.{sys.version_info[1]}/site-packages"),
)


def load_rados() -> ModuleType:
    """Raises `ModuleNotFoundError` with what to install."""
    present = sys.modules.get("rados")
    if present is not None:
        return present
    if importlib.util.find_spec("rados") is not None:
        return importlib.import_module("rados")
    for directory in _DIRECTORIES:
        path = directory / f"rados{EXTENSION_SUFFIXES[0]}"
        if not path.exists():
            continue
        loader = ExtensionFileLoader("rados", str(path))
        spec = importlib.util.spec_from_file_location("rados", path, loader=loader)
        if spec is None:
            continue
        module = importlib.util.module_from_spec(spec)
        sys.modules["rados"] = module
        try:
            loader.exec_module(module)
        except BaseException:
            del sys.modules["rados"]
            raise
        return module
    version = ".".join(map(str, sys.version_info[:2]))
    raise ModuleNotFoundError(f"no rados binding for Python {version}: install the distribution's python3-rados")
