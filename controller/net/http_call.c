#include "http_internal.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/str.h"

#define DEFAULT_CONNECT_MS    3000
#define DEFAULT_MAX_BODY      (1024 * 1024)
#define CONNECTION_LIFETIME_S 600L /* so that load spreads again after a server came back */
#define KEEPALIVE_IDLE_S      15L
#define KEEPALIVE_INTERVAL_S  5L
#define KEEPALIVE_PROBES      3
#define UNACKED_MS            20000
#define RETRY_AFTER_MAX_S     86400
/* One of each per running transfer, which watches are (of receiving in libcurl before 8.7). */
#define RECEIVE_BUFFER       16384L
#define RECEIVE_BUFFER_SHORT 2048L
#define SEND_BUFFER          16384L

/* --- callbacks of libcurl ------------------------------------------------------------------ */

/*
 * Without these a peer that vanished is noticed after tcp_retries2, about 15 minutes. libcurl has
 * options for the first two keepalive values only (the third since 8.9).
 */
static int tune_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	int probes = KEEPALIVE_PROBES;
	unsigned unacked = UNACKED_MS;

	(void)arg;
	(void)purpose;
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked, sizeof(unacked));
	return CURL_SOCKOPT_OK;
}

/*
 * libcurl sends a request again, whatever its method, when a kept connection is lost before the
 * first byte of the answer. The server may have carried it out, so only reads may go twice.
 */
static int on_send(void *arg, char *peer_ip, char *own_ip, int peer_port, int own_port)
{
	struct http_call *call = arg;

	(void)peer_ip, (void)own_ip, (void)peer_port, (void)own_port;
	return call->sent++ ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct http_call *call = arg;
	long status = 0;

	n *= size;
	if (call->cancelled)
		return 0;
	call->last_byte_ms = loop_now(call->client->loop);
	if (!call->on_data) {
		call->too_big = buf_add(&call->answer, data, n) < 0;
		return call->too_big ? 0 : n;
	}
	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	call->refused = call->on_data(call->arg, (int)status, data, n) < 0;
	return call->refused || call->cancelled ? 0 : n;
}

static void keep_value(char **to, const char *v, size_t n)
{
	free(*to);
	*to = xstrndup(v, n);
}

/* Retry-After (RFC 9110 10.2.3): seconds, or a date, which proxies prefer; 0 when it is neither. */
static int parse_retry_after(const char *v, size_t n)
{
	char text[64];
	int64_t s, ms;
	time_t date;

	if (n >= sizeof(text))
		return 0;
	memcpy(text, v, n);
	text[n] = '\0';
	if (str_to_i64(text, &s)) {
		ms = s > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S * 1000 : s * 1000;
	} else {
		date = curl_getdate(text, NULL);
		ms = date < 0 ? 0 : (int64_t)date * 1000 - clock_wall_ms();
	}
	if (ms > RETRY_AFTER_MAX_S * 1000)
		ms = RETRY_AFTER_MAX_S * 1000;
	return ms < 0 ? 0 : (int)ms;
}

void http_call_take_header(struct http_call *call, const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n), *v, *end = line + n;
	size_t name;

	if (!colon)
		return;
	name = (size_t)(colon - line);
	for (v = colon + 1; v < end && (*v == ' ' || *v == '\t'); v++)
		;
	while (end > v && strchr(" \t\r\n", end[-1]))
		end--;
	n = (size_t)(end - v);
	if (name == 7 && !strncasecmp(line, "warning", name))
		keep_value(&call->warning, v, n);
	else if (name == 12 && !strncasecmp(line, "content-type", name))
		keep_value(&call->content_type, v, n);
	else if (name == 11 && !strncasecmp(line, "retry-after", name))
		call->retry_after_ms = parse_retry_after(v, n);
	else if (call->keep_header && name == strlen(call->keep_header) &&
	         !strncasecmp(line, call->keep_header, name))
		keep_value(&call->kept_header, v, n);
}

static void forget_head(struct http_call *call)
{
	xstr_replace(&call->warning, NULL);
	xstr_replace(&call->content_type, NULL);
	xstr_replace(&call->kept_header, NULL);
	call->retry_after_ms = 0;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct http_call *call = arg;

	n *= size;
	if (call->cancelled)
		return 0;
	call->last_byte_ms = loop_now(call->client->loop);
	call->head_bytes += n;
	if (call->head_bytes > HTTP_HEAD_MAX) {
		call->too_big = true;
		return 0;
	}
	/* A status line starts a new head: what came with a 1xx answer does not count. */
	if (n > 5 && !memcmp(data, "HTTP/", 5))
		forget_head(call);
	else
		http_call_take_header(call, data, n);
	return n;
}

