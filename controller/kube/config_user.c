/* The two structured parts of a kubeconfig user: exec plugin and impersonation. */
#include <ctype.h>
#include <string.h>

#include "config_priv.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/file.h"
#include "tidegate/base/str.h"

#define EXEC_LIST_MAX   256
#define IMPERSONATE_MAX 256

/* --- exec --------------------------------------------------------------------------------- */

static int take_args(const struct config_place *at, const struct json *exec, struct kube_exec *e,
                     struct err *err)
{
	const struct json *args = json_get(exec, "args"), *it;
	size_t n = json_size(args), i = 0;

	if (json_has(exec, "args") && (!json_is_array(args) || n > EXEC_LIST_MAX))
		return config_refuse(at, "exec.args", err, "must be a list of at most %d strings",
		                     EXEC_LIST_MAX);
	e->args = xcalloc(n + 1, sizeof(*e->args));
	json_for_each (it, args) {
		if (!json_is_string(it))
			return config_refuse(at, "exec.args", err,
			                     "element %zu must be a string (quote it)", i);
		e->args[i++] = xstrdup(json_value_str(it));
	}
	return 0;
}

static int take_env(const struct config_place *at, const struct json *exec, struct kube_exec *e,
                    struct err *err)
{
	const struct json *env = json_get(exec, "env"), *it;
	size_t n = json_size(env);

	if (json_has(exec, "env") && (!json_is_array(env) || n > EXEC_LIST_MAX))
		return config_refuse(at, "exec.env", err, "must be a list of at most %d elements",
		                     EXEC_LIST_MAX);
	e->env = xcalloc(n + 1, sizeof(*e->env));
	json_for_each (it, env) {
		const char *name = json_str(it, "name"), *value = json_str(it, "value");

		if (str_empty(name) || strchr(name, '=') || !value)
			return config_refuse(at, "exec.env", err,
			                     "element %u needs the strings name and value",
			                     e->nenv);
		e->env[e->nenv].name = xstrdup(name);
		e->env[e->nenv++].value = xstrdup(value);
	}
	return 0;
}

static int check_version(const struct config_place *at, const struct kube_exec *e, struct err *err)
{
	if (!e->api_version)
		return config_refuse(at, "exec.apiVersion", err, "is missing");
	if (!str_eq(e->api_version, "client.authentication.k8s.io/v1") &&
	    !str_eq(e->api_version, "client.authentication.k8s.io/v1beta1"))
		return config_refuse(at, "exec.apiVersion", err,
		                     "is %s, must be client.authentication.k8s.io/v1 or /v1beta1: "
		                     "update the plugin",
		                     e->api_version);
	return 0;
}

static int check_interactive(const struct config_place *at, struct kube_exec *e, struct err *err)
{
	if (!e->interactive_mode && str_ends(e->api_version, "/v1"))
		return config_refuse(at, "exec.interactiveMode", err,
		                     "is missing: Never, IfAvailable or Always");
	if (!e->interactive_mode)
		e->interactive_mode = xstrdup("IfAvailable");
	if (!str_eq(e->interactive_mode, "Never") && !str_eq(e->interactive_mode, "IfAvailable") &&
	    !str_eq(e->interactive_mode, "Always"))
		return config_refuse(at, "exec.interactiveMode", err,
		                     "is %s, must be Never, IfAvailable or Always",
		                     e->interactive_mode);
	return 0;
}

/* A command with a slash is a path relative to the kubeconfig; without, it is looked up in PATH. */
static void resolve_command(const struct config_place *at, struct kube_exec *e)
{
	char *path;

	if (!strchr(e->command, '/'))
		return;
	path = file_resolve(at->file, e->command);
	free(e->command);
	e->command = path;
}

int config_take_exec(const struct config_place *at, const struct json *exec, struct kube_config *c,
                     struct err *err)
{
	struct kube_exec *e;
	char *command = NULL;

	if (!json_is_object(exec))
		return config_refuse(at, "exec", err, "must be a map");
	e = c->exec = xcalloc(1, sizeof(*e));
	if (config_take_str(at, exec, "command", &command, err) < 0)
		return -1;
	if (!command)
		return config_refuse(at, "exec.command", err, "is missing");
	e->command = command;
	resolve_command(at, e);
	if (config_take_str(at, exec, "apiVersion", &e->api_version, err) < 0 ||
	    config_take_str(at, exec, "installHint", &e->install_hint, err) < 0 ||
	    config_take_str(at, exec, "interactiveMode", &e->interactive_mode, err) < 0 ||
	    config_take_bool(at, exec, "provideClusterInfo", &e->provide_cluster_info, err) < 0 ||
	    check_version(at, e, err) < 0 || check_interactive(at, e, err) < 0 ||
	    take_args(at, exec, e, err) < 0)
		return -1;
	return take_env(at, exec, e, err);
}

