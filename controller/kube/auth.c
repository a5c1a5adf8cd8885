/* Credentials of a client: where they come from and when they are looked at again. */
#include "auth.h"

#include <string.h>

#include "exec.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/file.h"
#include "tidegate/base/log.h"
#include "tidegate/base/str.h"

#define AUTH_FILE_MAX        (1u << 20)
#define AUTH_TOKEN_PERIOD_MS 60000
#define AUTH_TLS_PERIOD_MS   (5 * 60 * 1000)
#define AUTH_AGAIN_MS        10000 /* after a file that could not be used */
#define AUTH_REFUSED_MS      1000  /* between two looks because of refused certificates */
#define AUTH_LEEWAY_MS       10000
#define AUTH_EXEC_WAIT_MS    1000 /* after a failed plugin run, doubling */
#define AUTH_EXEC_WAIT_MAX   30000

struct auth_exec {
	struct exec_run *run;
	int64_t began_ms, got_ms;
	int64_t expires_ms; /* wall; 0 = never */
	bool valid;
	int64_t quiet_until_ms; /* no new run before, after a failure */
	int64_t quiet_ms;
	struct err last_err;
};

struct kube_auth {
	struct loop *loop;
	const struct kube_config *cfg;
	int64_t (*now)(void *arg);
	void *now_arg;
	char *header;
	int64_t token_read_ms, token_next_ms;
	char *ca, *cert, *key;
	unsigned generation;
	int64_t tls_next_ms, tls_read_ms;
	struct auth_exec exec;
	struct list waiting;
};

static int64_t loop_clock(void *arg)
{
	return loop_now(arg);
}

static int64_t now_ms(const struct kube_auth *a)
{
	return a->now(a->now_arg);
}

void kube_auth_set_clock(struct kube_auth *a, int64_t (*now)(void *arg), void *arg)
{
	a->now = now ? now : loop_clock;
	a->now_arg = now ? arg : a->loop;
}

static void secret_replace(char **p, char *value)
{
	if (*p)
		explicit_bzero(*p, strlen(*p));
	free(*p);
	*p = value;
}

/* --- Authorization header ----------------------------------------------------------------- */

static void set_bearer(struct kube_auth *a, const char *token)
{
	secret_replace(&a->header, xasprintf("Authorization: Bearer %s", token));
}

static void set_basic(struct kube_auth *a)
{
	char *pair = xasprintf("%s:%s", a->cfg->username, str_or(a->cfg->password, ""));
	size_t n = strlen(pair);
	char *b64 = xmalloc(4 * ((n + 2) / 3) + 1);

	base64_encode(pair, n, b64);
	secret_replace(&a->header, xasprintf("Authorization: Basic %s", b64));
	secret_replace(&pair, NULL);
	secret_replace(&b64, NULL);
}

static int read_token(struct kube_auth *a, struct err *err)
{
	const char *path = a->cfg->token_file;
	cleanup_buf struct buf text;
	size_t n;

	buf_init(&text, AUTH_FILE_MAX);
	if (file_read(path, &text, err) < 0)
		return -1;
	n = strspn(text.data, " \t\r\n");
	buf_consume(&text, n);
	while (text.len && strchr(" \t\r\n", text.data[text.len - 1]))
		buf_truncate(&text, text.len - 1);
	if (!text.len)
		return err_set(err, ERR_INVALID, "%s: token file is empty", path);
	if (strpbrk(text.data, " \t\r\n") || strlen(text.data) != text.len)
		return err_set(err, ERR_INVALID, "%s: token file holds more than one word", path);
	set_bearer(a, text.data);
	explicit_bzero(text.data, text.len);
	return 0;
}

/* The old token stays in use when the file cannot be read: it is probably still good. */
static int refresh_token(struct kube_auth *a, struct err *err)
{
	int64_t now = now_ms(a);
	struct err why = ERR_INIT;

	if (!a->cfg->token_file || now < a->token_next_ms)
		return 0;
	if (read_token(a, &why) == 0) {
		a->token_read_ms = now;
		a->token_next_ms = now + AUTH_TOKEN_PERIOD_MS;
		return 0;
	}
	if (!a->header) {
		if (err)
			*err = why;
		return -1;
	}
	a->token_next_ms = now + AUTH_AGAIN_MS;
	log_warn("token file cannot be used, going on with the old token", LE(&why));
	return 0;
}

