/*
 * meddler: stands between a client and the API server, ends its TLS, hands its requests on with
 * its own credentials, and spoils the answers when told.
 *
 *   meddler ADDRESS:PORT CERT KEY TARGET CA
 *
 * TARGET is the API server's URL, CA the file its certificate is verified with. Orders come as
 * requests:  /-/FAULT           watches are spoilt from now on, those under way too
 *            /-/FAULT?lists=1   lists as well
 *            /-/none            no more
 *            /-/count           "watches N lists N spoilt N"
 * The faults are in fault.c.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tidegate/base/buf.h"
#include "tidegate/base/file.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"

#include "exchange.h"

#define CA_MAX          (1u << 20)
#define CONNECTIONS_MAX 256
#define ORDER           "/-/"

static void tell_count(const struct meddler *m, struct server_request *r)
{
	char text[96];

	snprintf(text, sizeof(text), "watches %u lists %u spoilt %u\n", m->watches, m->lists_asked,
	         m->spoilt);
	server_reply_text(r, 200, text);
}

static void take_order(struct meddler *m, struct server_request *r)
{
	const char *name = r->path + strlen(ORDER);
	const struct fault *f = fault_find(name);
	char value[8];

	if (str_eq(name, "count")) {
		tell_count(m, r);
		return;
	}
	if (!f && !str_eq(name, "none")) {
		server_reply_text(r, 404, "no such fault\n");
		return;
	}
	log_info("order", LS("fault", name));
	m->fault = f;
	m->lists = server_query(r, "lists", value, sizeof(value));
	exchange_all_meddle(m);
	server_reply_text(r, 200, "ok\n");
}

static void handle(void *arg, struct server_request *r)
{
	struct meddler *m = arg;

	if (str_starts(r->path, ORDER))
		take_order(m, r);
	else
		exchange_start(m, r);
}

static void on_signal(void *arg, int signo)
{
	struct meddler *m = arg;

	(void)signo;
	loop_stop(m->loop);
}

static int run(struct meddler *m, char **argv, struct err *err)
{
	struct server_options so = {.address = argv[1],
	                            .tls_cert_file = argv[2],
	                            .tls_key_file = argv[3],
	                            .handler = handle,
	                            .arg = m,
	                            .max_connections = CONNECTIONS_MAX};
	struct http_client_options co = {.verify_with_ca_only = true};
	struct buf ca cleanup_buf;
	struct server *server;

	buf_init(&ca, CA_MAX);
	if (file_read(argv[5], &ca, err) < 0)
		return -1;
	co.tls.ca_pem = ca.data;
	m->target = argv[4];
	m->upstream = http_client_new(m->loop, &co, err);
	server = m->upstream ? server_new(m->loop, &so, err) : NULL;
	if (!server)
		return -1;
	loop_on_signal(m->loop, SIGTERM, on_signal, m);
	log_info("serving", LS("address", server_address(server)), LS("target", m->target));
	loop_run(m->loop);
	server_free(server);
	return 0;
}

int main(int argc, char **argv)
{
	struct meddler m = {.loop = NULL};
	struct err err = ERR_INIT;
	int rc;

	if (argc != 6) {
		fputs("usage: meddler ADDRESS:PORT CERT KEY TARGET CA\n", stderr);
		return 2;
	}
	list_init(&m.exchanges);
	m.loop = loop_new();
	rc = run(&m, argv, &err);
	if (rc < 0)
		log_error("cannot start", LE(&err));
	http_client_free(m.upstream);
	loop_free(m.loop);
	return rc < 0;
}
