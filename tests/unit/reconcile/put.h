/* Objects from text, put into an operator's caches. */
#ifndef TESTS_UNIT_RECONCILE_PUT_H
#define TESTS_UNIT_RECONCILE_PUT_H

#include "../../../controller/reconcile/internal.h"
#include "../api/fixture.h"

static inline void put(struct mdep_operator *op, enum cache cache, const struct object_kind *kind,
                       const char *text)
{
	struct err err = ERR_INIT;
	struct object *o = decode_text(kind, text, &err);

	if (!o)
		fail_msg("%s", err.msg);
	store_put(&op->stores[cache], o);
}

#endif