/* Looks again when the limit may have passed; a byte in between costs nothing. */
static void on_stall_timer(void *arg)
{
	struct http_call *call = arg;
	int64_t quiet = loop_now(call->client->loop) - call->last_byte_ms;
	struct err err = ERR_INIT;

	if (quiet < call->stall_ms) {
		timer_start(&call->stall, call->stall_ms - quiet);
		return;
	}
	err_set(&err, ERR_TIMEOUT, "no byte from %s for %d ms", call->target, call->stall_ms);
	http_call_finish(call, &err);
}

/* --- options ------------------------------------------------------------------------------- */

static void add_header(struct http_call *call, const char *line)
{
	struct curl_slist *l = curl_slist_append(call->headers, line);

	if (l)
		call->headers = l;
}

static bool has_header(const struct http_call *call, const char *name)
{
	size_t n = strlen(name);

	for (const struct curl_slist *l = call->headers; l; l = l->next)
		if (!strncasecmp(l->data, name, n) && l->data[n] == ':')
			return true;
	return false;
}

static void set_method(struct http_call *call)
{
	CURL *e = call->easy;
	const char *m = call->method;

	if (call->body || str_eq(m, "POST") || str_eq(m, "PUT") || str_eq(m, "PATCH")) {
		curl_easy_setopt(e, CURLOPT_POST, 1L);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, call->body ? call->body : "");
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_len);
	} else if (str_eq(m, "HEAD")) {
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
		return;
	} else {
		curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
	}
	curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, m);
}

static void set_connection(struct http_call *call)
{
	CURL *e = call->easy;

	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(
		e, CURLOPT_HTTP_VERSION,
		(long)(call->http2 ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE : CURL_HTTP_VERSION_1_1));
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE,
	                 call->short_answer ? RECEIVE_BUFFER_SHORT : RECEIVE_BUFFER);
	curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)call->connect_timeout_ms);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	curl_easy_setopt(e, CURLOPT_SOCKOPTFUNCTION, tune_socket);
	curl_easy_setopt(e, CURLOPT_MAXLIFETIME_CONN, CONNECTION_LIFETIME_S);
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, call->fresh_connection || call->http2 ? 1L : 0L);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, call->http2 ? 1L : 0L);
	curl_easy_setopt(e, CURLOPT_CONNECT_ONLY, call->connect_only ? 1L : 0L);
	/* libcurl walks all the names that it knows at each new connection; addresses are no names.
	 */
	if (call->client->many_hosts)
		curl_easy_setopt(e, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
	/* "" (not NULL) is what keeps the environment's proxy settings out. */
	if (call->client->proxy_url || !call->client->proxy_from_env) {
		curl_easy_setopt(e, CURLOPT_PROXY, str_or(call->client->proxy_url, ""));
		curl_easy_setopt(e, CURLOPT_NOPROXY, "");
	}
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	if (call->connect_to)
		curl_easy_setopt(e, CURLOPT_CONNECT_TO, call->connect_to);
}

/* libcurl's own additions: a form's type for any body, and a wait of 1 s for 100. */
static void refuse_additions(struct http_call *call)
{
	if (!has_header(call, "Content-Type"))
		add_header(call, "Content-Type:");
	add_header(call, "Expect:");
}

static void set_options(struct http_call *call)
{
	CURL *e = call->easy;

	refuse_additions(call);
	curl_easy_setopt(e, CURLOPT_PRIVATE, call);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, call->curl_text);
	curl_easy_setopt(e, CURLOPT_URL, call->url);
	curl_easy_setopt(e, CURLOPT_USERAGENT, call->client->user_agent);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, call->headers);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, call);
	if (!str_eq(call->method, "GET") && !str_eq(call->method, "HEAD")) {
		curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_send);
		curl_easy_setopt(e, CURLOPT_PREREQDATA, call);
	}
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, call);
	if (call->accept_gzip)
		curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip");
	set_connection(call);
	set_method(call);
	http_tls_apply(&call->client->tls, e);
}

