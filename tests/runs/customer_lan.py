"""A customer's network in namespaces, and runs on ground `lab` in it: `customer_lan.py CHECK FOLDER`.

    machine (10.9.0.20) ── bridge ──┬── vendor       10.9.0.30: somebody's gateway
                                    ├── servers      10.9.0.40: somebody's CallManager
                                    └── desks        10.9.0.50, and real phones in 10.9.64.0/24 behind it

Routers send 10.9.128.0/24 to the machine: emulated phones are made there by the run. Started in namespaces of its own
by test_lab_runs.py; nothing of it is the bed's own lab. Exit code 0 is right.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute

from harness.net.lab import HostPlan, Lab, LabPlan

MACHINE, VENDOR, SERVERS, DESKS = "10.9.0.20", "10.9.0.30", "10.9.0.40", "10.9.0.50"
EMULATED, REAL = "10.9.128.0/24", "10.9.64.0/24"
PASSWORD = "a site's own pass+word"
ENTER = Path(__file__).parents[2] / "harness" / "net" / "exec_inside.py"
LOCAL_TABLE = 255


class Lan:
    """The network, and what was started in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        hosts = {"machine": MACHINE, "vendor": VENDOR, "servers": SERVERS, "desks": DESKS}
        plan = LabPlan(
            hosts=[HostPlan(name=name, address=address) for name, address in hosts.items()],
            link="10.9.0.0/24",
            behind=EMULATED,
            behind_host="machine",
        )
        self.lab = Lab(plan)
        self.lab.namespace("machine").call(lambda: _local("del", EMULATED))
        self.lab.namespace("desks").call(lambda: _local("add", REAL))
        for name in ("machine", "vendor", "servers"):
            self.lab.namespace(name).call(lambda: _through(REAL, DESKS))
        self.parts: list[subprocess.Popen[str]] = []

    def popen(self, host: str, *argv: str, error: int | None = None) -> subprocess.Popen[str]:
        fd = self.lab.namespace(host).fd
        command = [sys.executable, "-I", "-S", str(ENTER), str(fd), *argv]
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        return subprocess.Popen(
            command, pass_fds=(fd,), text=True, cwd=self.folder, stdin=nothing, stdout=pipe, stderr=error
        )

    def start(self, host: str, *words: str) -> None:
        """A part of somebody else's: `pushlab WORDS` as a server, ready."""
        part = self.popen(host, *pushlab(*words))
        self.parts.append(part)
        assert part.stdout is not None
        assert json.loads(part.stdout.readline())["ready"]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`pushlab WORDS` on the machine."""
        process = self.popen("machine", *pushlab(*words), error=subprocess.PIPE)
        out, err = process.communicate(timeout=100)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def routes(self) -> list[str]:
        """Networks that are wholly the machine's."""
        return self.lab.namespace("machine").call(_locals)

    def verdict(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "runs/latest/verdict.json").read_text(encoding="utf-8")))

    def close(self) -> None:
        for part in self.parts:
            part.terminate()
            part.wait()


def pushlab(*words: str) -> list[str]:
    return [sys.executable, "-m", "harness.cli", *words]


def _local(command: str, network: str) -> None:
    with IPRoute() as route:
        loopback = route.link_lookup(ifname="lo")[0]
        route.route(command, dst=network, oif=loopback, table=LOCAL_TABLE, type=2, scope=254)


def _through(network: str, door: str) -> None:
    with IPRoute() as route:
        route.route("add", dst=network, gateway=door)


def _locals() -> list[str]:
    with IPRoute() as route:
        return [
            f"{found.get_attr('RTA_DST')}/{found['dst_len']}"
            for found in route.get_routes(table=LOCAL_TABLE)
            if 8 < found["dst_len"] < 32 and found["type"] == 2
        ]


def secret(folder: Path, name: str, value: str) -> Path:
    path = folder / name
    path.touch(mode=0o600)
    path.write_text(value + "\n", encoding="utf-8")
    return path


SCENARIO = """
name = "somebody-elses"
purpose = "A page of somebody else's gateway."
ground = "lab"
witnesses = ["phones", "callmanager", "wire"]
[lab]
interface = "eth0"
harness = "10.9.0.20"
callmanager = "10.9.0.20"
phones_network = "10.9.128.0/24"
[fleet]
phones = 12
[gateway]
kind = "external"
url = "http://10.9.0.30/cisco_auth/authenticate.html"
password_file = "password"
quiet_s = 1.5
%s
[[page]]
audio = "second.wav"
late_after_ms = 30000
[integrity]
"lateness.callmanager_model_fraction.p99" = "<= 100"
[thresholds]
"phones.delivered_fraction" = "== 1"
"callmanager.authentications" = "== 0"
"""


def vendor_gateway(lan: Lan) -> list[str]:
    """Our own gateway, set up by hand as a vendor's; returns the command that starts its page."""
    secret(lan.folder, "password", PASSWORD)
    token = secret(lan.folder, "token", "a-token-of-the-vendor")
    phones = "".join(f"SEP0000000001{n:02X},10.9.128.{n}\n" for n in range(1, 13))
    (lan.folder / "phones.csv").write_text(f"device_name,address\n{phones}", encoding="utf-8")
    config = lan.folder / "vendor.toml"
    config.write_text(
        f"""
[phone_port]
listen = "{VENDOR}:80"
[administration]
listen = "{VENDOR}:8443"
token_file = "{token}"
tls = "off"
[push_user]
name = "agpush"
password_file = "password"
[authentication]
callmanager_url = "http://{MACHINE}:8082/CCMCIP/authenticate.asp"
[phones]
csv = "phones.csv"
networks = ["{EMULATED}"]
""",
        encoding="utf-8",
    )
    lan.start("vendor", "gateway", "serve", "--config", str(config))
    page = ["gateway", "page", "--config", str(config), str(lan.folder / "second.wav")]
    return pushlab(*page)


PACER_HELD_UP = {"stream-well-formed", "audio-is-the-source"}
"""What fails where the machine held up the vendor's pacer, as a vendor's own trouble: it is seen on the wire alone."""


def told(lan: Lan, ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    sys.stdout.write(ended.stdout + ended.stderr)
    return lan.verdict()


def failed(verdict: dict[str, Any]) -> set[str]:
    return {check["name"] for check in verdict["checks"] if check["verdict"] not in ("pass", "none")}


def external_by_trigger(lan: Lan) -> None:
    """A page is begun by a program, seen by phones, CallManager and the wire, and judged without the gateway's word."""
    trigger = vendor_gateway(lan)
    scenario = lan.folder / "external.toml"
    scenario.write_text(SCENARIO % f"trigger = {json.dumps(trigger)}", encoding="utf-8")
    ended = lan.run("run", str(scenario))
    verdict = told(lan, ended)
    assert verdict["outcomes"] == {"delivered": 12}
    assert failed(verdict) <= PACER_HELD_UP
    assert lan.routes() == []


CHECKS = {
    "external_by_trigger": external_by_trigger,
}

if __name__ == "__main__":
    built = Lan(Path(sys.argv[2]))
    try:
        CHECKS[sys.argv[1]](built)
    finally:
        built.close()
