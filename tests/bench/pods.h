/*
 * Many pods for a benchmark: addresses of their own (127.x.y.z), all answered by one server in
 * another process, and what the process that asks them takes. That one pays for the kernel's part
 * of its own sockets, not for the server.
 */
#ifndef BENCH_PODS_H
#define BENCH_PODS_H

#include <stdint.h>

#include "tidegate/net/loop.h"
#include "tidegate/net/server.h"

typedef void (*pods_answer)(void *arg, struct server_request *r);

/* Returns the server's process, -1 when there is none; it listens on `port` of every address. */
int pods_start(pods_answer answer, int *port);
void pods_end(int pid);
/* Of the i-th pod; the caller frees it. */
char *pods_ip(unsigned i);

void pods_run_for(struct loop *l, int64_t ms);
double pods_cpu_s(void);
/* The most that it has been. */
long pods_memory_kb(void);
/* A number from 1 on that the command line has at i, else the fallback. */
unsigned pods_argument(int argc, char **argv, int i, unsigned fallback);

#endif
