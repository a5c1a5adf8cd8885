/*
 * The service: answers requests about one loaded model.
 *
 * Lifecycle: service_open() after the model is loaded (the port opens only then, as TensorFlow
 * Serving's does), service_drain() once, service_release() last. on_drained is called when every
 * request that came has been answered and none came for DRAIN_QUIET_MS.
 */
#ifndef BED_MODELSERVER_SERVICE_H
#define BED_MODELSERVER_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "tidegate/base/err.h"
#include "tidegate/net/loop.h"
#include "tidegate/net/server.h"

#include "config.h"
#include "fault.h"
#include "model.h"

struct service {
	struct loop *loop;
	const struct config *config;
	struct model model;
	const char *version; /* the one that is claimed */
	struct fault fault;
	double clicks_due; /* of what was shown: every so many is clicked, by no chance */
	struct server *server;
	char *headers, *headers_closing; /* who answers; the latter asks the client to go away */
	unsigned in_flight;
	struct server_request **hanging; /* fault: never answered */
	size_t nhanging;
	int64_t last_request_ms;
	bool draining;
	struct timer drain_timer;
	void (*on_drained)(void *arg);
	void *arg;
};

void service_init(struct service *s, struct loop *l, const struct config *c);
int service_load(struct service *s, struct err *err);
int service_open(struct service *s, struct err *err);
void service_drain(struct service *s, void (*on_drained)(void *arg), void *arg);
void service_release(struct service *s);

#endif
