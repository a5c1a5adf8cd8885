/* Kubeconfig files and the in-cluster configuration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../../../controller/kube/config_priv.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/file.h"
#include "tidegate/base/str.h"

/* base64 of "-----BEGIN X-----\n" */
#define PEM_B64 "LS0tLS1CRUdJTiBYLS0tLS0K"
#define PEM     "-----BEGIN X-----\n"

static char dir[] = "/tmp/tidegate-config-XXXXXX";
static char path_a[64], path_b[64];

static void put(const char *path, const char *text)
{
	assert_int_equal(file_write(path, text, strlen(text), 0600, NULL), 0);
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path_a, sizeof(path_a), "%s/a", dir);
	snprintf(path_b, sizeof(path_b), "%s/b", dir);
	unsetenv("KUBECONFIG");
	unsetenv("KUBERNETES_SERVICE_HOST");
	unsetenv("KUBERNETES_SERVICE_PORT");
	return setenv("HOME", dir, 1);
}

static int teardown(void **state)
{
	static const char *const names[] = {"a",       "b",     "ca.pem",    "tls.crt",
	                                    "tls.key", "token", "namespace", "ca.crt"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *p = xasprintf("%s/%s", dir, names[i]);

		unlink(p);
	}
	return rmdir(dir);
}

/* A kubeconfig with one context whose cluster and user have these fields. */
static char *one(const char *cluster, const char *user)
{
	return xasprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\n"
	                 "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
	                 "clusters: [{name: k, cluster: {%s}}]\n"
	                 "users: [{name: u, user: {%s}}]\n",
	                 cluster, user);
}

#define SERVER "server: 'https://h:6443'"

struct bad {
	const char *cluster, *user;
	const char *says; /* part of the message */
};

static const struct bad bads[] = {
	{"", "", "clusters[k].cluster.server: is missing"},
	{"server: 5", "", "clusters[k].cluster.server: must be a string"},
	{"server: 'h:6443'", "", "clusters[k].cluster.server: must start with https:// or http://"},
	{"server: 'https://'", "", "must start with https:// or http:// and name a host"},
	{"server: 'https://h h'", "", "is not a URL"},
	{"server: \"https://h\\nx\"", "", "is not a URL"},
	{SERVER ", insecure-skip-tls-verify: true, certificate-authority-data: " PEM_B64, "",
         "clusters[k].cluster.insecure-skip-tls-verify: contradicts certificate-authority"},
	{SERVER ", insecure-skip-tls-verify: yes-please", "", "must be true or false"},
	{SERVER ", certificate-authority-data: '***'", "",
         "clusters[k].cluster.certificate-authority-data: is not valid base64"},
	{SERVER ", certificate-authority-data: aGFsbG8=", "", "is not base64 of a PEM text"},
	{SERVER ", certificate-authority: nowhere.pem", "",
         "clusters[k].cluster.certificate-authority: cannot read"},
	{SERVER ", proxy-url: 'ftp://p'", "", "clusters[k].cluster.proxy-url: must start with"},
	{SERVER, "auth-provider: {name: gcp}", "users[u].user.auth-provider: is not supported"},
	{SERVER, "client-certificate-data: " PEM_B64,
         "users[u].user.client-key: is missing, and client-certificate is useless"},
	{SERVER, "client-key-data: " PEM_B64, "users[u].user.client-certificate: is missing"},
	{SERVER, "token: s3cret, username: me", "users[u].user: has both a token and a username"},
	{SERVER, "token: 's3cret\ts3cret'", "users[u].user.token: contains a blank or control"},
	{SERVER, "password: s3cret", "users[u].user.username: is missing"},
	{SERVER, "username: 'a:b', password: s3cret", "must not contain ':'"},
	{SERVER, "tokenFile: nowhere", "users[u].user.tokenFile: cannot read"},
	{SERVER, "as-groups: [g]", "users[u].user.as: is missing"},
	{SERVER, "as: a, as-groups: g", "users[u].user.as-groups: must be a list"},
	{SERVER, "as: \"a\\nb\"", "users[u].user.as: contains a control character"},
	{SERVER, "as: a, as-user-extra: {k: v}", "must map each key to a list"},
	{SERVER, "exec: 1", "users[u].user.exec: must be a map"},
	{SERVER, "exec: {apiVersion: client.authentication.k8s.io/v1}",
         "users[u].user.exec.command: is missing"},
	{SERVER, "exec: {command: p}", "users[u].user.exec.apiVersion: is missing"},
	{SERVER, "exec: {command: p, apiVersion: client.authentication.k8s.io/v1alpha1}",
         "must be client.authentication.k8s.io/v1 or /v1beta1: update the plugin"},
	{SERVER, "exec: {command: p, apiVersion: client.authentication.k8s.io/v1}",
         "users[u].user.exec.interactiveMode: is missing"},
	{SERVER,
         "exec: {command: p, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Often}",
         "is Often, must be Never, IfAvailable or Always"},
	{SERVER, "exec: {command: p, apiVersion: client.authentication.k8s.io/v1beta1, args: [1]}",
         "users[u].user.exec.args: element 0 must be a string"},
	{SERVER,
         "exec: {command: p, apiVersion: client.authentication.k8s.io/v1beta1, env: [{name: A}]}",
         "users[u].user.exec.env: element 0 needs"},
};