/* --- start --------------------------------------------------------------------------------- */

/* Apart, for an error is large and there is hardly ever one. */
static struct err *early_err(struct http_call *call)
{
	if (!call->early)
		call->early = xcalloc(1, sizeof(*call->early));
	return call->early;
}

static void take_method(struct http_call *call, const char *method)
{
	if (!str_copy(call->method, sizeof(call->method), method))
		err_set(early_err(call), ERR_INVALID, "not an HTTP method: %.40s", method);
}

static void copy_headers(struct http_call *call, const char *const *headers)
{
	for (; headers && *headers; headers++) {
		if (strpbrk(*headers, "\r\n")) {
			/* Not the line itself: it may hold a token. */
			err_set(early_err(call), ERR_INVALID,
			        "a request header has a line break in it (a token file with more "
			        "than one line?)");
			return;
		}
		add_header(call, *headers);
	}
}

/*
 * Verifying another name than the URL's host: libcurl takes the name for SNI and verification
 * from the URL and has no option for it. So the URL gets that name, CONNECT_TO leads the
 * connection to the real host, and Host says what the URL said.
 */
static void use_server_name(struct http_call *call, CURLU *u, const char *host, const char *port)
{
	cleanup_free char *name = NULL, *to = NULL, *line = NULL;
	const char *want = call->client->tls.server_name;
	char *explicit_port = NULL, *url = NULL;

	name = strchr(want, ':') && want[0] != '[' ? xasprintf("[%s]", want) : xstrdup(want);
	to = xasprintf("%s:%s:%s:%s", name, port, host, port);
	curl_url_get(u, CURLUPART_PORT, &explicit_port, 0);
	line = xasprintf("Host: %s%s%s", host, explicit_port ? ":" : "", str_or(explicit_port, ""));
	curl_free(explicit_port);
	if (curl_url_set(u, CURLUPART_HOST, name, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_URL, &url, 0) != CURLUE_OK) {
		err_set(early_err(call), ERR_INVALID, "tls-server-name \"%s\" is not a host name",
		        want);
		return;
	}
	xstr_replace(&call->own_url.text, url);
	call->url = call->own_url.text;
	curl_free(url);
	call->connect_to = curl_slist_append(NULL, to);
	if (!has_header(call, "Host"))
		add_header(call, line);
}

