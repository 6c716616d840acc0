#!/usr/bin/env python3
"""Events per CPU second: the floor (floor.cpp) against the whole of `trellis run` with message_counter on SQLite.

Both get the same stream from trellis-sim, as fast as they read it, and both must have counted every message right: per server,
channel and UTC day, compared with what the simulator says it sent. CPU seconds are those of the whole process, all threads; for
trellis without its start-up, which a short run of its own measures. "collect" is Trellis's shard, journal and cache alone.

The journal is told to let go of what is committed (journal.keep = 0 s, small segments), so that it goes on in memory that the
machine has in its hands already, as a host does that has run for longer than journal.keep. A run of seconds would otherwise measure
how long a virtual machine takes to be given a page for the first time (2 us each; a third of the whole). --keep "10 min" shows that.
"""
import argparse
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

MODES = {
    "plain": {"tls": False, "zlib": False},
    "TLS": {"tls": True, "zlib": False},
    "TLS + zlib": {"tls": True, "zlib": True},
}
TOKEN = "bench"
WARM_UP = 2_000
GIVE_UP_AFTER = 300  # seconds


class Simulator:
    def __init__(self, bin, folder, messages, blast, tls):
        self.ca = folder / "ca.pem"
        port_file = folder / "port"
        command = [bin / "trellis-sim", "--port-file", port_file, "--token", TOKEN, "--rate", "0", "--guilds", "100", "--channels", "20",
                   "--blast", str(min(blast, messages)), "--total", str(messages), "--identify-interval", "0", "--quiet"]
        if tls:
            command += ["--tls", "--ca-out", self.ca]
        self.log = open(folder / "simulator.log", "w")
        self.process = subprocess.Popen([str(part) for part in command], stdout=self.log, stderr=self.log)
        self.tls = tls
        deadline = time.monotonic() + GIVE_UP_AFTER
        while not (port_file.exists() and port_file.read_text().strip()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("trellis-sim did not start: " + (folder / "simulator.log").read_text())
            time.sleep(0.02)
        self.port = int(port_file.read_text())

    @property
    def api(self):
        return f"https://localhost:{self.port}/api/v10" if self.tls else f"http://127.0.0.1:{self.port}/api/v10"

    def truth(self):
        context = None
        scheme, host = "http", "127.0.0.1"
        if self.tls:
            import ssl
            context = ssl.create_default_context(cafile=str(self.ca))
            scheme, host = "https", "localhost"
        with urllib.request.urlopen(f"{scheme}://{host}:{self.port}/_sim/truth", context=context) as answer:
            return json.load(answer)

    def counts(self):
        return {(guild, channel, day): count for guild, channels in self.truth()["messages"].items()
                for channel, days in channels.items() for day, count in days.items() if count}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()


def run_floor(program, arguments, mode, messages):
    with tempfile.TemporaryDirectory(prefix="trellis-bench-") as name:
        folder = pathlib.Path(name)
        with Simulator(arguments.bin, folder, messages, arguments.blast, mode["tls"]) as simulator:
            command = [arguments.bin / program, "--port", simulator.port, "--events", messages]
            if program == "floor":
                command += ["--token", TOKEN, "--counts", folder / "counts"]
            else:
                command += ["--token", TOKEN]
            if mode["tls"]:
                command += ["--tls", "--ca", simulator.ca]
            if mode["zlib"]:
                command += ["--zlib"]
            done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=GIVE_UP_AFTER)
            if done.returncode != 0:
                raise RuntimeError(f"{program}: {done.stderr}")
            result = json.loads(done.stdout)
            if program == "floor":
                counted = {}
                for line in (folder / "counts").read_text().splitlines():
                    guild, channel, day, count = line.split()
                    day = time.strftime("%Y-%m-%d", time.gmtime(int(day) * 86_400))
                    counted[(guild, channel, day)] = int(count)
                check(program, counted, simulator.counts())
            return result["events_per_cpu_second"]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    return 0


def check(who, counted, truth):
    if counted == truth:
        return
    wrong = [(key, counted.get(key, 0), truth.get(key, 0)) for key in sorted(counted.keys() | truth.keys())
             if counted.get(key, 0) != truth.get(key, 0)]
    raise RuntimeError(f"{who} counted wrong in {len(wrong)} cells, for example {wrong[0][0]}: {wrong[0][1]} instead of {wrong[0][2]}")


