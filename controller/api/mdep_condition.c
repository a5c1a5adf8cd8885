#include "tidegate/api/mdep.h"

#include <assert.h>
#include <stddef.h>

#include "tidegate/base/str.h"

static struct mdep_condition *find(const struct mdep_status *s, const char *type)
{
	for (unsigned i = 0; i < s->nconditions; i++)
		if (str_eq(s->conditions[i].type, type))
			return (struct mdep_condition *)&s->conditions[i];
	return NULL;
}

const struct mdep_condition *mdep_condition_get(const struct mdep_status *s, const char *type)
{
	return find(s, type);
}

static void remove_at(struct mdep_status *s, const struct mdep_condition *c)
{
	unsigned i = (unsigned)(c - s->conditions);

	for (s->nconditions--; i < s->nconditions; i++)
		s->conditions[i] = s->conditions[i + 1];
}

/* kstatus: these two mean something only while they are True. */
static bool abnormal_true(const char *type)
{
	return str_eq(type, "Reconciling") || str_eq(type, "Stalled") || str_eq(type, "Waiting");
}

void mdep_condition_set(struct mdep_status *s, const char *type, const char *status,
                        const char *reason, const char *message, int64_t generation, int64_t now_ms)
{
	struct mdep_condition *c = find(s, type);

	if (abnormal_true(type) && !str_eq(status, "True")) {
		if (c)
			remove_at(s, c);
		return;
	}
	if (!c) {
		assert(s->nconditions < MDEP_CONDITIONS_MAX); /* our own types are fewer */
		c = &s->conditions[s->nconditions++];
		*c = (struct mdep_condition){.type = type};
	}
	if (!str_eq(c->status, status))
		c->transition_ms = now_ms;
	c->status = status;
	c->reason = reason;
	c->message = message;
	c->observed_generation = generation;
}
