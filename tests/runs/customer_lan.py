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
import time
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute

from harness.net.lab import HostPlan, Lab, LabPlan

MACHINE, VENDOR, SERVERS, DESKS = "10.9.0.20", "10.9.0.30", "10.9.0.40", "10.9.0.50"
EMULATED, REAL = "10.9.128.0/24", "10.9.64.0/24"
PASSWORD = "a site's own pass+word"
ENTER = Path(__file__).parents[2] / "harness" / "net" / "exec_inside.py"
SCRIPT = Path(__file__).parents[2] / "docs" / "examples" / "third-party-gateway" / "page.py"
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
    verdict = told(lan, lan.run("run", scenario(lan, f"trigger = {json.dumps(trigger)}")))
    assert verdict["outcomes"] == {"delivered": 12}
    assert failed(verdict) <= PACER_HELD_UP
    unasked = {check["name"] for check in verdict["checks"] if check["verdict"] == "none"}
    assert unasked == {"gateway-agrees-with-phones", "gateway-count-agrees"}
    assert {blind["witness"] for blind in verdict["blind"]} == {"gateway"}
    assert lan.routes() == []


def started_by_hand(lan: Lan) -> None:
    """A third party's script, started by a person when the run says so; CallManager is the site's own, too."""
    site(lan, authentication_url="http://10.9.0.99/")
    settings = (
        'callmanager={kind="external",url="http://10.9.0.40/CCMCIP/authenticate.asp"}',
        'gateway={kind="external",address="10.9.0.30",quiet_s=1.5}',
        'fleet={phones=5,authentication_url="callmanager"}',
        "thresholds.callmanager.authentications=== 10",
    )
    text = scenario(lan, "")
    body = Path(text).read_text(encoding="utf-8").replace('callmanager = "10.9.0.20"\n', "")
    Path(text).write_text(body, encoding="utf-8")
    words = [word for setting in settings for word in ("--set", setting)]
    run = lan.popen("machine", *pushlab("run", text, *words), error=subprocess.PIPE)
    assert run.stderr is not None
    said = []
    for line in run.stderr:
        said.append(line)
        if "start the page at your gateway now" in line:
            phones = "".join(f"10.9.128.{n}\n" for n in range(1, 6))
            (lan.folder / "list.csv").write_text(f"address\n{phones}", encoding="utf-8")
            files = (str(lan.folder / name) for name in ("list.csv", "second.wav"))
            assert lan.routes() == [EMULATED]
            script = lan.popen("vendor", sys.executable, str(SCRIPT), *files, "agpush", "password", VENDOR)
            assert script.wait() == 0
    assert run.stdout is not None
    out = run.stdout.read()
    run.wait()
    sys.stdout.write(out + "".join(said))
    verdict = lan.verdict()
    assert verdict["outcomes"] == {"delivered": 5}
    assert verdict["metrics"]["callmanager.authentications"] == 10
    assert failed(verdict) <= PACER_HELD_UP
    assert {blind["witness"] for blind in verdict["blind"]} == {"gateway", "callmanager"}


def nobody_comes(lan: Lan) -> None:
    """A gateway that never pushes: nothing was seen, so nothing is known, and the reason is said."""
    secret(lan.folder, "password", PASSWORD)
    ended = lan.run("run", scenario(lan, "wait_s = 1"), "--phones", "3")
    verdict = told(lan, ended)
    assert ended.returncode == 3
    assert verdict["verdict"] == "inconclusive"
    (seen,) = (check for check in verdict["checks"] if check["name"] == "events-seen")
    assert "no push came from 10.9.0.30 within 1 s: its page was not started" in seen["why"]
    assert {check["verdict"] for check in verdict["checks"]} <= {"pass", "none", "inconclusive"}


def everything_is_missing(lan: Lan) -> None:
    """Interface, addresses and ports: all of it at once, with what mends it, and nothing is left behind."""
    secret(lan.folder, "password", PASSWORD)
    settings = ("--set", "lab.interface=eth7", "--set", "lab.harness=10.9.0.77")
    taken = lan.popen("machine", *pushlab("callmanager", "--config", str(taken_port(lan))))
    assert taken.stdout is not None
    assert json.loads(taken.stdout.readline())["ready"]
    try:
        ended = lan.run("run", scenario(lan, ""), *settings)
    finally:
        taken.terminate()
        taken.wait()
    sys.stdout.write(ended.stderr)
    assert ended.returncode == 5
    for part in (
        "3 things are missing",
        "interface eth7: there is none; there are eth0, lo. List: ip link",
        "harness 10.9.0.77 is not an address of this machine; as root: ip address add 10.9.0.77/32 dev eth7",
        "callmanager_port 8082 (TCP) of 10.9.0.20 is taken; by whom: ss -lntp sport = :8082",
    ):
        assert part in ended.stderr, part
    assert lan.routes() == []
    router = lan.run("run", scenario(lan, ""), "--set", "lab.phones_network=10.9.0.32/27")
    assert router.returncode == 5
    assert "phones_network 10.9.0.32/27 holds 10.9.0.50, a router that it uses" in router.stderr, router.stderr