static void test_bad_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bads); i++) {
		cleanup_free char *text = one(bads[i].cluster, bads[i].user);
		struct err err = ERR_INIT;
		struct kube_config *c;

		put(path_a, text);
		c = kube_config_load(path_a, NULL, &err);
		if (c || !strstr(err.msg, bads[i].says) || !str_starts(err.msg, path_a))
			fail_msg("row %zu: %s", i, err.msg);
		if (strstr(err.msg, "s3cret"))
			fail_msg("row %zu tells a secret: %s", i, err.msg);
	}
}

struct bad_file {
	const char *text, *says;
};

static const struct bad_file bad_files[] = {
	{"", "is empty"},
	{"- 1\n", "is not a kubeconfig"},
	{"a: [", ""},
	{"kind: Pod\n", "kind is Pod, must be Config"},
	{"kind: Config\n", "current-context is not set; name one of the contexts: none"},
	{"contexts: [{name: x}, {name: w}]\n", "name one of the contexts: x, w"},
	{"current-context: z\ncontexts: [{name: x, context: {}}, {name: w}]\n",
         "there is no context named \"z\"; there are: x, w"},
	{"current-context: x\ncontexts: [{name: x, context: {}}]\n",
         "contexts[x].context.cluster: is missing"},
	{"current-context: x\ncontexts: [{name: x, context: {cluster: k}}]\n",
         "there is no cluster named \"k\"; there are: none"},
	{"current-context: x\ncontexts: [{name: x, context: {cluster: k, user: u}}]\n"
         "clusters: [{name: k, cluster: {server: 'https://h'}}]\nusers: [{name: v}]\n",
         "there is no user named \"u\"; there are: v"},
	{"current-context: x\ncontexts: [{name: x}]\n", "contexts[x].context: is missing"},
};

static void test_bad_files(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_files); i++) {
		put(path_a, bad_files[i].text);
		if (kube_config_load(path_a, NULL, &err) || !strstr(err.msg, bad_files[i].says) ||
		    !strstr(err.msg, path_a))
			fail_msg("row %zu: %s", i, err.msg);
	}
	assert_null(kube_config_load("/nowhere/config", NULL, &err));
	assert_non_null(strstr(err.msg, "/nowhere/config"));
}

static void test_all_fields(void **state)
{
	cleanup_free char *text = NULL;
	cleanup_free char *command = xasprintf("%s/bin/plugin", dir);
	struct err err = ERR_INIT;
	struct kube_config *c;

	(void)state;
	text = one("server: 'https://h:6443/base//', tls-server-name: api, proxy-url: "
	           "'socks5://p:1', disable-compression: true, certificate-authority: gone.pem, "
	           "certificate-authority-data: " PEM_B64 ", extensions: [{name: "
	           "client.authentication.k8s.io/exec, extension: {audience: x}}]",
	           "client-certificate-data: " PEM_B64 ", client-key-data: " PEM_B64
	           ", as: jane, as-uid: '7', as-groups: [g1, g2], as-user-extra: {'Scope/x': [v]}, "
	           "exec: {command: bin/plugin, args: [-a, b], env: [{name: NN, value: v}], "
	           "apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, "
	           "provideClusterInfo: true, installHint: get it}");
	put(path_a, text);
	c = kube_config_load(path_a, NULL, &err);
	if (!c)
		fail_msg("%s", err.msg);
	assert_string_equal(c->source, path_a);
	assert_string_equal(c->context, "c");
	assert_string_equal(c->namespace, "default");
	assert_string_equal(c->server, "https://h:6443/base");
	assert_string_equal(c->tls_server_name, "api");
	assert_string_equal(c->proxy_url, "socks5://p:1");
	assert_true(c->no_compression);
	assert_string_equal(c->ca_pem, PEM);
	assert_null(c->ca_file);
	assert_string_equal(c->cert_pem, PEM);
	assert_string_equal(c->key_pem, PEM);
	assert_string_equal(c->as_headers[0], "Impersonate-User: jane");
	assert_string_equal(c->as_headers[1], "Impersonate-Uid: 7");
	assert_string_equal(c->as_headers[2], "Impersonate-Group: g1");
	assert_string_equal(c->as_headers[3], "Impersonate-Group: g2");
	assert_string_equal(c->as_headers[4], "Impersonate-Extra-scope%2Fx: v");
	assert_null(c->as_headers[5]);
	assert_string_equal(c->exec->command, command);
	assert_string_equal(c->exec->args[0], "-a");
	assert_string_equal(c->exec->args[1], "b");
	assert_null(c->exec->args[2]);
	assert_int_equal(c->exec->nenv, 1);
	assert_string_equal(c->exec->env[0].name, "NN");
	assert_string_equal(c->exec->install_hint, "get it");
	assert_string_equal(c->exec->interactive_mode, "Never");
	assert_string_equal(c->exec->cluster_config, "{\"audience\":\"x\"}");
	kube_config_free(c);
}

