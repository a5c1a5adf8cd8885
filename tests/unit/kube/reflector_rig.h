/*
 * What tests of the reflector stand on: a reflector and its store against a scripted server, the
 * words of that server, and a record of what is delivered and told. Included as reflector_rig.c.
 */
#ifndef TIDEGATE_TESTS_REFLECTOR_RIG_H
#define TIDEGATE_TESTS_REFLECTOR_RIG_H

#include "../../../controller/kube/reflector_priv.h"
#include "client_bed.h"
#include "thing.h"

#define THINGS     "/apis/test.tidegate.io/v1/things?"
#define WATCH_LIST THINGS "watch=1&sendInitialEvents"
#define WATCH      THINGS "watch=1&allow"
#define PAGED      THINGS "limit=500&resourceVersion="
#define NEXT_PAGE  THINGS "limit=500&continue="
#define UNPAGED    THINGS "resourceVersion="

#define HEAD "\"kind\":\"Thing\",\"apiVersion\":\"test.tidegate.io/v1\","
#define ITEM(name, rv, value)                                                                      \
	"{\"metadata\":{\"namespace\":\"s\",\"name\":\"" name "\",\"uid\":\"u" name                \
	"\",\"resourceVersion\":\"" rv "\"},\"spec\":{\"value\":\"" value "\"}}"
#define EVENT(type, name, rv, value)                                                               \
	"{\"type\":\"" type "\",\"object\":{" HEAD                                                 \
	"\"metadata\":{\"namespace\":\"s\",\"name\":\"" name "\",\"uid\":\"u" name                 \
	"\",\"resourceVersion\":\"" rv "\"},\"spec\":{\"value\":\"" value "\"}}}\n"
#define BOOKMARK(rv)                                                                               \
	"{\"type\":\"BOOKMARK\",\"object\":{" HEAD "\"metadata\":{\"resourceVersion\":\"" rv       \
	"\"}}}\n"
#define END(rv)                                                                                    \
	"{\"type\":\"BOOKMARK\",\"object\":{" HEAD "\"metadata\":{\"resourceVersion\":\"" rv       \
	"\",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n"
#define STATUS(code, reason)                                                                       \
	"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"no, "     \
	"because\",\"reason\":\"" reason "\",\"code\":" code "}"
#define ERROR_EVENT(code, reason) "{\"type\":\"ERROR\",\"object\":" STATUS(code, reason) "}\n"
#define LIST(rv, items)                                                                            \
	"{\"kind\":\"ThingList\",\"apiVersion\":\"test.tidegate.io/v1\",\"metadata\":"             \
	"{\"resourceVersion\":\"" rv "\"},\"items\":[" items "]}"
#define PAGE(rv, token, items)                                                                     \
	"{\"kind\":\"ThingList\",\"items\":[" items "],\"metadata\":{\"resourceVersion\":\"" rv    \
	"\",\"continue\":\"" token "\"}}"

#define CHUNKS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define STREAM(...)                                                                                \
	{                                                                                          \
		.chunks = CHUNKS(__VA_ARGS__), .end = FAKE_STALL                                   \
	}
#define QUIET_STREAM                                                                               \
	{                                                                                          \
		.chunks = (const char *const[]){NULL}, .end = FAKE_STALL                           \
	}
#define TWO_ITEMS ITEM("a", "3", "x") "," ITEM("b", "4", "x")

struct rig {
	struct bed *bed;
	struct store store;
	struct reflector *r;
	struct buf log; /* one line a delivery */
	int lines;      /* memfd with the program's log */
};

/* Of each test; *state is the struct rig. */
int rig_setup(void **state);
int rig_teardown(void **state);
/* Makes and starts g->r; it waits for 2 ms after trouble when the options do not say otherwise. */
void start(struct rig *g, struct reflector_options o);
/* Starts with a and b at version 9 from a list. */
void start_listed(struct rig *g, struct reflector_options o);
/* The last of the replies repeats. */
void script(struct rig *g, const char *prefix, const struct fake_reply *replies, unsigned n);
void push(struct rig *g, const char *chunk);
/* How many requests with this prefix have come; the path of the i-th of all. */
unsigned asked(const struct rig *g, const char *prefix);
const char *path(const struct rig *g, unsigned i);
/* Runs the loop until the deliveries are `want`. */
void expect(struct rig *g, const char *want);
/* Runs the loop until n requests with this prefix have come. */
void expect_asked(struct rig *g, const char *prefix, unsigned n);
/* How many lines of the program's log hold the text. */
unsigned told(const struct rig *g, const char *text);
/* The program's count of lists read again for this reason. */
double relists(const char *reason);

/* The replies live as long as the block they stand in. */
#define SCRIPT(g, prefix, ...)                                                                     \
	const struct fake_reply UNIQUE(__LINE__)[] = {__VA_ARGS__};                                \
	script(g, prefix, UNIQUE(__LINE__), ARRAY_SIZE(UNIQUE(__LINE__)))
#define UNIQUE(line)  UNIQUE2(line)
#define UNIQUE2(line) replies_##line

#define R(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)

#endif
