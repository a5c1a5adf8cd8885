/*
 * A child process in a session of its own, watched through a pidfd.
 *
 * It dies with the agent (PR_SET_PDEATHSIG); when the main process ends, what it left behind in
 * its group is killed, as a container's other processes are.
 * Ownership: the process object goes away after on_exit.
 */
#ifndef BED_NODELET_PROCESS_H
#define BED_NODELET_PROCESS_H

#include <sys/types.h>

#include "tidegate/base/err.h"
#include "tidegate/net/loop.h"

struct process;

struct process_spec {
	char *const *argv; /* argv[0] without a slash is looked up in our own PATH */
	char *const *env;
	const char *dir;
	const char *log; /* file that standard output and error are appended to */
	void (*on_exit)(void *arg, int wait_status);
	void *arg;
};

struct process *process_start(struct loop *l, const struct process_spec *s, struct err *err);
/* To the main process. */
void process_signal(struct process *p, int signo);
/* To the whole group. */
void process_signal_all(struct process *p, int signo);
/* Kills it; on_exit will not be called. */
void process_abandon(struct process *p);
/* Children that have not been waited for. */
unsigned process_count(void);

#endif
