"""The fixtures of the system tests, for the tests that need a kernel of the lab."""

import importlib.util
import pathlib
import sys

_SYSTEM = pathlib.Path(__file__).resolve().parents[1] / "system"

sys.path.insert(0, str(_SYSTEM))
_spec = importlib.util.spec_from_file_location("system_conftest", _SYSTEM / "conftest.py")
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
globals().update({name: value for name, value in vars(_module).items() if not name.startswith("__")})
