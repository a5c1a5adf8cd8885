/*
 * change-one: one ModelDeployment after the other gets another model version; measured is how
 * long it takes until a watch shows its new ReplicaSet. The next round begins when the last one
 * has come to rest at its first step. At the end all of them are taken back to the version that
 * they had.
 */
#ifndef BED_SCALE_ROUNDS_H
#define BED_SCALE_ROUNDS_H

#include "session.h"

/* Prints its summary; -1 when a write failed or the time was over. */
int rounds_run(struct session *s, struct err *err);

#endif
