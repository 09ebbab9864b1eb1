import importlib.util
import sys
from pathlib import Path

# With --import-mode=importlib test folders are no packages: the bed is loaded by its path, once, under this name.
_PATH = Path(__file__).with_name("alert_bed.py")
_SPEC = importlib.util.spec_from_file_location("alert_bed", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
alert_bed = importlib.util.module_from_spec(_SPEC)
sys.modules["alert_bed"] = alert_bed
_SPEC.loader.exec_module(alert_bed)
