/* Human orders: annotations and what is on record of them (rollout/plan.h has the rules). */
#include <string.h>

#include "tidegate/api/mdep.h"
#include "tidegate/base/str.h"

struct mdep_order_status *mdep_order_find(const struct mdep_status *s, enum mdep_verb v)
{
	for (unsigned i = 0; i < s->norders; i++)
		if (s->orders[i].verb == v)
			return &s->orders[i];
	return NULL;
}

bool mdep_order_is_due(const struct mdep *m, const struct mdep_status *s, enum mdep_verb v)
{
	const struct mdep_order_status *r = mdep_order_find(s, v);

	if (str_empty(mdep_order_value(m, v)))
		return false;
	return !r || !str_eq(r->value, mdep_order_value(m, v)) || str_eq(r->outcome, "Pending");
}

void mdep_order_word(const char *value, char *word, size_t size)
{
	str_copy(word, size, value);
	word[strcspn(word, "#")] = '\0';
}