static void test_files_beside(void **state)
{
	cleanup_free char *ca = xasprintf("%s/ca.pem", dir);
	cleanup_free char *token = xasprintf("%s/token", dir);
	cleanup_free char *text =
		one(SERVER ", certificate-authority: ca.pem", "tokenFile: ./token, token: old");
	struct err err = ERR_INIT;
	struct kube_config *c;

	(void)state;
	put(ca, PEM);
	put(token, "t");
	put(path_a, text);
	c = kube_config_load(path_a, "c", &err);
	if (!c)
		fail_msg("%s", err.msg);
	assert_string_equal(c->ca_file, ca);
	assert_true(str_starts(c->token_file, dir));
	assert_int_equal(access(c->token_file, R_OK), 0);
	assert_string_equal(c->token, "old");
	kube_config_free(c);
}

/* The first file to have an entry wins with the whole of it. */
static void test_merge(void **state)
{
	cleanup_free char *list = xasprintf(":%s:%s/missing:%s:", path_a, dir, path_b);
	struct err err = ERR_INIT;
	struct kube_config *c;

	(void)state;
	put(path_a, "contexts: [{name: x, context: {cluster: k, namespace: ns}}]\n"
	            "clusters: [{name: k, cluster: {server: 'https://first'}}]\n");
	put(path_b,
	    "current-context: x\n"
	    "contexts: [{name: x, context: {cluster: z, user: u}}, {name: w, context: "
	    "{cluster: k, user: u}}]\n"
	    "clusters: [{name: k, cluster: {server: 'https://second', tls-server-name: s}}]\n"
	    "users: [{name: u, user: {token: t}}]\n");
	setenv("KUBECONFIG", list, 1);
	c = kube_config_load(NULL, NULL, &err);
	if (!c)
		fail_msg("%s", err.msg);
	assert_string_equal(c->server, "https://first");
	assert_string_equal(c->namespace, "ns");
	assert_null(c->tls_server_name);
	assert_null(c->token);
	kube_config_free(c);
	c = kube_config_load(NULL, "w", &err);
	assert_non_null(c);
	assert_string_equal(c->token, "t");
	assert_string_equal(c->source, path_b);
	kube_config_free(c);
	assert_null(kube_config_load(NULL, "q", &err));
	assert_non_null(strstr(err.msg, "there are: x, x, w"));
	setenv("KUBECONFIG", "/nowhere/1:/nowhere/2", 1);
	assert_null(kube_config_load(NULL, NULL, &err));
	assert_non_null(strstr(err.msg, "KUBECONFIG=/nowhere/1:/nowhere/2: none of these files"));
	unsetenv("KUBECONFIG");
}

static void test_nothing_configured(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_null(kube_config_load(NULL, NULL, &err));
	assert_non_null(strstr(err.msg, "no cluster configured"));
}

static void test_in_cluster(void **state)
{
	cleanup_free char *token = xasprintf("%s/token", dir), *ca = xasprintf("%s/ca.crt", dir);
	cleanup_free char *ns = xasprintf("%s/namespace", dir);
	struct err err = ERR_INIT;
	struct kube_config *c;

	(void)state;
	unlink(token);
	setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	assert_null(kube_config_in_cluster_at(dir, &err));
	assert_non_null(strstr(err.msg, "/token"));
	put(token, "t");
	assert_null(kube_config_in_cluster_at(dir, &err));
	assert_non_null(strstr(err.msg, "/ca.crt"));
	put(ca, PEM);
	c = kube_config_in_cluster_at(dir, &err);
	assert_non_null(c);
	assert_string_equal(c->server, "https://[fd00::1]:443");
	assert_string_equal(c->namespace, "default");
	assert_string_equal(c->token_file, token);
	assert_string_equal(c->ca_file, ca);
	kube_config_free(c);
	put(ns, "shop\n");
	setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
	c = kube_config_in_cluster_at(dir, &err);
	assert_non_null(c);
	assert_string_equal(c->server, "https://10.0.0.1:443");
	assert_string_equal(c->namespace, "shop");
	kube_config_free(c);
	unsetenv("KUBERNETES_SERVICE_HOST");
	unsetenv("KUBERNETES_SERVICE_PORT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_fields), cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_all_fields), cmocka_unit_test(test_files_beside),
		cmocka_unit_test(test_merge),      cmocka_unit_test(test_nothing_configured),
		cmocka_unit_test(test_in_cluster),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