/* --- TLS material ------------------------------------------------------------------------- */

/* The text of a PEM given inline or by file; NULL when neither is. */
static int pem_text(const char *inline_pem, const char *path, char **out, struct err *err)
{
	struct buf text;

	*out = xstrdup_null(inline_pem);
	if (*out || !path)
		return 0;
	buf_init(&text, AUTH_FILE_MAX);
	if (file_read(path, &text, err) < 0) {
		buf_release(&text);
		return -1;
	}
	*out = buf_detach(&text);
	buf_release(&text);
	return 0;
}

/* Takes over what differs from now; a difference is a new generation. */
static void take_pem(struct kube_auth *a, char **slot, char **text)
{
	if (!str_eq(*slot, *text)) {
		secret_replace(slot, *text);
		*text = NULL;
		a->generation++;
	}
	secret_replace(text, NULL);
}

static int load_ca(struct kube_auth *a, struct err *err)
{
	char *pem = NULL;

	if (pem_text(a->cfg->ca_pem, a->cfg->ca_file, &pem, err) < 0)
		return -1;
	take_pem(a, &a->ca, &pem);
	return 0;
}

static int load_pair(struct kube_auth *a, struct err *err)
{
	const struct kube_config *c = a->cfg;
	char *cert = NULL, *key = NULL;
	int rc = -1;

	if (!c->cert_pem && !c->cert_file)
		return 0;
	if (pem_text(c->cert_pem, c->cert_file, &cert, err) == 0 &&
	    pem_text(c->key_pem, c->key_file, &key, err) == 0) {
		take_pem(a, &a->cert, &cert);
		take_pem(a, &a->key, &key);
		rc = 0;
	}
	secret_replace(&cert, NULL);
	secret_replace(&key, NULL);
	return rc;
}

static void refresh_tls(struct kube_auth *a)
{
	const struct kube_config *c = a->cfg;
	int64_t now = now_ms(a);
	struct err err = ERR_INIT;

	if (now < a->tls_next_ms || (!c->ca_file && !c->cert_file && !c->key_file))
		return;
	a->tls_next_ms = now + AUTH_TLS_PERIOD_MS;
	a->tls_read_ms = now;
	if (load_ca(a, &err) == 0 && load_pair(a, &err) == 0)
		return;
	a->tls_next_ms = now + AUTH_AGAIN_MS;
	log_warn("certificates cannot be read, going on with the old ones", LE(&err));
}

/* --- exec plugin -------------------------------------------------------------------------- */

static bool exec_fresh(const struct kube_auth *a)
{
	const struct auth_exec *e = &a->exec;

	return e->valid && (e->expires_ms == 0 || clock_wall_ms() + AUTH_LEEWAY_MS < e->expires_ms);
}

static void wake_all(struct kube_auth *a, const struct err *err)
{
	struct list batch;
	struct list *n;

	/* Who asks again from its callback waits for the next run. */
	list_init(&batch);
	while ((n = list_pop_front(&a->waiting)))
		list_push_back(&batch, n);
	while ((n = list_pop_front(&batch))) {
		struct kube_auth_wait *w = list_entry(n, struct kube_auth_wait, link);

		w->fn(w->arg, err);
	}
}

static void exec_take(struct kube_auth *a, struct exec_credential *cred)
{
	struct auth_exec *e = &a->exec;

	if (cred->token)
		set_bearer(a, cred->token);
	else if (a->header)
		secret_replace(&a->header, NULL);
	take_pem(a, &a->cert, &cred->cert_pem);
	take_pem(a, &a->key, &cred->key_pem);
	e->valid = true;
	e->got_ms = now_ms(a);
	e->expires_ms = cred->expires_ms;
	e->quiet_ms = 0;
}

static void exec_failed(struct kube_auth *a, const struct err *err)
{
	struct auth_exec *e = &a->exec;

	e->valid = false;
	e->last_err = *err;
	e->quiet_ms = e->quiet_ms ? e->quiet_ms * 2 : AUTH_EXEC_WAIT_MS;
	if (e->quiet_ms > AUTH_EXEC_WAIT_MAX)
		e->quiet_ms = AUTH_EXEC_WAIT_MAX;
	e->quiet_until_ms = now_ms(a) + e->quiet_ms;
}