def killed(lan: Lan) -> None:
    """The run is killed as hard as can be: the route goes all the same."""
    secret(lan.folder, "password", PASSWORD)
    run = lan.popen("machine", *pushlab("run", scenario(lan, "")), error=subprocess.PIPE)
    assert run.stderr is not None
    for line in run.stderr:
        if "start the page" in line:
            assert lan.routes() == [EMULATED]
            run.kill()
            break
    run.wait()
    run.stderr.read()  # the last process that holds it has ended
    for _ in range(200):
        if lan.routes() == []:
            return
        time.sleep(0.05)
    raise AssertionError(lan.routes())


def scenario(lan: Lan, gateway: str) -> str:
    """A scenario with an external gateway, as a file."""
    path = lan.folder / "external.toml"
    path.write_text(SCENARIO % gateway, encoding="utf-8")
    return str(path)


def taken_port(lan: Lan) -> Path:
    """A CallManager where the run's own is to be."""
    config = lan.folder / "taken.toml"
    user = 'name = "agpush"\npassword_file = "password"\ndevices = "none"\n'
    config.write_text(f'listen = "{MACHINE}:8082"\n[[user]]\n{user}', encoding="utf-8")
    return config


REAL_PHONES = """
name = "pilot"
purpose = "Our gateway pages a site's real phones."
ground = "lab"
[lab]
interface = "eth0"
harness = "10.9.0.20"
gateway = "10.9.0.20"
gateway_port = 80
[fleet]
kind = "real"
csv = "desks.csv"
[callmanager]
kind = "external"
url = "http://10.9.0.40/CCMCIP/authenticate.asp"
[gateway]
user = "agpush"
password_file = "password"
[[page]]
audio = "second.wav"
start_deadline_s = 5
[integrity]
"lateness.pacer_ms.p99" = "<= 1000"
[thresholds]
"push.executed_fraction" = "== 1"
"rtp.packets_on_wire" = "== 200"
"""


def site(lan: Lan, *, authentication_url: str) -> None:
    """A site with four real phones and a CallManager."""
    secret(lan.folder, "password", PASSWORD)
    phones = "".join(f"SEP0000000002{n:02X},CP-7961G,10.9.64.{n}\n" for n in range(1, 5))
    (lan.folder / "desks.csv").write_text(f"device_name,model,address\n{phones}", encoding="utf-8")
    config = lan.folder / "callmanager.toml"
    config.write_text(
        f"""
listen = "{SERVERS}:80"
[[user]]
name = "agpush"
password_file = "password"
devices = "all"
""",
        encoding="utf-8",
    )
    lan.start("servers", "callmanager", "--config", str(config))
    desks = ("--csv", str(lan.folder / "desks.csv"), "--port", "80", "--auth-url", authentication_url)
    lan.start("desks", "phones", *desks)


def real_phones(lan: Lan) -> None:
    """Our gateway pages phones that are not ours: gateway and wire tell, what only the phones know is not claimed."""
    site(lan, authentication_url=f"http://{MACHINE}/cisco_auth/authenticate.html")
    pilot = lan.folder / "pilot.toml"
    pilot.write_text(REAL_PHONES, encoding="utf-8")
    verdict = told(lan, lan.run("run", str(pilot)))
    assert verdict["outcomes"] == {"indeterminate": 4}
    assert verdict["metrics"]["push.executed"] == 4
    assert "callmanager.authentications" not in verdict["metrics"]
    assert "phones.delivered" not in verdict["metrics"]
    assert {blind["witness"] for blind in verdict["blind"]} >= {"phones", "callmanager"}
    if not any("held up" in blind["why"] for blind in verdict["blind"]):
        assert verdict["verdict"] == "pass"


CHECKS = {
    "external_by_trigger": external_by_trigger,
    "started_by_hand": started_by_hand,
    "nobody_comes": nobody_comes,
    "everything_is_missing": everything_is_missing,
    "killed": killed,
    "real_phones": real_phones,
}

if __name__ == "__main__":
    built = Lan(Path(sys.argv[2]))
    try:
        CHECKS[sys.argv[1]](built)
    finally:
        built.close()