def trellis_once(arguments, mode, messages):
    """CPU seconds and peak MB of a host from its start until everything is committed."""
    with tempfile.TemporaryDirectory(prefix="trellis-bench-") as name:
        folder = pathlib.Path(name)
        with Simulator(arguments.bin, folder, messages, arguments.blast, mode["tls"]) as simulator:
            (folder / "trellis.conf").write_text("")
            (folder / "plugins.conf").write_text('[message_counter]\ntrackedChannels = { "*" = ["*"] }\n')
            settings = [f"discord.api={simulator.api}", f"discord.compress={'zlib-stream' if mode['zlib'] else 'none'}",
                        f"store.url=sqlite:{folder}/store", f"state.dir={folder}/state", f"journal.keep={arguments.keep}",
                        "journal.segment=16 MiB"]
            if mode["tls"]:
                settings.append(f"discord.ca_file={simulator.ca}")
            command = [str(arguments.bin / "trellis"), "run", "--config", str(folder / "trellis.conf"), "--plugins",
                       str(folder / "plugins.conf")]
            for setting in settings:
                command += ["--set", setting]
            with open(folder / "trellis.log", "w") as log:
                host = subprocess.Popen(command, env={**os.environ, "DISCORD_TOKEN": TOKEN}, stdout=log, stderr=log)
            try:
                deadline = time.monotonic() + GIVE_UP_AFTER
                while True:
                    time.sleep(0.1)
                    if host.poll() is not None or time.monotonic() > deadline:
                        raise RuntimeError("trellis run did not get through: " + (folder / "trellis.log").read_text()[-2000:])
                    sessions = simulator.truth()["sessions"]
                    if not sessions or not sessions[0]["finished"]:
                        continue
                    status = subprocess.run([str(arguments.bin / "trellis"), "ctl", "--state", str(folder / "state"), "status", "--json"],
                                            capture_output=True, text=True)
                    if status.returncode != 0:
                        continue
                    streams = json.loads(status.stdout)["plugins"][0]["streams"]
                    if streams and streams[0]["committed"]["seq"] >= sessions[0]["seq"]:
                        break
                cpu, peak = cpu_seconds(host.pid), peak_mb(host.pid)
                truth = simulator.counts()
            finally:
                host.send_signal(signal.SIGTERM)
                host.wait()
            with sqlite3.connect(folder / "store" / "message_counter.sqlite") as database:
                rows = database.execute("SELECT server_id, channel_id, date, message_count FROM message_counts")
                check("trellis", {(guild, channel, day): count for guild, channel, day, count in rows}, truth)
            return cpu, peak


def run_trellis(arguments, mode, messages):
    start_up, _ = trellis_once(arguments, mode, WARM_UP)
    cpu, peak = trellis_once(arguments, mode, messages)
    return (messages - WARM_UP) / (cpu - start_up), peak


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of trellis, trellis-sim, floor and collect")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--blast", type=int, default=50_000, help="different messages that the simulator makes beforehand")
    parser.add_argument("--runs", type=int, default=3, help="the medians of so many")
    parser.add_argument("--modes", default=",".join(MODES), help="of: " + ", ".join(MODES))
    parser.add_argument("--keep", default="0 s", help="journal.keep of the measured host")
    parser.add_argument("--aim", type=float, default=0.7, help="ratio to the floor to be called reached")
    arguments = parser.parse_args()
    if shutil.disk_usage(tempfile.gettempdir()).free < 12 << 30:
        print("note: little room in", tempfile.gettempdir(), "- the journal may have to wait", file=sys.stderr)
    print(f"{arguments.messages:,} messages, {arguments.runs} runs each; thousand events per CPU second, medians")
    print(f"{'':12} {'floor':>8} {'collect':>8} {'trellis':>8} {'ratio':>6} {'peak MB':>8}")
    reached = True
    for name in [part.strip() for part in arguments.modes.split(",")]:
        mode = MODES[name]
        messages = arguments.messages if not mode["zlib"] else max(arguments.messages // 2, 10 * WARM_UP)
        floor = statistics.median(run_floor("floor", arguments, mode, messages) for _ in range(arguments.runs))
        collect = statistics.median(run_floor("collect", arguments, mode, messages) for _ in range(arguments.runs))
        results = [run_trellis(arguments, mode, messages) for _ in range(arguments.runs)]
        trellis = statistics.median(result[0] for result in results)
        peak = max(result[1] for result in results)
        ratio = trellis / floor
        reached &= ratio >= arguments.aim
        print(f"{name:12} {floor / 1000:8.0f} {collect / 1000:8.0f} {trellis / 1000:8.0f} {ratio:6.2f} {peak:8}", flush=True)
    print("all counts equal the simulator's; the aim of", arguments.aim, "is", "reached" if reached else "not reached in every mode")


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        sys.exit(f"bench gateway: {error}")
