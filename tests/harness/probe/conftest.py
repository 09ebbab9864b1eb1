import importlib.util
import sys
from pathlib import Path

# With --import-mode=importlib test folders are no packages: the endpoint is loaded by its path, once, under this name.
_SPEC = importlib.util.spec_from_file_location("probe_endpoint", Path(__file__).with_name("endpoint.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
endpoint = importlib.util.module_from_spec(_SPEC)
sys.modules["probe_endpoint"] = endpoint
_SPEC.loader.exec_module(endpoint)
