#include "tidegate/signal/grpc_health.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define FRAME_HEAD 5
/* Both messages have one field, number 1. */
#define FIELD_TEXT   (1 << 3 | WIRE_BYTES)
#define FIELD_STATUS (1 << 3 | WIRE_VARINT)

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };
enum serving { SERVING = 1, NOT_SERVING = 2, SERVICE_UNKNOWN = 3 };
enum code { CODE_OK = 0, CODE_NOT_FOUND = 5, CODE_UNIMPLEMENTED = 12 };

const char *const grpc_health_headers[] = {"Content-Type: application/grpc", "TE: trailers", NULL};

/* --- request ----------------------------------------------------------------------------- */

static void add_varint(struct buf *out, uint64_t v)
{
	for (; v > 0x7f; v >>= 7)
		buf_addch(out, (char)(v | 0x80));
	buf_addch(out, (char)v);
}

static void add_frame_head(struct buf *out, size_t len)
{
	buf_addch(out, 0);
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_addch(out, (char)(len >> shift));
}

void grpc_health_request(const char *service, struct buf *out)
{
	size_t n = strnlen(service, GRPC_SERVICE_MAX);
	size_t head = n > 0x7f ? 3 : 2;

	add_frame_head(out, n ? head + n : 0);
	if (!n)
		return;
	add_varint(out, FIELD_TEXT);
	add_varint(out, n);
	buf_add(out, service, n);
}

/* --- answer ------------------------------------------------------------------------------ */

struct span {
	const uint8_t *at, *end;
};

static bool take_varint(struct span *s, uint64_t *v)
{
	*v = 0;
	for (unsigned shift = 0; shift < 64 && s->at < s->end; shift += 7) {
		uint8_t byte = *s->at++;

		*v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

static bool skip(struct span *s, uint64_t n)
{
	if (n > (uint64_t)(s->end - s->at))
		return false;
	s->at += n;
	return true;
}

static bool skip_field(struct span *s, unsigned wire)
{
	uint64_t n;

	switch (wire) {
	case WIRE_VARINT:
		return take_varint(s, &n);
	case WIRE_64:
		return skip(s, 8);
	case WIRE_BYTES:
		return take_varint(s, &n) && skip(s, n);
	case WIRE_32:
		return skip(s, 4);
	default:
		return false;
	}
}

/* Of a field that comes twice the last counts; one that is not there is 0, UNKNOWN. */
static bool read_message(struct span s, uint64_t *status)
{
	uint64_t tag;

	*status = 0;
	while (s.at < s.end) {
		if (!take_varint(&s, &tag))
			return false;
		if (tag == FIELD_STATUS ? !take_varint(&s, status) : !skip_field(&s, tag & 7))
			return false;
	}
	return true;
}

/* Exactly one message, as a call of this kind has. */
static bool read_frame(const char *body, size_t len, uint64_t *status)
{
	const uint8_t *p = (const uint8_t *)body;
	uint32_t n;

	if (len < FRAME_HEAD || p[0])
		return false;
	n = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
	return n == len - FRAME_HEAD &&
	       read_message((struct span){p + FRAME_HEAD, p + len}, status);
}

static enum grpc_health say(char *why, size_t size, const char *text)
{
	str_copy(why, size, text);
	return GRPC_NOT_SERVING;
}

static enum grpc_health refused(int64_t code, char *why, size_t size)
{
	static const char *const names[] = {
		"OK",
		"CANCELLED",
		"UNKNOWN",
		"INVALID_ARGUMENT",
		"DEADLINE_EXCEEDED",
		"NOT_FOUND",
		"ALREADY_EXISTS",
		"PERMISSION_DENIED",
		"RESOURCE_EXHAUSTED",
		"FAILED_PRECONDITION",
		"ABORTED",
		"OUT_OF_RANGE",
		"UNIMPLEMENTED",
		"INTERNAL",
		"UNAVAILABLE",
		"DATA_LOSS",
		"UNAUTHENTICATED",
	};

	if (code == CODE_UNIMPLEMENTED) {
		say(why, size, "the server has no grpc.health.v1.Health: that it answers counts");
		return GRPC_NO_HEALTH;
	}
	if (code == CODE_NOT_FOUND)
		return say(why, size,
		           "the gRPC server does not know the service that the probe names");
	snprintf(why, size, "the gRPC health check was answered by code %lld (%s)", (long long)code,
	         code > 0 && code < (int64_t)ARRAY_SIZE(names) ? names[code] : "unknown");
	return GRPC_NOT_SERVING;
}

static enum grpc_health read_status(const struct http_result *r, char *why, size_t size)
{
	uint64_t status;

	if (!read_frame(r->body, r->body_len, &status))
		return say(why, size, "the answer to the gRPC health check cannot be read");
	switch (status) {
	case SERVING:
		say(why, size, "the gRPC health check says SERVING");
		return GRPC_SERVING;
	case NOT_SERVING:
		return say(why, size, "the gRPC health check says NOT_SERVING");
	case SERVICE_UNKNOWN:
		return say(why, size, "the gRPC health check says SERVICE_UNKNOWN");
	default:
		return say(why, size, "the gRPC health check says UNKNOWN");
	}
}

/* With a suffix: application/grpc+proto. */
static bool is_grpc(const char *type)
{
	static const char want[] = "application/grpc";
	size_t n = sizeof(want) - 1;

	return type && !strncasecmp(type, want, n) && (!type[n] || strchr("+; ", type[n]));
}

enum grpc_health grpc_health_answer(const struct http_result *r, char *why, size_t why_size)
{
	int64_t code;

	if (r->status != 200) {
		snprintf(why, why_size, "the gRPC server answered HTTP %d", r->status);
		return GRPC_NOT_SERVING;
	}
	if (!is_grpc(r->content_type))
		return say(why, why_size, "the server at the probe's port does not speak gRPC");
	if (!r->kept_header || !str_to_i64(r->kept_header, &code))
		return say(why, why_size,
		           "the gRPC health check was answered without a grpc-status");
	return code == CODE_OK ? read_status(r, why, why_size) : refused(code, why, why_size);
}