void kube_exec_free(struct kube_exec *e)
{
	if (!e)
		return;
	free(e->command);
	for (char **a = e->args; a && *a; a++)
		free(*a);
	free(e->args);
	for (unsigned i = 0; i < e->nenv; i++) {
		free(e->env[i].name);
		explicit_bzero(e->env[i].value, strlen(e->env[i].value));
		free(e->env[i].value);
	}
	free(e->env);
	free(e->api_version);
	free(e->install_hint);
	free(e->interactive_mode);
	free(e->cluster_config);
	free(e);
}

/* --- impersonation ------------------------------------------------------------------------ */

struct header_list {
	char **v;
	size_t n;
};

static int add_header(const struct config_place *at, const char *key, struct header_list *l,
                      const char *name, const char *value, struct err *err)
{
	for (const char *p = value; *p; p++) {
		if (iscntrl((unsigned char)*p))
			return config_refuse(at, key, err, "contains a control character");
	}
	if (l->n == IMPERSONATE_MAX)
		return config_refuse(at, key, err, "more than %d values", IMPERSONATE_MAX);
	l->v = xreallocarray(l->v, l->n + 2, sizeof(*l->v));
	l->v[l->n++] = xasprintf("%s: %s", name, value);
	l->v[l->n] = NULL;
	return 0;
}

static int add_groups(const struct config_place *at, const struct json *user, struct header_list *l,
                      struct err *err)
{
	const struct json *groups = json_get(user, "as-groups"), *it;

	if (json_has(user, "as-groups") && !json_is_array(groups))
		return config_refuse(at, "as-groups", err, "must be a list of strings");
	json_for_each (it, groups) {
		const char *s = json_value_str(it);

		if (!s)
			return config_refuse(at, "as-groups", err, "must be a list of strings");
		if (add_header(at, "as-groups", l, "Impersonate-Group", s, err) < 0)
			return -1;
	}
	return 0;
}

/* Keys become part of a header name: lower case, and what is no token character is %-escaped. */
static char *extra_name(const char *key)
{
	struct buf out;

	buf_init(&out, 4096);
	buf_addstr(&out, "Impersonate-Extra-");
	for (const unsigned char *p = (const unsigned char *)key; *p; p++) {
		if (isalnum(*p) || strchr("!#$&'*+-.^_`|~", *p))
			buf_addch(&out, (char)tolower(*p));
		else
			buf_addf(&out, "%%%02X", *p);
	}
	return buf_detach(&out);
}

static int add_extra(const struct config_place *at, const struct json *user, struct header_list *l,
                     struct err *err)
{
	const struct json *key, *it;

	json_for_each (key, json_get(user, "as-user-extra")) {
		cleanup_free char *name = extra_name(str_or(json_key(key), ""));

		if (!json_is_array(key))
			return config_refuse(at, "as-user-extra", err,
			                     "must map each key to a list of strings");
		json_for_each (it, key) {
			const char *s = json_value_str(it);

			if (!s)
				return config_refuse(at, "as-user-extra", err,
				                     "must map each key to a list of strings");
			if (add_header(at, "as-user-extra", l, name, s, err) < 0)
				return -1;
		}
	}
	return 0;
}

int config_take_impersonation(const struct config_place *at, const struct json *user,
                              struct kube_config *c, struct err *err)
{
	cleanup_free char *uid = NULL;
	struct header_list l = {NULL, 0};
	int rc = -1;

	if (config_take_str(at, user, "as", &c->as_user, err) < 0 ||
	    config_take_str(at, user, "as-uid", &uid, err) < 0)
		return -1;
	if (!c->as_user) {
		if (uid || json_size(json_get(user, "as-groups")) ||
		    json_size(json_get(user, "as-user-extra")))
			return config_refuse(
				at, "as", err,
				"is missing, but as-uid, as-groups or as-user-extra is set");
		return 0;
	}
	if (add_header(at, "as", &l, "Impersonate-User", c->as_user, err) == 0 &&
	    (!uid || add_header(at, "as-uid", &l, "Impersonate-Uid", uid, err) == 0) &&
	    add_groups(at, user, &l, err) == 0)
		rc = add_extra(at, user, &l, err);
	c->as_headers = l.v;
	return rc;
}
