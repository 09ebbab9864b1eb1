"""A run's own namespaces: entered, told apart, and gone with their outer process."""

import errno
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.net import namespace

ENTER = "import sys; from harness.net.namespace import enter_lab; enter_lab(sys.argv[1:])"
TIMEOUT_S = 20


@pytest.fixture(autouse=True)
def _possible(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("real") is not None:
        found = namespace.available()
        if not found.possible:
            pytest.skip(f"{found.why}; to allow it: {found.remedy}")


class Entered:
    """A run in the lab, seen from outside."""

    def __init__(self, script: str, tmp_path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", ENTER, sys.executable, "-u", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def finish(self) -> tuple[int, str, str]:
        """Exit code and what else was said. The pipes end only when the last process that holds them is gone."""
        out, err = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, out, err


@pytest.fixture
def enter(tmp_path: Path) -> Iterator[list[Entered]]:
    entered: list[Entered] = []
    yield entered
    for one in entered:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate(timeout=TIMEOUT_S)


def _start(enter: list[Entered], script: str, tmp_path: Path) -> Entered:
    enter.append(Entered(script, tmp_path))
    return enter[-1]


@pytest.mark.real
def test_the_run_is_in_namespaces_of_its_own(enter: list[Entered], tmp_path: Path) -> None:
    script = (
        "import os; from harness.net import namespace; from pathlib import Path\n"
        "print(os.getuid(), namespace.inside(), len(os.listdir('/sys/class/net')) >= 1)\n"
        "print(sorted(line.split(':')[0].strip() for line in Path('/proc/net/dev').read_text().splitlines()[2:]))\n"
        "print(os.readlink('/proc/self/ns/net'), os.readlink('/proc/self/ns/pid'))\n"
    )
    code, out, err = _start(enter, script, tmp_path).finish()
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].startswith("0 True")
    assert lines[1] == "['lo']"
    network, processes = lines[2].split()
    assert network != str(Path("/proc/self/ns/net").readlink())
    assert processes != str(Path("/proc/self/ns/pid").readlink())
    assert not namespace.inside()


@pytest.mark.real
@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("sys.exit(0)", 0),
        ("sys.exit(3)", 3),
        ("os.kill(os.getpid(), signal.SIGKILL)", 128 + 9),
        ("os.abort()", 128 + 6),
    ],
)
def test_exit_code_comes_out(enter: list[Entered], tmp_path: Path, ending: str, code: int) -> None:
    entered = _start(
        enter, f"import os, signal, sys, resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); {ending}", tmp_path
    )
    assert entered.finish()[0] == code


@pytest.mark.real
def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENTER, "/nowhere/at-all"], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 127
    assert done.stderr == "pushlab: cannot run /nowhere/at-all: No such file or directory\n"


@pytest.mark.real
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_reach_the_run_once(enter: list[Entered], tmp_path: Path, number: signal.Signals) -> None:
    script = (
        "import signal, sys\n"
        f"signal.pthread_sigmask(signal.SIG_BLOCK, {{{int(number)}}})\n"
        "print('ready', flush=True)\n"
        f"print('got', signal.sigwait({{{int(number)}}}).value, signal.sigpending())\n"
        "sys.exit(42)\n"
    )
    entered = _start(enter, script, tmp_path)
    assert entered.line() == "ready"
    entered.process.send_signal(number)
    code, out, _ = entered.finish()
    assert (code, out) == (42, f"got {int(number)} set()\n")


@pytest.mark.real
def test_control_c_in_a_terminal_reaches_the_run_once() -> None:
    script = (
        "import signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})\n"
        "print('ready', flush=True)\n"
        "signal.sigwait({signal.SIGINT})\n"
        # Had a waiter passed it on as well, it would have done so before it passes this one on.
        "print('once', flush=True)\n"
        "signal.sigwait({signal.SIGTERM}); print(signal.sigpending()); sys.exit(42)\n"
    )
    take_terminal = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    master, slave = os.openpty()
    argv = [sys.executable, "-c", take_terminal + ENTER, sys.executable, "-u", "-c", script]
    with (
        os.fdopen(master, "r+b", buffering=0) as terminal,
        subprocess.Popen(argv, stdin=slave, stdout=subprocess.PIPE, text=True, start_new_session=True) as process,
    ):
        os.close(slave)
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            terminal.write(b"\x03")
            assert process.stdout.readline() == "once\n"
            process.terminate()
            assert process.stdout.readline() == "set()\n"
            assert process.wait(TIMEOUT_S) == 42
        finally:
            process.kill()


