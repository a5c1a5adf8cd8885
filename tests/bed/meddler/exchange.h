/*
 * One request on its way to the API server and its answer on the way back, spoilt when told.
 *
 * A watch is answered at once with 200 and streamed; what the server says against it becomes an
 * ERROR event, as the protocol has it. Everything else is answered whole.
 * Ownership: an exchange owns itself; it ends with its answer or its client.
 */
#ifndef TIDEGATE_BED_MEDDLER_EXCHANGE_H
#define TIDEGATE_BED_MEDDLER_EXCHANGE_H

#include "fault.h"
#include "tidegate/base/list.h"
#include "tidegate/net/http.h"
#include "tidegate/net/server.h"

struct meddler {
	struct loop *loop;
	struct http_client *upstream;
	const char *target;        /* URL of the API server, no trailing slash */
	const struct fault *fault; /* NULL = none */
	bool lists;                /* spoils lists too, not only watches */
	struct list exchanges;
	unsigned watches, lists_asked, spoilt; /* so far */
};

void exchange_start(struct meddler *m, struct server_request *r);
/* A fault has begun or ended: all watches under way feel it. */
void exchange_all_meddle(struct meddler *m);

#endif
