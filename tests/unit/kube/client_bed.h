/*
 * What tests of the API client stand on: a loop, a scripted server, a configuration
 * that points at it, a client, and a place for what comes of a call.
 * Included as client_bed.c, which brings fake_api.c along.
 */
#ifndef TIDEGATE_TESTS_CLIENT_BED_H
#define TIDEGATE_TESTS_CLIENT_BED_H

#include "../../../controller/kube/client_priv.h"
#include "fake_api.h"

/* A literal in place of a string that a loaded configuration owns. */
#define S(text) ((char *)(text))

struct bed {
	struct loop *loop;
	struct fake_api *api;
	struct kube_config cfg;
	struct kube_client *client;
	char dir[32], file[64], other[64];
};

/* What came of one call. */
struct answer {
	bool done;
	int count; /* of on_done */
	int status;
	struct err err;
	char body[256];
	char data[256];
};

/* Group set-up: log lines go nowhere. */
int bed_quiet(void **state);
/* Of each test; *state is the struct bed. */
int bed_setup(void **state);
int bed_teardown(void **state);
/* Makes b->client. max_in_flight 0 = its default; retries wait 2 ms. */
struct kube_client *bed_client(struct bed *b, int max_in_flight);
void bed_put(const char *path, const char *text);
/* on_done with a struct answer. */
void bed_done(void *arg, const struct kube_response *r);
/* on_data that appends to answer.data and checks that it sees 2xx only. */
int bed_data(void *arg, int status, const char *data, size_t len);
/* Starts a call that ends in *a; and runs the loop until it does. */
struct kube_call *bed_start(struct bed *b, struct answer *a, const struct kube_request *r);
void bed_run(struct bed *b, struct answer *a, const struct kube_request *r);

#define GET  (&(struct kube_request){.method = "GET", .path = "/x"})
#define POST (&(struct kube_request){.method = "POST", .path = "/x", .body = "{}"})
#define APPLY                                                                                      \
	(&(struct kube_request){.method = "PATCH",                                                 \
	                        .path = "/x",                                                      \
	                        .body = "{}",                                                      \
	                        .patch = KUBE_PATCH_APPLY,                                         \
	                        .field_manager = "m"})
#define MERGE                                                                                      \
	(&(struct kube_request){                                                                   \
		.method = "PATCH", .path = "/x", .body = "{}", .patch = KUBE_PATCH_MERGE})

/* Replies of a script. */
#define THROTTLED                                                                                  \
	{                                                                                          \
		.status = 429                                                                      \
	}
#define RESET                                                                                      \
	{                                                                                          \
		.raw = "", .end = FAKE_RESET                                                       \
	}
#define OK                                                                                         \
	{                                                                                          \
		.body = "{}"                                                                       \
	}

#define T(fn) cmocka_unit_test_setup_teardown(fn, bed_setup, bed_teardown)

#endif
