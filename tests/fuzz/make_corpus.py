#!/usr/bin/env python3
"""Writes the seeds in corpus/: python3 make_corpus.py [C COMPILER]. Small, and one of each shape."""
import json
import pathlib
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
MEND = 64  # the journal's target: make the checksums right
LOOK = 32  # look from outside first


def write(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def segment(first, previous, generation, flags, previous_end, records, fill=b"\0" * 64):
    head = struct.pack("<8sIIIIqQQIIII", b"TRLSJRNL", 2, 64, 0, 1, 1_700_000_000_000_000, first, previous, generation,
                       flags, previous_end // 8, 0)
    return head + b"".join(records) + fill


def record(position, kind, data=b"", flags=0, kind_type=0):
    body = struct.pack("<QBBHIQQQQqq", position, kind, flags, kind_type, 0, 1, 2, 3, 4, 5, 6) + data
    text = struct.pack("<II", len(body), 0) + body
    return text + b"\0" * (-len(text) % 8)


def journal():
    at = 1 << 32
    one = [record(at, 3, b'{"session_id":"s","resume_url":"u"}'), record(at, 4, b'["MESSAGE_CREATE"]'),
           record(at, 5, b"MESSAGE_CREATE", kind_type=1), record(at + 1, 1, b'{"id":"1"}', kind_type=1),
           record(at + 9, 2)]
    end = 64 + sum(map(len, one))
    two = [record(at, 3, b'{"session_id":"s","resume_url":"u"}', flags=0x80), record(at + 9, 5, b"NEW", kind_type=1),
           record(at + 10, 1, b"{}", flags=1, kind_type=1)]
    for how in (0, MEND, MEND | LOOK):
        write("journal", f"one-{how}", bytes([how]) + segment(at, 0, 1, 0, 0, one))
    first, second = segment(at, 0, 1, 0, 0, one, b""), segment(at + 10, at + 9, 2, 1, end, two, b"")
    size = max(len(first), len(second)) + 64
    pair = first.ljust(size, b"\0") + second.ljust(size, b"\0")
    write("journal", "two", bytes([MEND | LOOK | 1]) + pair)
    stale = segment(at + 10, at + 9, 3, 1, end, two, b"".join(one))
    write("journal", "stale", bytes([MEND | LOOK]) + stale)
    write("journal", "empty", b"\0")


def gateway():
    message = {"t": "MESSAGE_CREATE", "s": 2, "op": 0,
               "d": {"id": "12", "channel_id": "13", "guild_id": "14", "content": "a\"\\\u00e4 {[",
                     "author": {"id": "15", "bot": True}, "timestamp": "2026-02-01T03:34:22.613000+00:00", "tts": False}}
    write("gateway", "message", json.dumps(message, separators=(",", ":")))
    write("gateway", "spaces", json.dumps(message, indent=1))
    write("gateway", "last", '{"d":{"heartbeat_interval":41250},"op":10,"s":null,"t":null}')
    write("gateway", "ack", '{"t":null,"s":null,"op":11,"d":null}')
    write("gateway", "guild", '{"t":"GUILD_CREATE","s":3,"op":0,"d":{"id":"7","unavailable":true,"members":[{"user":{"id":"8"}}]}}')
    write("gateway", "member", '{"t":"GUILD_MEMBER_ADD","s":4,"op":0,"d":{"guild_id":"7","user":{"id":"8","bot":false}}}')
    write("gateway", "time", "2026-02-01T03:34:22.6+23:59")


def documents():
    texts = [b'a = "x" # c\n[b]\nn = [1, 2.5, {x = true}]\nd = 2024-05-06T07:08:09Z\n[[t]]\nk = """m\nl"""\n',
             b'{"a": {"b": [1, -2.5e3, null, "\\ud83d\\ude00"]}, "c": true}',
             b"a: &x {k: 1, l: [2, 'three']}\nb: *x\nc:\n  - 5\n  - |\n    text\n? d\n: e\n"]
    for kind, text in enumerate(texts):
        write("documents", ("toml", "json", "yaml")[kind], bytes([kind]) + text)


def plugin_file(compiler):
    """The tests' smallest plugin, sound and cut short."""
    out = HERE / "corpus" / "plugin_file" / "plugin"
    out.parent.mkdir(parents=True, exist_ok=True)
    root = HERE.parents[1]
    files = b"".join(struct.pack("<IIQ", len(n), 0, len(c)) + n + c + b"\0" * (-(len(n) + len(c)) % 8)
                     for n, c in ((b"migrations/0001_init.sql", b"CREATE TABLE t (a BIGINT);"), (b"a", b"")))
    assembly = '.section .note.GNU-stack,"",@progbits\n.pushsection .trellis.files,"aR",@progbits\n' + "".join(f".byte {b}\n" for b in files) + ".popsection\n"
    extra = out.with_suffix(".s")
    extra.write_text(assembly)
    subprocess.run([compiler, "-shared", "-fPIC", "-Os", "-s", "-fvisibility=hidden", "-nostdlib", "-Wl,--build-id=sha1",
                    "-Wl,-z,now", "-Wl,-z,noseparate-code", "-Wl,--hash-style=sysv", f"-I{root}/sdk/include",
                    f"-Wl,--version-script={root}/cmake/plugin.version",
                    str(root / "tests/plugins/pinned.c"), str(extra), "-o", str(out)], check=True)
    extra.unlink()
    data = out.read_bytes()
    write("plugin_file", "cut", data[: len(data) // 2])
    write("plugin_file", "head", data[:64])


if __name__ == "__main__":
    journal()
    gateway()
    documents()
    plugin_file(sys.argv[1] if len(sys.argv) > 1 else "cc")
