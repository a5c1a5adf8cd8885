/*
 * Credentials and canary config of a ScorePolicy, read from the API server when a comparison
 * begins. The Secret must say that it is meant for this (a label), or whoever may write a policy
 * could have any Secret of the namespace sent to an address of his own.
 */
#include <string.h>

#include "analysis.h"
#include "tidegate/api/names.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"
#include "tidegate/signal/prometheus.h"

#define LABEL_CREDENTIALS TG_GROUP "/credentials"
#define CONFIG_MAX        (1u << 20)

struct source {
	struct mdep_operator *op;
	char *namespace, *url, *secret, *configmap, *key, *config;
	int timeout_ms;
	struct prometheus *server;
	struct kube_call *call;
	struct timer next;
	void (*done)(void *arg, struct prometheus *server, const char *config,
	             const struct err *err);
	void *arg;
};

static void finish(struct source *s, const struct err *err)
{
	struct prometheus *server = s->server;

	if (err) {
		s->done(s->arg, NULL, NULL, err);
		return;
	}
	s->server = NULL;
	s->done(s->arg, server, s->config, NULL);
}

/* A value of a Secret; NULL when it is missing or unreadable. Wiped by forget(). */
static char *secret_value(const struct json *secret, const char *key)
{
	const char *coded = json_str(json_get(secret, "data"), key);
	size_t n = coded ? strlen(coded) : 0;
	char *out;
	long len;

	if (!coded)
		return NULL;
	out = xcalloc(1, n + 1);
	len = base64_decode(coded, n, (unsigned char *)out, n);
	if (len < 0) {
		free(out);
		return NULL;
	}
	out[len] = '\0';
	/* Editors end a file with a line break that belongs to no token. */
	while (len > 0 && (out[len - 1] == '\n' || out[len - 1] == '\r'))
		out[--len] = '\0';
	return out;
}

static void forget(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

static int open_server(struct source *s, const struct json *secret, struct err *err)
{
	char *token = secret_value(secret, "token"), *user = secret_value(secret, "username");
	char *password = secret_value(secret, "password"), *ca = secret_value(secret, "ca.crt");
	struct prometheus_options o = {.url = s->url,
	                               .token = token,
	                               .username = user,
	                               .password = password,
	                               .tls = {.ca_pem = ca},
	                               .timeout_ms = s->timeout_ms};

	s->server = prometheus_new(s->op->loop, &o, err);
	forget(token);
	forget(user);
	forget(password);
	free(ca);
	return s->server ? 0 : -1;
}

static const struct json *parse_answer(const struct kube_response *r, struct arena *a,
                                       const char *what, const char *name, struct err *err)
{
	const struct json *json = NULL;

	if (r->err.class != ERR_NONE)
		*err = r->err;
	else
		json = json_parse(a, r->body, r->body_len, err);
	if (!json)
		err_wrap(err, "%s %s cannot be read", what, name);
	return json;
}

static void on_secret(void *arg, const struct kube_response *r)
{
	struct source *s = arg;
	struct err err = ERR_INIT;
	cleanup_arena struct arena a;
	const struct json *json;

	arena_init(&a, 0);
	s->call = NULL;
	json = parse_answer(r, &a, "Secret", s->secret, &err);
	if (json && !json_has(json_path(json, "metadata", "labels", NULL), LABEL_CREDENTIALS))
		err_set(&err, ERR_FORBIDDEN,
		        "Secret %s is not used: it lacks the label " LABEL_CREDENTIALS, s->secret);
	else if (json)
		open_server(s, json, &err);
	if (err.class != ERR_NONE)
		finish(s, &err);
	else
		timer_start(&s->next, 0);
}

static void on_configmap(void *arg, const struct kube_response *r)
{
	struct source *s = arg;
	struct err err = ERR_INIT;
	cleanup_arena struct arena a;
	const struct json *json;
	const char *text;

	arena_init(&a, 0);
	s->call = NULL;
	json = parse_answer(r, &a, "ConfigMap", s->configmap, &err);
	text = json_str(json_get(json, "data"), s->key);
	if (json && (str_empty(text) || strlen(text) > CONFIG_MAX))
		err_set(&err, ERR_INVALID, "ConfigMap %s has no text under %s", s->configmap,
		        s->key);
	if (err.class != ERR_NONE) {
		finish(s, &err);
		return;
	}
	s->config = xstrdup(text);
	timer_start(&s->next, 0);
}

static void get(struct source *s, const char *resource, const char *name,
                void (*on_done)(void *arg, const struct kube_response *r))
{
	cleanup_free char *path =
		xasprintf("/api/v1/namespaces/%s/%s/%s", s->namespace, resource, name);
	struct kube_request req = {.method = "GET",
	                           .path = path,
	                           .max_body = 2 * CONFIG_MAX,
	                           .on_done = on_done,
	                           .arg = s};

	s->call = kube_call(s->op->client, &req);
}

static void on_next(void *arg)
{
	struct source *s = arg;
	struct err err = ERR_INIT;

	if (!s->server && s->secret)
		get(s, "secrets", s->secret, on_secret);
	else if (!s->server && open_server(s, NULL, &err))
		finish(s, &err);
	else if (s->configmap && !s->config)
		get(s, "configmaps", s->configmap, on_configmap);
	else
		finish(s, NULL);
}

struct source *source_new(struct mdep_operator *op, const struct scorepolicy *p,
                          void (*done)(void *arg, struct prometheus *server, const char *config,
                                       const struct err *err),
                          void *arg)
{
	struct source *s = xcalloc(1, sizeof(*s));

	s->op = op;
	s->namespace = xstrdup(p->meta.namespace);
	s->url = xstrdup_null(p->prometheus.url);
	s->secret = xstrdup_null(p->prometheus.secret);
	s->configmap = xstrdup_null(p->kayenta.configmap);
	s->key = xstrdup_null(p->kayenta.configmap_key);
	s->timeout_ms = p->prometheus.timeout_s > 0 ? (int)(p->prometheus.timeout_s * 1000) : 0;
	s->done = done;
	s->arg = arg;
	timer_init(&s->next, op->loop, on_next, s);
	timer_start(&s->next, 0);
	return s;
}

void source_free(struct source *s)
{
	if (!s)
		return;
	kube_cancel(s->call);
	timer_release(&s->next);
	prometheus_free(s->server);
	free(s->namespace);
	free(s->url);
	free(s->secret);
	free(s->configmap);
	free(s->key);
	free(s->config);
	free(s);
}
