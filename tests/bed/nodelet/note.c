#include "note.h"

#include "pod.h"

void note_pod(struct pod *p, bool warning, const char *reason, const char *message)
{
	const struct event_ref ref = {.api_version = "v1",
	                              .kind = "Pod",
	                              .namespace = p->namespace,
	                              .name = p->name,
	                              .uid = p->uid};

	if (!p->gone)
		event_emit(p->agent->events, warning, &ref, reason, reason, message);
}
