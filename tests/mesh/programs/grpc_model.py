#!/usr/bin/python3
"""A model served by real gRPC: /bed.Ranker/Predict is answered by the version, as bytes.

  grpc_model.py PORT    on POD_IP, with MODEL_VERSION and POD_NAME, until SIGTERM

On SIGTERM new calls are refused and connections are told to go (GOAWAY); calls under way are finished.
"""

import os
import signal
import sys
import threading
from concurrent import futures

import grpc

version = os.environ["MODEL_VERSION"]
lock = threading.Lock()
calls = 0


def predict(_request, context):
    global calls
    with lock:
        calls += 1
    context.set_trailing_metadata((("x-model-version", version), ("x-pod", os.environ["POD_NAME"])))
    return version.encode()


def count(_request, _context):
    """How many Predict calls this pod has got: copies too, whose answers nobody sees."""
    return str(calls).encode()


server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
handlers = {name: grpc.unary_unary_rpc_method_handler(f) for name, f in (("Predict", predict), ("Count", count))}
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bed.Ranker", handlers),))
server.add_insecure_port("%s:%s" % (os.environ["POD_IP"], sys.argv[1]))
ended = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: ended.set())
server.start()
ended.wait()
server.stop(5).wait()
