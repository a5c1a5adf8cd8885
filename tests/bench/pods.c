#include "pods.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define CONNS_MAX 8192

/* Never returns; its port is written to the pipe first. */
static void serve(int out, pods_answer answer)
{
	struct server_options o = {.address = "0.0.0.0:0",
	                           .handler = answer,
	                           .max_connections = CONNS_MAX,
	                           .idle_ms = 3600000};
	struct loop *l;
	struct server *s;
	struct err err = ERR_INIT;
	char port[16];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	l = loop_new();
	s = server_new(l, &o, &err);
	if (!s) {
		fprintf(stderr, "pods: %s\n", err.msg);
		_exit(1);
	}
	snprintf(port, sizeof(port), "%s\n", strrchr(server_address(s), ':') + 1);
	if (write(out, port, strlen(port)) < 0)
		_exit(1);
	loop_run(l);
	_exit(0);
}

int pods_start(pods_answer answer, int *port)
{
	char text[16] = "";
	int fds[2], pid;
	int64_t v = 0;

	if (pipe(fds) || (pid = fork()) < 0)
		return -1;
	if (!pid)
		serve(fds[1], answer);
	close(fds[1]);
	if (read(fds[0], text, sizeof(text) - 1) > 0)
		text[strcspn(text, "\n")] = '\0';
	close(fds[0]);
	if (!str_to_i64(text, &v))
		return -1;
	*port = (int)v;
	return pid;
}

void pods_end(int pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

char *pods_ip(unsigned i)
{
	return xasprintf("127.%u.%u.%u", 1 + i / 62500, i / 250 % 250, 1 + i % 250);
}

/* --- what it costs ----------------------------------------------------------------------- */

static void on_end(void *arg)
{
	loop_stop(arg);
}

void pods_run_for(struct loop *l, int64_t ms)
{
	struct timer end;

	timer_init(&end, l, on_end, l);
	timer_start(&end, ms);
	loop_run(l);
	timer_release(&end);
}

double pods_cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

long pods_memory_kb(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

unsigned pods_argument(int argc, char **argv, int i, unsigned fallback)
{
	int64_t v;

	return argc > i && str_to_i64(argv[i], &v) && v > 0 && v <= 100000000 ? (unsigned)v
	                                                                      : fallback;
}
