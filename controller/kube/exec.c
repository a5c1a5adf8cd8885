/* Running a credential plugin: process, pipes and deadline on the loop. */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plain_text.h"
#include "tidegate/base/alloc.h"
#include "tidegate/base/buf.h"
#include "tidegate/base/file.h"
#include "tidegate/base/json.h"
#include "tidegate/base/str.h"

#define EXEC_OUTPUT_MAX  (1u << 20)
#define EXEC_STDERR_MAX  4096
#define EXEC_INFO_MAX    (1u << 20)
#define EXEC_WORDS_MAX   300
#define EXEC_HINT_MAX    200
#define EXEC_POLL_MAX_MS 50

extern char **environ;

struct exec_pipe {
	struct exec_run *run;
	struct io io;
	struct buf data;
	int fd;
};

struct exec_run {
	struct loop *loop;
	const struct kube_config *cfg;
	pid_t pid;
	bool own_group; /* killed with everything it started */
	bool reaped;
	int wait_status;
	struct exec_pipe out, errs;
	struct timer deadline, poll;
	int poll_ms, timeout_ms;
	void (*done)(void *arg, struct exec_credential *cred, const struct err *err);
	void *arg;
};

/* --- what the plugin is told -------------------------------------------------------------- */

static void write_base64(struct json_writer *w, const char *key, const char *text)
{
	size_t n = strlen(text);
	cleanup_free char *b64 = xmalloc(4 * ((n + 2) / 3) + 1);

	base64_encode(text, n, b64);
	jw_str(w, key, b64);
}

static int write_cluster(struct json_writer *w, const struct kube_config *cfg, struct err *err)
{
	cleanup_buf struct buf ca;

	buf_init(&ca, EXEC_INFO_MAX / 2);
	if (cfg->ca_file && file_read(cfg->ca_file, &ca, err) < 0)
		return -1;
	jw_object(w, "cluster");
	jw_str(w, "server", cfg->server);
	jw_str(w, "tls-server-name", cfg->tls_server_name);
	if (cfg->insecure)
		jw_bool(w, "insecure-skip-tls-verify", true);
	if (cfg->ca_pem || ca.len)
		write_base64(w, "certificate-authority-data", cfg->ca_pem ? cfg->ca_pem : ca.data);
	jw_str(w, "proxy-url", cfg->proxy_url);
	if (cfg->no_compression)
		jw_bool(w, "disable-compression", true);
	if (cfg->exec->cluster_config)
		jw_raw(w, "config", cfg->exec->cluster_config);
	jw_end_object(w);
	return 0;
}

/* The ExecCredential that goes in by KUBERNETES_EXEC_INFO. */
static int write_info(struct buf *out, const struct kube_config *cfg, bool interactive,
                      struct err *err)
{
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w, NULL);
	jw_str(&w, "kind", "ExecCredential");
	jw_str(&w, "apiVersion", cfg->exec->api_version);
	jw_object(&w, "spec");
	if (cfg->exec->provide_cluster_info && write_cluster(&w, cfg, err) < 0)
		return -1;
	jw_bool(&w, "interactive", interactive);
	jw_end_object(&w);
	jw_end_object(&w);
	if (jw_end(&w) < 0)
		return err_set(err, ERR_TOO_BIG, "cluster info is too long for an environment");
	return 0;
}

static bool env_overridden(const struct kube_exec *e, const char *entry)
{
	size_t n = strcspn(entry, "=");

	if (str_starts(entry, "KUBERNETES_EXEC_INFO="))
		return true;
	for (unsigned i = 0; i < e->nenv; i++) {
		if (strlen(e->env[i].name) == n && strncmp(e->env[i].name, entry, n) == 0)
			return true;
	}
	return false;
}

/* Our environment, then the kubeconfig's additions, then the info. The strings that are ours
 * start at index *own. */
static char **make_env(const struct kube_exec *e, const char *info, size_t *own)
{
	size_t n = 0, count = 0;
	char **env;

	while (environ[count])
		count++;
	env = xcalloc(count + e->nenv + 2, sizeof(*env));
	for (size_t i = 0; i < count; i++) {
		if (!env_overridden(e, environ[i]))
			env[n++] = environ[i];
	}
	*own = n;
	for (unsigned i = 0; i < e->nenv; i++)
		env[n++] = xasprintf("%s=%s", e->env[i].name, e->env[i].value);
	env[n] = xasprintf("KUBERNETES_EXEC_INFO=%s", info);
	return env;
}

static void free_env(char **env, size_t own)
{
	for (char **p = env + own; *p; p++) {
		explicit_bzero(*p, strlen(*p));
		free(*p);
	}
	free(env);
}