@pytest.mark.real
def test_orphans_are_reaped_and_end_with_the_run(enter: list[Entered], tmp_path: Path) -> None:
    script = (
        "import os, signal, sys, time\n"
        "reader, writer = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    orphan = os.fork()\n"
        "    if orphan == 0:\n"
        "        signal.sigwait(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})\n"
        "    os.write(writer, str(orphan).encode())\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "orphan = int(os.read(reader, 20))\n"
        "os.kill(orphan, signal.SIGKILL)\n"
        "try:\n"
        "    while True:\n"
        "        os.kill(orphan, 0)\n"
        "        os.sched_yield()\n"
        "except ProcessLookupError:\n"
        "    print('reaped')\n"
        "if os.fork() == 0:\n"
        "    while True: signal.pause()\n"
    )
    code, out, err = _start(enter, script, tmp_path).finish()
    assert (code, out, err) == (0, "reaped\n", "")


def _in_namespace(link: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if str((entry / "ns" / "net").readlink()) == link:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


@pytest.mark.real
def test_kill_9_of_the_outer_process_leaves_nothing(enter: list[Entered], tmp_path: Path) -> None:
    script = (
        "import os, signal, subprocess, sys; from harness.net import namespace; from harness.bed.ground import stand\n"
        "secret = namespace.scratch() / 'password'; secret.write_text('x')\n"
        "from pathlib import Path\n"
        "with stand('netns') as ground:\n"
        "    argv = [sys.executable, '-c', 'import os, signal; os.setsid(); print(1, flush=True); signal.pause()']\n"
        "    part = subprocess.Popen(argv, stdout=subprocess.PIPE)\n"
        "    part.stdout.readline()\n"
        "    print(os.readlink('/proc/self/ns/net'), secret, flush=True)\n"
        "    while True: signal.pause()\n"
    )
    entered = _start(enter, script, tmp_path)
    network, _, secret = entered.line().partition(" ")
    processes = _in_namespace(network)
    assert len(processes) == 4  # the outer process, process 1, the run, its part
    assert not Path(secret).exists()
    watched = [os.pidfd_open(pid) for pid in processes if pid != entered.process.pid]
    entered.process.kill()
    for descriptor in watched:
        assert select.select([descriptor], [], [], TIMEOUT_S)[0], "a process outlived its outer process"
        os.close(descriptor)
    code, out, err = entered.finish()
    assert (code, out, err) == (-signal.SIGKILL, "", "")
    assert _in_namespace(network) == []
    assert list(tmp_path.iterdir()) == []


def test_environment_alone_does_not_make_an_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUSHLAB_NETNS", "1")
    monkeypatch.setenv("PUSHLAB_SCRATCH", "/tmp")
    assert not namespace.inside()
    assert namespace.scratch() is None


def _settings(root: Path, values: dict[str, str]) -> Path:
    for name, value in values.items():
        file = root / name.replace(".", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{value}\n")
    return root


@pytest.mark.parametrize(
    ("step", "number", "settings", "remedy"),
    [
        (
            "bring lo up",
            errno.EPERM,
            {"kernel.apparmor_restrict_unprivileged_userns": "1", "user.max_user_namespaces": "96365"},
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        (
            "unshare(CLONE_NEWUSER)",
            errno.EPERM,
            {"kernel.unprivileged_userns_clone": "0"},
            "sudo sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        (
            "unshare(CLONE_NEWUSER)",
            errno.ENOSPC,
            {"user.max_user_namespaces": "0"},
            "sudo sysctl -w user.max_user_namespaces=15000",
        ),
        (
            "unshare(CLONE_NEWNET)",
            errno.ENOSPC,
            {"user.max_user_namespaces": "96365", "user.max_net_namespaces": "0"},
            "sudo sysctl -w user.max_net_namespaces=15000",
        ),
        ("unshare(CLONE_NEWUSER)", errno.EINVAL, {}, "a kernel with CONFIG_USER_NS, CONFIG_NET_NS and CONFIG_PID_NS"),
    ],
)
def test_what_was_refused_has_its_remedy(
    tmp_path: Path, step: str, number: int, settings: dict[str, str], remedy: str
) -> None:
    found = namespace.diagnose(step=step, number=number, sysctl_root=_settings(tmp_path, settings))
    assert not found.possible
    assert found.remedy == remedy
    assert step in found.why
    assert os.strerror(number) in found.why


def test_a_refusal_without_a_known_reason_names_the_container_options(tmp_path: Path) -> None:
    found = namespace.diagnose(step="unshare(CLONE_NEWUSER)", number=errno.EPERM, sysctl_root=tmp_path)
    assert "--security-opt seccomp=unconfined" in found.remedy
