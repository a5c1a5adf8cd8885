/* Kubeconfig: which file, which context, and the fields of its cluster and user. */
#include "tidegate/kube/config.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "config_priv.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/file.h"
#include "tidegate/base/str.h"
#include "tidegate/base/yaml.h"

#define CONFIG_FILE_MAX  (4u << 20)
#define CONFIG_FILES_MAX 32

#define SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

struct config_file {
	char *path;
	const struct json *root;
};

/* The files of one load, in order of precedence. */
struct config_set {
	struct arena arena;
	struct config_file files[CONFIG_FILES_MAX];
	unsigned n;
};

/* --- fields ------------------------------------------------------------------------------- */

int config_refuse(const struct config_place *at, const char *key, struct err *err, const char *fmt,
                  ...)
{
	char what[ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(err, ERR_INVALID, "%s: %s[%s].%s%s%s: %s", at->file, at->list, at->name,
	               at->entry, key ? "." : "", key ? key : "", what);
}

int config_take_str(const struct config_place *at, const struct json *o, const char *key,
                    char **out, struct err *err)
{
	const char *s = json_str(o, key);

	if (!json_has(o, key))
		return 0;
	if (!s)
		return config_refuse(at, key, err, "must be a string (quote it)");
	if (*s)
		*out = xstrdup(s);
	return 0;
}

int config_take_bool(const struct config_place *at, const struct json *o, const char *key,
                     bool *out, struct err *err)
{
	if (!json_has(o, key))
		return 0;
	if (!json_is_bool(json_get(o, key)))
		return config_refuse(at, key, err, "must be true or false");
	*out = json_bool(o, key, false);
	return 0;
}

/* A file name, made absolute, that must be readable now. */
static int take_path(const struct config_place *at, const struct json *o, const char *key,
                     char **out, struct err *err)
{
	cleanup_free char *rel = NULL;

	if (config_take_str(at, o, key, &rel, err) < 0)
		return -1;
	if (!rel)
		return 0;
	*out = file_resolve(at->file, rel);
	if (access(*out, R_OK) < 0)
		return config_refuse(at, key, err, "cannot read %s: %s", *out, strerror(errno));
	return 0;
}

/* Base64 of a PEM text. */
static int take_pem(const struct config_place *at, const struct json *o, const char *key,
                    char **out, struct err *err)
{
	cleanup_free char *text = NULL;
	size_t len, cap;
	long n;

	if (config_take_str(at, o, key, &text, err) < 0)
		return -1;
	if (!text)
		return 0;
	len = strlen(text);
	cap = len / 4 * 3 + 3;
	*out = xcalloc(1, cap + 1);
	n = base64_decode(text, len, (unsigned char *)*out, cap);
	explicit_bzero(text, len);
	if (n < 0)
		return config_refuse(at, key, err, "is not valid base64");
	if (!strstr(*out, "-----BEGIN ") || strlen(*out) != (size_t)n)
		return config_refuse(at, key, err, "is not base64 of a PEM text");
	return 0;
}

/* FIELD-data wins over FIELD. */
static int take_pem_or_path(const struct config_place *at, const struct json *o, const char *key,
                            char **pem, char **path, struct err *err)
{
	char data_key[64];

	snprintf(data_key, sizeof(data_key), "%s-data", key);
	if (take_pem(at, o, data_key, pem, err) < 0)
		return -1;
	return *pem ? 0 : take_path(at, o, key, path, err);
}

/* --- cluster ------------------------------------------------------------------------------ */

static int check_url(const struct config_place *at, const char *key, const char *url,
                     const char *const *schemes, struct err *err)
{
	cleanup_free char *list = xstrdup("");

	for (const char *const *s = schemes; *s; s++) {
		char *more = xasprintf("%s%s%s", list, *list ? " or " : "", *s);

		free(list);
		list = more;
		if (str_starts(url, *s) && url[strlen(*s)] && url[strlen(*s)] != '/')
			return strpbrk(url, " \t\r\n\"<>#?")
			               ? config_refuse(at, key, err, "is not a URL")
			               : 0;
	}
	return config_refuse(at, key, err, "must start with %s and name a host", list);
}

static int take_server(const struct config_place *at, const struct json *o, struct kube_config *c,
                       struct err *err)
{
	static const char *const schemes[] = {"https://", "http://", NULL};
	size_t len;

	if (config_take_str(at, o, "server", &c->server, err) < 0)
		return -1;
	if (!c->server)
		return config_refuse(at, "server", err, "is missing");
	len = strlen(c->server);
	while (len && c->server[len - 1] == '/')
		c->server[--len] = '\0';
	return check_url(at, "server", c->server, schemes, err);
}

static int take_proxy(const struct config_place *at, const struct json *o, struct kube_config *c,
                      struct err *err)
{
	static const char *const schemes[] = {"http://", "https://", "socks5://", NULL};

	if (config_take_str(at, o, "proxy-url", &c->proxy_url, err) < 0)
		return -1;
	return c->proxy_url ? check_url(at, "proxy-url", c->proxy_url, schemes, err) : 0;
}

static int take_cluster(const struct config_place *at, const struct json *o, struct kube_config *c,
                        struct err *err)
{
	if (take_server(at, o, c, err) < 0 || take_proxy(at, o, c, err) < 0 ||
	    config_take_str(at, o, "tls-server-name", &c->tls_server_name, err) < 0 ||
	    config_take_bool(at, o, "insecure-skip-tls-verify", &c->insecure, err) < 0 ||
	    config_take_bool(at, o, "disable-compression", &c->no_compression, err) < 0 ||
	    take_pem_or_path(at, o, "certificate-authority", &c->ca_pem, &c->ca_file, err) < 0)
		return -1;
	if (c->insecure && (c->ca_pem || c->ca_file))
		return config_refuse(at, "insecure-skip-tls-verify", err,
		                     "contradicts certificate-authority: remove one of them");
	return 0;
}

/* Plugins that ask for cluster info may have settings of their own in the cluster entry. */
static void take_exec_extension(const struct json *cluster, struct kube_config *c)
{
	const struct json *it;
	struct buf text;

	if (!c->exec || !c->exec->provide_cluster_info)
		return;
	json_for_each (it, json_get(cluster, "extensions")) {
		if (!str_eq(json_str(it, "name"), "client.authentication.k8s.io/exec"))
			continue;
		buf_init(&text, CONFIG_FILE_MAX);
		if (json_write_value(&text, json_get(it, "extension")) == 0) {
			free(c->exec->cluster_config);
			c->exec->cluster_config = buf_detach(&text);
		}
		buf_release(&text);
	}
}

/* --- user --------------------------------------------------------------------------------- */

static int check_user(const struct config_place *at, const struct kube_config *c, struct err *err)
{
	bool cert = c->cert_pem || c->cert_file, key = c->key_pem || c->key_file;
	bool bearer = c->token || c->token_file;

	if (cert != key)
		return config_refuse(at, cert ? "client-key" : "client-certificate", err,
		                     "is missing, and %s is useless without it",
		                     cert ? "client-certificate" : "client-key");
	if (bearer && c->username)
		return config_refuse(at, NULL, err, "has both a token and a username: keep one");
	if (c->password && !c->username)
		return config_refuse(at, "username", err, "is missing, but there is a password");
	if (c->username && strchr(c->username, ':'))
		return config_refuse(at, "username", err, "must not contain ':'");
	return 0;
}

/* A line break inside would end the header it is sent in. */
static int check_token(const struct config_place *at, const char *token, struct err *err)
{
	for (const char *p = str_or(token, ""); *p; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return config_refuse(at, "token", err,
			                     "contains a blank or control character");
	}
	return 0;
}

static int take_user(const struct config_place *at, const struct json *o, struct kube_config *c,
                     struct err *err)
{
	if (json_has(o, "auth-provider"))
		return config_refuse(at, "auth-provider", err,
		                     "is not supported any more, by Kubernetes neither: use exec "
		                     "with the provider's credential plugin");
	if (take_pem_or_path(at, o, "client-certificate", &c->cert_pem, &c->cert_file, err) < 0 ||
	    take_pem_or_path(at, o, "client-key", &c->key_pem, &c->key_file, err) < 0 ||
	    config_take_str(at, o, "token", &c->token, err) < 0 ||
	    check_token(at, c->token, err) < 0 ||
	    take_path(at, o, "tokenFile", &c->token_file, err) < 0 ||
	    config_take_str(at, o, "username", &c->username, err) < 0 ||
	    config_take_str(at, o, "password", &c->password, err) < 0 ||
	    config_take_impersonation(at, o, c, err) < 0)
		return -1;
	if (json_has(o, "exec") && config_take_exec(at, json_get(o, "exec"), c, err) < 0)
		return -1;
	return check_user(at, c, err);
}

/* --- files -------------------------------------------------------------------------------- */

static int parse_file(struct config_set *set, const char *path, const struct buf *text,
                      struct err *err)
{
	struct config_file *f = &set->files[set->n];
	cleanup_buf struct buf json;
	const char *kind;

	buf_init(&json, CONFIG_FILE_MAX);
	/* An empty file is an empty configuration, as it is for kubectl. */
	if (text->data[strspn(text->data, " \t\r\n")] == '\0')
		return 0;
	if (yaml_to_json(text->data, text->len, &json, err) < 0)
		return err_wrap(err, "%s", path);
	f->root = json_parse(&set->arena, json.data, json.len, err);
	if (!f->root)
		return err_wrap(err, "%s", path);
	if (!json_is_object(f->root))
		return err_set(err, ERR_INVALID, "%s: is not a kubeconfig", path);
	kind = json_str(f->root, "kind");
	if (kind && !str_eq(kind, "Config"))
		return err_set(err, ERR_INVALID, "%s: kind is %s, must be Config", path, kind);
	f->path = xstrdup(path);
	set->n++;
	return 0;
}

static int load_file(struct config_set *set, const char *path, struct err *err)
{
	cleanup_buf struct buf text;

	buf_init(&text, CONFIG_FILE_MAX);
	if (set->n == CONFIG_FILES_MAX)
		return err_set(err, ERR_TOO_BIG, "KUBECONFIG: more than %d files",
		               CONFIG_FILES_MAX);
	if (file_read(path, &text, err) < 0)
		return -1;
	return parse_file(set, path, &text, err);
}

/* Files of the list that do not exist are skipped; one that cannot be read is an error. */
static int load_list(struct config_set *set, const char *list, struct err *err)
{
	const char *p = list;

	for (;;) {
		size_t n = strcspn(p, ":");
		cleanup_free char *path = xstrndup(p, n);

		if (n && (access(path, F_OK) == 0 || errno != ENOENT) &&
		    load_file(set, path, err) < 0)
			return -1;
		if (!p[n])
			return 0;
		p += n + 1;
	}
}

static void set_release(struct config_set *set)
{
	for (unsigned i = 0; i < set->n; i++)
		free(set->files[i].path);
	arena_release(&set->arena);
}

/* "has: a, b" over all files of an entry list, for messages. */
static void list_names(const struct config_set *set, const char *list, struct buf *out)
{
	const struct json *it;
	const char *sep = "";

	for (unsigned i = 0; i < set->n; i++) {
		json_for_each (it, json_get(set->files[i].root, list)) {
			const char *name = json_str(it, "name");

			if (!name)
				continue;
			buf_addf(out, "%s%s", sep, name);
			sep = ", ";
		}
	}
	if (!out->len)
		buf_addstr(out, "none");
}

/*
 * The entry called at->name: the first file that has it wins, and the whole of it; a later
 * file adds nothing to it. Paths inside are relative to that file, so at->file is set to it.
 */
static const struct json *find_entry(const struct config_set *set, struct config_place *at,
                                     struct err *err)
{
	const struct json *it;
	cleanup_buf struct buf names;

	buf_init(&names, ERR_MSG_MAX / 2);
	for (unsigned i = 0; i < set->n; i++) {
		json_for_each (it, json_get(set->files[i].root, at->list)) {
			if (!str_eq(json_str(it, "name"), at->name))
				continue;
			at->file = set->files[i].path;
			if (json_is_object(json_get(it, at->entry)))
				return json_get(it, at->entry);
			config_refuse(at, NULL, err, "is missing or not a map");
			return NULL;
		}
	}
	list_names(set, at->list, &names);
	err_set(err, ERR_INVALID, "%s: there is no %s named \"%s\"; there are: %s", at->file,
	        at->entry, at->name, names.data);
	return NULL;
}

static const char *current_context(const struct config_set *set)
{
	for (unsigned i = 0; i < set->n; i++) {
		const char *s = json_str(set->files[i].root, "current-context");

		if (!str_empty(s))
			return s;
	}
	return NULL;
}

static int no_context(const struct config_set *set, struct err *err)
{
	cleanup_buf struct buf names;

	buf_init(&names, ERR_MSG_MAX / 2);
	list_names(set, "contexts", &names);
	return err_set(err, ERR_INVALID,
	               "%s: current-context is not set; name one of the contexts: %s",
	               set->files[0].path, names.data);
}

/* The context's cluster and user entries. A context without a user is anonymous access. */
static int take_context(const struct config_set *set, const struct config_place *ctx_at,
                        const struct json *ctx, struct kube_config *c, struct err *err)
{
	cleanup_free char *cluster = NULL, *user = NULL;
	struct config_place at = {ctx_at->file, "clusters", "cluster", NULL};
	const struct json *cluster_json, *user_json;

	if (config_take_str(ctx_at, ctx, "namespace", &c->namespace, err) < 0 ||
	    config_take_str(ctx_at, ctx, "cluster", &cluster, err) < 0 ||
	    config_take_str(ctx_at, ctx, "user", &user, err) < 0)
		return -1;
	if (!cluster)
		return config_refuse(ctx_at, "cluster", err, "is missing");
	at.name = cluster;
	cluster_json = find_entry(set, &at, err);
	if (!cluster_json || take_cluster(&at, cluster_json, c, err) < 0)
		return -1;
	if (!user)
		return 0;
	at = (struct config_place){ctx_at->file, "users", "user", user};
	user_json = find_entry(set, &at, err);
	if (!user_json || take_user(&at, user_json, c, err) < 0)
		return -1;
	take_exec_extension(cluster_json, c);
	return 0;
}

static struct kube_config *choose(const struct config_set *set, const char *context,
                                  struct err *err)
{
	struct config_place at = {set->files[0].path, "contexts", "context", NULL};
	struct kube_config *c;
	const struct json *ctx;

	at.name = context ? context : current_context(set);
	if (!at.name) {
		no_context(set, err);
		return NULL;
	}
	ctx = find_entry(set, &at, err);
	if (!ctx)
		return NULL;
	c = xcalloc(1, sizeof(*c));
	c->source = xstrdup(at.file);
	c->context = xstrdup(at.name);
	if (take_context(set, &at, ctx, c, err) < 0) {
		kube_config_free(c);
		return NULL;
	}
	if (!c->namespace)
		c->namespace = xstrdup("default");
	return c;
}

/* --- where from --------------------------------------------------------------------------- */

/* Fills the set from the default places; an empty set means "try in-cluster". */
static int load_default(struct config_set *set, struct err *err)
{
	const char *list = getenv("KUBECONFIG"), *home = getenv("HOME");
	cleanup_free char *path = NULL;

	if (!str_empty(list)) {
		if (load_list(set, list, err) < 0)
			return -1;
		return set->n ? 0
		              : err_set(err, ERR_INVALID,
		                        "KUBECONFIG=%s: none of these files exists or has content",
		                        list);
	}
	if (str_empty(home))
		return 0;
	path = xasprintf("%s/.kube/config", home);
	return load_list(set, path, err);
}

struct kube_config *kube_config_load(const char *path, const char *context, struct err *err)
{
	struct config_set set = {.n = 0};
	struct kube_config *c = NULL;
	int rc;

	arena_init(&set.arena, 0);
	rc = path ? load_file(&set, path, err) : load_default(&set, err);
	if (rc == 0 && set.n)
		c = choose(&set, context, err);
	else if (rc == 0 && path)
		err_set(err, ERR_INVALID, "%s: is empty", path);
	else if (rc == 0)
		c = kube_config_in_cluster(err);
	set_release(&set);
	return c;
}

static int in_cluster_server(struct kube_config *c, struct err *err)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	bool v6;

	if (str_empty(host) || str_empty(port))
		return err_set(err, ERR_INVALID,
		               "no cluster configured: KUBECONFIG is not set, there is no "
		               "~/.kube/config, and this is not a pod (KUBERNETES_SERVICE_HOST and "
		               "KUBERNETES_SERVICE_PORT are not set)");
	v6 = strchr(host, ':') && *host != '[';
	c->server = xasprintf("https://%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
	return 0;
}

static int in_cluster_files(const char *dir, struct kube_config *c, struct err *err)
{
	cleanup_free char *ns_file = xasprintf("%s/namespace", dir);
	cleanup_buf struct buf ns;

	buf_init(&ns, 256);
	c->token_file = xasprintf("%s/token", dir);
	c->ca_file = xasprintf("%s/ca.crt", dir);
	if (access(c->token_file, R_OK) < 0)
		return err_set_errno(err, ERR_IO, errno,
		                     "in-cluster: cannot read %s (is automountServiceAccountToken "
		                     "off?)",
		                     c->token_file);
	if (access(c->ca_file, R_OK) < 0)
		return err_set_errno(err, ERR_IO, errno, "in-cluster: cannot read %s", c->ca_file);
	if (file_read(ns_file, &ns, NULL) == 0) {
		ns.data[strcspn(ns.data, " \t\r\n")] = '\0';
		if (*ns.data)
			c->namespace = xstrdup(ns.data);
	}
	if (!c->namespace)
		c->namespace = xstrdup("default");
	return 0;
}

struct kube_config *kube_config_in_cluster_at(const char *dir, struct err *err)
{
	struct kube_config *c = xcalloc(1, sizeof(*c));

	c->source = xstrdup("in-cluster");
	if (in_cluster_server(c, err) < 0 || in_cluster_files(dir, c, err) < 0) {
		kube_config_free(c);
		return NULL;
	}
	return c;
}

struct kube_config *kube_config_in_cluster(struct err *err)
{
	return kube_config_in_cluster_at(SERVICE_ACCOUNT_DIR, err);
}

static void free_secret(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

void kube_config_free(struct kube_config *c)
{
	if (!c)
		return;
	free(c->source);
	free(c->context);
	free(c->server);
	free(c->namespace);
	free(c->tls_server_name);
	free_secret(c->proxy_url);
	free(c->ca_pem);
	free(c->ca_file);
	free(c->cert_pem);
	free(c->cert_file);
	free_secret(c->key_pem);
	free(c->key_file);
	free_secret(c->token);
	free(c->token_file);
	free(c->username);
	free_secret(c->password);
	free(c->as_user);
	for (char **h = c->as_headers; h && *h; h++)
		free(*h);
	free(c->as_headers);
	kube_exec_free(c->exec);
	free(c);
}
