/*
 * Control: faults on demand, by a socket "control" in the state folder.
 * One line a connection in, one line out: "ok" or "error: ...".
 */
#ifndef BED_NODELET_CONTROL_H
#define BED_NODELET_CONTROL_H

#include "agent.h"

struct control;

struct control *control_new(struct agent *a, struct err *err);
void control_free(struct control *c);
/* `nodelet ctl`: the other side; returns the exit code. */
int control_client(int argc, char **argv);

#endif
