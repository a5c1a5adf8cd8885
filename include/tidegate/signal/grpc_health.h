/*
 * The gRPC health check (grpc.health.v1.Health/Check; doc/health-checking.md and
 * doc/PROTOCOL-HTTP2.md of gRPC) as one HTTP/2 request: its body, and what the answer says. Pure.
 *
 * Messages are protobuf of one field each, so there is no need for a library: the request is the
 * service's name (field 1, text; "" = the server as a whole), the answer a status (field 1,
 * varint), unknown fields skipped. Both go in one frame: a byte for compression, which we never
 * offer, and a length of four bytes. grpc-status stands in the trailers, or in the head when there
 * is no message (Trailers-Only).
 */
#ifndef TIDEGATE_SIGNAL_GRPC_HEALTH_H
#define TIDEGATE_SIGNAL_GRPC_HEALTH_H

#include <stdbool.h>

#include "tidegate/base/buf.h"
#include "tidegate/net/http.h"

#define GRPC_HEALTH_PATH   "/grpc.health.v1.Health/Check"
#define GRPC_STATUS_HEADER "grpc-status"
/* An answer is 7 bytes; fields that are not known yet may make it longer. */
#define GRPC_HEALTH_ANSWER_MAX  1024
#define GRPC_SERVICE_MAX        253 /* of a service's name */
#define GRPC_HEALTH_REQUEST_MAX (GRPC_SERVICE_MAX + 8)

/* "Name: value" lines of the request, NULL-terminated. */
extern const char *const grpc_health_headers[];

/* Name of a service, cut at GRPC_SERVICE_MAX. */
void grpc_health_request(const char *service, struct buf *out);

enum grpc_health {
	GRPC_SERVING,
	GRPC_NOT_SERVING,
	GRPC_NO_HEALTH, /* it speaks gRPC, but has no health service: nothing is said of it */
};
/* r: of a call with keep_header GRPC_STATUS_HEADER that got a whole answer; `why` in plain words.
 */
enum grpc_health grpc_health_answer(const struct http_result *r, char *why, size_t why_size);

#endif