static char **make_argv(const struct kube_exec *e)
{
	size_t n = 0;
	char **argv;

	while (e->args && e->args[n])
		n++;
	argv = xcalloc(n + 2, sizeof(*argv));
	argv[0] = e->command;
	for (size_t i = 0; i < n; i++)
		argv[i + 1] = e->args[i];
	return argv;
}

/* --- process ------------------------------------------------------------------------------ */

static void pipe_close(struct exec_pipe *p)
{
	if (p->fd < 0)
		return;
	io_set(&p->io, p->fd, 0);
	close(p->fd);
	p->fd = -1;
}

static void run_kill(struct exec_run *r)
{
	if (r->reaped)
		return;
	kill(r->own_group ? -r->pid : r->pid, SIGKILL);
	while (waitpid(r->pid, &r->wait_status, 0) < 0 && errno == EINTR)
		;
	r->reaped = true;
}

static void run_free(struct exec_run *r)
{
	run_kill(r);
	pipe_close(&r->out);
	pipe_close(&r->errs);
	io_release(&r->out.io);
	io_release(&r->errs.io);
	timer_release(&r->deadline);
	timer_release(&r->poll);
	explicit_bzero(r->out.data.data, r->out.data.len);
	buf_release(&r->out.data);
	buf_release(&r->errs.data);
	free(r);
}

void exec_run_cancel(struct exec_run *r)
{
	if (r)
		run_free(r);
}

static void run_finish(struct exec_run *r, struct exec_credential *cred, struct err *err)
{
	if (err->class != ERR_NONE)
		err_wrap(err, "credential plugin %s", r->cfg->exec->command);
	r->done(r->arg, cred, err);
	exec_credential_release(cred);
	run_free(r);
}

static void run_fail(struct exec_run *r, struct err *err)
{
	struct exec_credential none = {0};

	run_kill(r);
	run_finish(r, &none, err);
}

static void run_exited(struct exec_run *r)
{
	struct exec_credential cred = {0};
	struct err err = ERR_INIT;
	char words[EXEC_WORDS_MAX];
	int st = r->wait_status;

	plain_text(r->errs.data.data, r->errs.data.len, words, sizeof(words));
	if (WIFSIGNALED(st))
		err_set(&err, ERR_IO, "was ended by signal %d", WTERMSIG(st));
	else if (WEXITSTATUS(st) != 0)
		err_set(&err, ERR_IO, "failed with exit code %d%s%s", WEXITSTATUS(st),
		        *words ? ": " : "", words);
	else
		exec_credential_parse(&cred, r->cfg->exec->api_version, r->out.data.data,
		                      r->out.data.len, &err);
	run_finish(r, &cred, &err);
}

/* Reads what is there. -1 and *err when there is too much of it. */
static int pipe_read(struct exec_pipe *p, bool keep_tail, struct err *err)
{
	char block[4096];

	while (p->fd >= 0) {
		ssize_t n = read(p->fd, block, sizeof(block));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0) {
			pipe_close(p);
			return 0;
		}
		if (keep_tail && p->data.len + (size_t)n > p->data.max)
			buf_reset(&p->data);
		if (buf_add(&p->data, block, (size_t)n) < 0)
			return err_set(err, ERR_TOO_BIG, "printed more than %u bytes",
			               EXEC_OUTPUT_MAX);
	}
	return 0;
}

/*
 * Its exit is polled for, a few times a run: SIGCHLD belongs to whoever has children as a
 * business, and waiting for the end of the pipes would wait for its background children too.
 */
static void run_poll(void *arg)
{
	struct exec_run *r = arg;
	struct err err = ERR_INIT;
	pid_t pid = waitpid(r->pid, &r->wait_status, WNOHANG);

	if (pid == 0 || (pid < 0 && errno == EINTR)) {
		timer_start(&r->poll, r->poll_ms);
		r->poll_ms = r->poll_ms * 2 > EXEC_POLL_MAX_MS ? EXEC_POLL_MAX_MS : r->poll_ms * 2;
		return;
	}
	r->reaped = true;
	if (pid < 0)
		r->wait_status = 0; /* somebody else reaped it: judge by what it printed */
	if (pipe_read(&r->out, false, &err) < 0 || pipe_read(&r->errs, true, &err) < 0)
		run_fail(r, &err);
	else
		run_exited(r);
}

static void pipe_event(void *arg, int events)
{
	struct exec_pipe *p = arg;
	struct exec_run *r = p->run;
	struct err err = ERR_INIT;

	(void)events;
	if (pipe_read(p, p == &r->errs, &err) < 0) {
		run_fail(r, &err);
		return;
	}
	if (p->fd < 0) {
		r->poll_ms = 1;
		timer_start(&r->poll, 0);
	}
}