/* One that only libcurl can tell the meaning of, or that gets another name. */
static void take_strange_url(struct http_call *call)
{
	char *scheme = NULL, *host = NULL, *port = NULL;
	CURLU *u = curl_url();

	call->target = "the server";
	if (!u || !call->url || curl_url_set(u, CURLUPART_URL, call->url, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK) {
		err_set(early_err(call), ERR_INVALID,
		        "not a URL that can be used (want http://HOST[:PORT]/... or https://...)");
	} else if (!str_eq(scheme, "http") && !str_eq(scheme, "https")) {
		err_set(early_err(call), ERR_INVALID, "URL scheme \"%s\" is not http or https",
		        scheme);
	} else {
		snprintf(call->own_target, sizeof(call->own_target), "%s:%s", host, port);
		call->target = call->own_target;
		if (call->client->tls.server_name && str_eq(scheme, "https"))
			use_server_name(call, u, host, port);
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
}

static void take_url(struct http_call *call, const struct http_request *r)
{
	const struct http_url *u = r->known_url;

	if (!u) {
		http_url_init(&call->own_url, r->url, call->own_target);
		u = &call->own_url;
	}
	call->url = u->text;
	call->target = u->target;
	if (!u->plain || (u->tls && call->client->tls.server_name))
		take_strange_url(call);
}

struct http_call *http_start(struct http_client *c, const struct http_request *r)
{
	struct http_call *call = xcalloc(1, sizeof(*call));

	call->client = c;
	take_method(call, str_or(r->method, "GET"));
	if (r->body) {
		call->body = xmalloc(r->body_len + 1);
		memcpy(call->body, r->body, r->body_len);
		call->body[r->body_len] = '\0';
		call->body_len = r->body_len;
	}
	call->timeout_ms = r->timeout_ms;
	call->connect_timeout_ms =
		r->connect_timeout_ms ? r->connect_timeout_ms : DEFAULT_CONNECT_MS;
	call->stall_ms = r->stall_ms;
	call->accept_gzip = r->accept_gzip;
	call->fresh_connection = r->fresh_connection;
	call->short_answer = r->short_answer;
	call->connect_only = r->connect_only;
	call->http2 = r->http2;
	call->keep_header = r->keep_header;
	call->on_data = r->on_data;
	call->on_done = r->on_done;
	call->arg = r->arg;
	call->start_ms = call->last_byte_ms = clock_mono_ms();
	buf_init(&call->answer, r->max_body ? r->max_body : DEFAULT_MAX_BODY);
	timer_init(&call->stall, c->loop, on_stall_timer, call);
	copy_headers(call, r->headers);
	take_url(call, r);
	if (c->retired)
		err_set(early_err(call), ERR_CANCELED, "this HTTP client is retired");
	list_push_back(&c->waiting, &call->node);
	c->ncalls++;
	/* A transport does not answer at once either. */
	if (c->transport && !call->early)
		http_call_launch(call);
	else
		http_client_kick(c);
	return call;
}

void http_call_launch(struct http_call *call)
{
	struct http_client *c = call->client;
	CURLMcode rc;

	if (call->early) {
		http_call_finish(call, call->early);
		return;
	}
	list_remove(&call->node);
	list_push_back(&c->running, &call->node);
	if (c->transport) {
		http_virtual_launch(call);
		return;
	}
	call->easy = http_client_take_easy(c);
	if (call->easy) {
		set_options(call);
		c->in_curl++;
		rc = curl_multi_add_handle(c->multi, call->easy);
		c->in_curl--;
		if (rc == CURLM_OK) {
			if (call->stall_ms > 0)
				timer_start(&call->stall, call->stall_ms);
			return;
		}
	}
	err_set(early_err(call), ERR_INTERNAL, "libcurl refused the transfer");
	http_call_finish(call, call->early);
}

/* --- end ----------------------------------------------------------------------------------- */

/* Out of libcurl, out of its list: nothing of libcurl refers to it afterwards. */
static void call_unlink(struct http_call *call)
{
	struct http_client *c = call->client;

	list_remove(&call->node);
	timer_release(&call->stall);
	if (call->virtual)
		http_virtual_unlink(call);
	if (call->easy) {
		curl_multi_remove_handle(c->multi, call->easy);
		http_client_give_easy(c, call->easy);
		call->easy = NULL;
	}
	c->ncalls--;
}

static void call_free(struct http_call *call)
{
	/* A probe has neither: libcurl need not be asked. */
	if (call->headers)
		curl_slist_free_all(call->headers);
	if (call->connect_to)
		curl_slist_free_all(call->connect_to);
	buf_release(&call->answer);
	free(call->early);
	free(call->own_url.text);
	free(call->body);
	free(call->warning);
	free(call->content_type);
	free(call->kept_header);
	free(call);
}

void http_call_drop(struct http_call *call)
{
	call_unlink(call);
	call_free(call);
}

void http_call_finish(struct http_call *call, const struct err *err)
{
	struct http_client *c = call->client;
	struct http_result r;
	long status = call->status;

	http_client_enter(c);
	if (call->easy)
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	call->finishing = true;
	call_unlink(call);
	r.status = (int)status;
	r.retry_after_ms = call->retry_after_ms;
	err_copy(&r.err, err);
	r.err.status = err->class == ERR_NONE ? 0 : r.status;
	r.body = call->whole ? call->whole : call->answer.data;
	r.body_len = call->whole ? call->whole_len : call->answer.len;
	r.warning = call->warning;
	r.content_type = call->content_type;
	r.kept_header = call->kept_header;
	r.tls_refused = call->tls_refused;
	r.elapsed_ms = clock_mono_ms() - call->start_ms;
	if (call->on_done)
		call->on_done(call->arg, &r);
	call_free(call);
	http_client_leave(c);
}

void http_cancel(struct http_call *call)
{
	struct http_client *c;

	if (!call || call->cancelled || call->finishing)
		return;
	c = call->client;
	if (!c->in_curl || (!call->easy && !call->virtual)) {
		http_client_enter(c);
		http_call_drop(call);
		http_client_leave(c);
		return;
	}
	call->cancelled = true;
	timer_stop(&call->stall);
	list_remove(&call->node);
	list_push_back(&c->dead, &call->node);
}

int64_t http_last_byte_ms(const struct http_call *call)
{
	return call->last_byte_ms;
}
