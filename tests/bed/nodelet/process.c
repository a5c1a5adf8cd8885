#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tidegate/base/alloc.h"

struct process {
	struct loop *loop;
	struct io io;
	pid_t pid;
	int pidfd;
	void (*on_exit)(void *arg, int wait_status);
	void *arg;
};

static unsigned count;

static void release(void *arg)
{
	struct process *p = arg;

	io_release(&p->io);
	free(p);
}

static void on_pidfd(void *arg, int events)
{
	struct process *p = arg;
	int status = 0;

	(void)events;
	if (waitpid(p->pid, &status, WNOHANG) != p->pid)
		return;
	count--;
	kill(-p->pid, SIGKILL);
	io_set(&p->io, p->pidfd, 0);
	close(p->pidfd);
	loop_defer(p->loop, release, p);
	if (p->on_exit)
		p->on_exit(p->arg, status);
}

static void reset_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child: nothing but async-signal-safe calls, errno to the parent on failure. */
_Noreturn static void run_child(const struct process_spec *s, int log, int report)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid();
	reset_signals();
	if (chdir(s->dir) == 0) {
		int null = open("/dev/null", O_RDONLY);

		dup2(null, 0);
		dup2(log, 1);
		dup2(log, 2);
		dup2(report, 3);
		fcntl(3, F_SETFD, FD_CLOEXEC);
		close_range(4, ~0U, 0);
		execvpe(s->argv[0], s->argv, s->env);
		report = 3;
	}
	if (write(report, &errno, sizeof(errno)) < 0)
		_exit(126);
	_exit(127);
}

/* Waits for the exec: 0, or the errno it failed with. */
static int exec_result(int fd)
{
	int failure = 0;
	ssize_t n;

	do {
		n = read(fd, &failure, sizeof(failure));
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(failure) ? failure : 0;
}

static struct process *watch(struct loop *l, const struct process_spec *s, pid_t pid)
{
	struct process *p = xcalloc(1, sizeof(*p));

	*p = (struct process){.loop = l, .pid = pid, .on_exit = s->on_exit, .arg = s->arg};
	count++;
	p->pidfd = pidfd_open(pid, 0);
	io_init(&p->io, l, on_pidfd, p);
	io_set(&p->io, p->pidfd, LOOP_READ);
	return p;
}

struct process *process_start(struct loop *l, const struct process_spec *s, struct err *err)
{
	cleanup_close int log = open(s->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	cleanup_close int in = -1, out = -1;
	int fds[2], failure;
	pid_t pid;

	if (log < 0 || pipe2(fds, O_CLOEXEC)) {
		err_set_errno(err, ERR_IO, errno, "%s", s->log);
		return NULL;
	}
	in = fds[0];
	out = fds[1];
	pid = fork();
	if (pid == 0)
		run_child(s, log, out);
	if (pid < 0) {
		err_set_errno(err, ERR_IO, errno, "fork");
		return NULL;
	}
	close(out);
	out = -1;
	failure = exec_result(in);
	if (failure) {
		waitpid(pid, NULL, 0);
		err_set_errno(err, ERR_IO, failure, "exec: \"%s\"", s->argv[0]);
		return NULL;
	}
	return watch(l, s, pid);
}

void process_signal(struct process *p, int signo)
{
	kill(p->pid, signo);
}

void process_signal_all(struct process *p, int signo)
{
	kill(-p->pid, signo);
}

void process_abandon(struct process *p)
{
	p->on_exit = NULL;
	process_signal_all(p, SIGKILL);
}

unsigned process_count(void)
{
	return count;
}
