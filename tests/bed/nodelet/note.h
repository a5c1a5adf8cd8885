/* Events of pods, as the kubelet tells them. */
#ifndef BED_NODELET_NOTE_H
#define BED_NODELET_NOTE_H

#include <stdbool.h>

struct pod;

void note_pod(struct pod *p, bool warning, const char *reason, const char *message);

#endif
