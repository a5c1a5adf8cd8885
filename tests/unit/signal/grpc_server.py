#!/usr/bin/python3
"""A real gRPC server: grpc.health.v1.Health as the arguments have it.

  grpc_server.py NAME=STATUS...   services and what each is (1 SERVING, 2 NOT_SERVING); "" the server
  grpc_server.py none             a server without a health service
  grpc_server.py slow             one that answers after a minute

Prints its port, serves until its standard input ends. Messages are taken as bytes, so that what is
sent is checked here and not by the other side's idea of it.
"""

import sys
import time
from concurrent import futures

import grpc


def check(request, context):
    name = request[2:].decode() if request else ""
    if request and request[:2] != bytes([0x0A, len(name)]):
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not a HealthCheckRequest")
    if mode == "slow":
        time.sleep(60)
    if name not in services:
        context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    return bytes([0x08, services[name]])


mode = sys.argv[1]
services = {a.split("=")[0]: int(a.split("=")[1]) for a in sys.argv[1:] if "=" in a}
server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
if mode != "none":
    method = grpc.unary_unary_rpc_method_handler(check)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": method}),)
    )
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
sys.stdin.read()
server.stop(None)
