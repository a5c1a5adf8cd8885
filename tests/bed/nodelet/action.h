/*
 * What probes and lifecycle hooks do: an HTTP request, a TCP connection, a command, or a sleep.
 */
#ifndef BED_NODELET_ACTION_H
#define BED_NODELET_ACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/err.h"
#include "tidegate/base/json.h"

struct container;

enum action_type { ACTION_NONE, ACTION_HTTP, ACTION_TCP, ACTION_EXEC, ACTION_SLEEP };

struct action {
	enum action_type type;
	const struct json *json; /* the httpGet, tcpSocket, exec or sleep object */
	int port;
};

struct action_run;

/* json: a probe or lifecycle handler, NULL = none. A kind that we cannot do is an error. */
int action_parse(struct action *a, const struct json *json, const struct json *container,
                 struct err *err);
/* on_done comes exactly once, never from inside; why is "" on success. */
struct action_run *action_start(const struct action *a, struct container *c, int64_t timeout_ms,
                                void (*on_done)(void *arg, bool ok, const char *why), void *arg);
/* No on_done afterwards. */
void action_cancel(struct action_run *r);

#endif
