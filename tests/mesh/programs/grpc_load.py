#!/usr/bin/python3
"""Real gRPC calls at fixed times, each written down as tests/bed/load writes a request.

  grpc_load.py ADDRESS:PORT AUTHORITY RATE FILE [SECONDS] [NAME=VALUE]...   metadata; no SECONDS: until SIGTERM
  grpc_load.py ADDRESS:PORT count                                          asks a pod how many calls it has got
"""

import json
import signal
import sys
import threading
import time

import grpc


def count():
    with grpc.insecure_channel(sys.argv[1]) as channel:
        print(channel.unary_unary("/bed.Ranker/Count")(b"", timeout=2).decode())


def main():
    address, authority, rate, path = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]
    seconds = next((float(a) for a in sys.argv[5:] if "=" not in a), float("inf"))
    metadata = [tuple(a.split("=", 1)) for a in sys.argv[5:] if "=" in a]
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    under_way = threading.Semaphore(0)
    lock = threading.Lock()
    out = open(path, "w", buffering=1)

    def note(seq, t, call):
        record = {"seq": seq, "t": t, "status": 200 if call.code() == grpc.StatusCode.OK else 0}
        if record["status"]:
            record["version"] = call.result().decode()
        else:
            record["error"] = "%s: %s" % (call.code().name, call.details())
        with lock:
            out.write(json.dumps(record, separators=(",", ":")) + "\n")
        under_way.release()

    # More than one connection, as clients have: each is balanced for itself.
    channels = [
        grpc.insecure_channel(address, [("grpc.default_authority", authority), ("grpc.use_local_subchannel_pool", 1)])
        for _ in range(4)
    ]
    methods = [c.unary_unary("/bed.Ranker/Predict") for c in channels]
    seq, start = 0, time.monotonic()
    while not ended.is_set() and seq < seconds * rate:
        ended.wait(max(0, start + seq / rate - time.monotonic()))
        call = methods[seq % len(methods)].future(b"", timeout=2, metadata=metadata)
        call.add_done_callback(lambda c, s=seq, t=int(time.time() * 1000): note(s, t, c))
        seq += 1
    for _ in range(seq):
        under_way.acquire()
    out.close()


if sys.argv[2:] == ["count"]:
    count()
else:
    main()