static void run_late(void *arg)
{
	struct exec_run *r = arg;
	struct err err = ERR_INIT;

	err_set(&err, ERR_TIMEOUT, "did not end within %d s", r->timeout_ms / 1000);
	run_fail(r, &err);
}

/* --- start -------------------------------------------------------------------------------- */

static int not_started(const struct kube_exec *e, int errnum, struct err *err)
{
	const char *hint = str_or(e->install_hint, "");

	if (errnum == ENOENT)
		return err_set(err, ERR_IO, "credential plugin %s is not installed%s%.*s",
		               e->command, *hint ? ": " : "", EXEC_HINT_MAX, hint);
	return err_set_errno(err, ERR_IO, errnum, "credential plugin %s", e->command);
}

/* Descriptors of the child: 0 terminal or nothing, 1 pipe, 2 pipe or terminal, no other. */
static int spawn(struct exec_run *r, bool interactive, char **env, int out_fd, int err_fd)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	cleanup_free char **argv = make_argv(r->cfg->exec);
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigset_t none, usual;
	int rc;

	sigemptyset(&none);
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);
	posix_spawnattr_init(&attr);
	/* A terminal's background group may not read from it. */
	if (!interactive)
		flags |= POSIX_SPAWN_SETPGROUP;
	posix_spawnattr_setflags(&attr, flags);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &usual);
	posix_spawn_file_actions_init(&fa);
	if (!interactive) {
		posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
		posix_spawn_file_actions_adddup2(&fa, err_fd, 2);
	}
	posix_spawn_file_actions_adddup2(&fa, out_fd, 1);
	posix_spawn_file_actions_addclosefrom_np(&fa, 3);
	rc = posix_spawnp(&r->pid, argv[0], &fa, &attr, argv, env);
	posix_spawn_file_actions_destroy(&fa);
	posix_spawnattr_destroy(&attr);
	r->own_group = !interactive;
	return rc;
}

static void pipe_init(struct exec_pipe *p, struct exec_run *r, size_t max)
{
	p->run = r;
	p->fd = -1;
	buf_init(&p->data, max);
	io_init(&p->io, r->loop, pipe_event, p);
}

static void pipe_watch(struct exec_pipe *p, int fd)
{
	p->fd = fd;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	io_set(&p->io, fd, LOOP_READ);
}

static int run_launch(struct exec_run *r, struct err *err)
{
	const struct kube_exec *e = r->cfg->exec;
	bool tty = isatty(STDIN_FILENO);
	bool interactive = tty && !str_eq(e->interactive_mode, "Never");
	int out[2], errs[2], rc;
	cleanup_buf struct buf info;
	size_t own;
	char **env;

	buf_init(&info, EXEC_INFO_MAX);
	if (!tty && str_eq(e->interactive_mode, "Always"))
		return err_set(err, ERR_INVALID,
		               "credential plugin %s asks for a terminal (interactiveMode Always), "
		               "and there is none",
		               e->command);
	if (write_info(&info, r->cfg, interactive, err) < 0)
		return -1;
	if (pipe2(out, O_CLOEXEC) < 0)
		return err_set_errno(err, ERR_IO, errno, "pipe");
	if (pipe2(errs, O_CLOEXEC) < 0) {
		err_set_errno(err, ERR_IO, errno, "pipe");
		close(out[0]);
		close(out[1]);
		return -1;
	}
	env = make_env(e, info.data, &own);
	rc = spawn(r, interactive, env, out[1], errs[1]);
	free_env(env, own);
	close(out[1]);
	close(errs[1]);
	pipe_watch(&r->out, out[0]);
	pipe_watch(&r->errs, errs[0]);
	return rc ? not_started(e, rc, err) : 0;
}

struct exec_run *exec_run_start(struct loop *l, const struct kube_config *cfg, int timeout_ms,
                                void (*done)(void *arg, struct exec_credential *cred,
                                             const struct err *err),
                                void *arg, struct err *err)
{
	struct exec_run *r = xcalloc(1, sizeof(*r));

	r->loop = l;
	r->cfg = cfg;
	r->done = done;
	r->arg = arg;
	r->timeout_ms = timeout_ms;
	r->poll_ms = 1;
	pipe_init(&r->out, r, EXEC_OUTPUT_MAX);
	pipe_init(&r->errs, r, EXEC_STDERR_MAX);
	timer_init(&r->deadline, l, run_late, r);
	timer_init(&r->poll, l, run_poll, r);
	if (run_launch(r, err) < 0) {
		r->reaped = true;
		run_free(r);
		return NULL;
	}
	timer_start(&r->deadline, timeout_ms);
	timer_start(&r->poll, r->poll_ms);
	return r;
}