static void exec_done(void *arg, struct exec_credential *cred, const struct err *why)
{
	struct kube_auth *a = arg;

	a->exec.run = NULL;
	if (why->class == ERR_NONE)
		exec_take(a, cred);
	else
		exec_failed(a, why);
	wake_all(a, why);
}

static enum kube_auth_state exec_get(struct kube_auth *a, struct kube_auth_wait *w, struct err *err)
{
	struct auth_exec *e = &a->exec;

	if (exec_fresh(a))
		return KUBE_AUTH_READY;
	if (!e->run) {
		struct err why = ERR_INIT;

		if (now_ms(a) < e->quiet_until_ms) {
			*err = e->last_err;
			return KUBE_AUTH_FAILED;
		}
		e->run = exec_run_start(a->loop, a->cfg, EXEC_TIMEOUT_MS, exec_done, a, &why);
		if (!e->run) {
			exec_failed(a, &why);
			*err = why;
			return KUBE_AUTH_FAILED;
		}
	}
	list_push_back(&a->waiting, &w->link);
	return KUBE_AUTH_PENDING;
}

/* A token or password of the user's own is stronger than the plugin, as it is in client-go. */
static bool uses_exec(const struct kube_auth *a)
{
	const struct kube_config *c = a->cfg;

	return c->exec && !c->token && !c->token_file && !c->username;
}

/* --- the whole ---------------------------------------------------------------------------- */

struct kube_auth *kube_auth_new(struct loop *l, const struct kube_config *cfg, struct err *err)
{
	struct kube_auth *a = xcalloc(1, sizeof(*a));

	a->loop = l;
	a->cfg = cfg;
	list_init(&a->waiting);
	kube_auth_set_clock(a, NULL, NULL);
	if (cfg->token)
		set_bearer(a, cfg->token);
	else if (cfg->username)
		set_basic(a);
	if (load_ca(a, err) < 0 || load_pair(a, err) < 0 || refresh_token(a, err) < 0) {
		kube_auth_free(a);
		return NULL;
	}
	a->tls_read_ms = now_ms(a);
	a->tls_next_ms = a->tls_read_ms + AUTH_TLS_PERIOD_MS;
	return a;
}

void kube_auth_free(struct kube_auth *a)
{
	if (!a)
		return;
	exec_run_cancel(a->exec.run);
	secret_replace(&a->header, NULL);
	secret_replace(&a->ca, NULL);
	secret_replace(&a->cert, NULL);
	secret_replace(&a->key, NULL);
	free(a);
}

enum kube_auth_state kube_auth_get(struct kube_auth *a, struct kube_auth_wait *w, struct err *err)
{
	refresh_tls(a);
	if (refresh_token(a, err) < 0)
		return KUBE_AUTH_FAILED;
	return uses_exec(a) ? exec_get(a, w, err) : KUBE_AUTH_READY;
}

void kube_auth_cancel(struct kube_auth_wait *w)
{
	list_remove(&w->link);
}

const char *kube_auth_header(const struct kube_auth *a)
{
	return a->header;
}

void kube_auth_tls(const struct kube_auth *a, struct http_tls *out)
{
	*out = (struct http_tls){
		.ca_pem = a->ca,
		.cert_pem = a->cert,
		.key_pem = a->key,
		.server_name = a->cfg->tls_server_name,
		.insecure = a->cfg->insecure,
	};
}

unsigned kube_auth_generation(const struct kube_auth *a)
{
	return a->generation;
}

void kube_auth_look_again(struct kube_auth *a, int64_t ms)
{
	int64_t at = now_ms(a) + ms;

	if (at < a->tls_next_ms)
		a->tls_next_ms = at;
}

void kube_auth_tls_refused(struct kube_auth *a)
{
	int64_t at = a->tls_read_ms + AUTH_REFUSED_MS;

	if (at < a->tls_next_ms)
		a->tls_next_ms = at;
}

bool kube_auth_rejected(struct kube_auth *a, int64_t began_ms)
{
	unsigned before = a->generation;

	if (a->cfg->cert_file) {
		a->tls_next_ms = 0;
		refresh_tls(a);
	}
	if (a->cfg->token_file) {
		if (a->token_read_ms <= began_ms)
			a->token_next_ms = 0;
		return true;
	}
	if (uses_exec(a)) {
		if (a->exec.got_ms <= began_ms)
			a->exec.valid = false;
		return true;
	}
	return a->generation != before;
}
