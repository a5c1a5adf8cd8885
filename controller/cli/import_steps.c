#include <string.h>

#include "import.h"
#include "tidegate/base/str.h"

struct import_step *import_step_add(struct import_model *m)
{
	/* One beyond what the schema allows is refused by it; more would say no more. */
	struct import_step *s =
		&m->steps[m->nsteps < IMPORT_STEPS_MAX ? m->nsteps++ : IMPORT_STEPS_MAX - 1];

	*s = (struct import_step){.weight = -1};
	return s;
}

static const char *quote_regex(struct import *im, const char *text, const char *end)
{
	struct buf out;
	const char *kept;

	buf_init(&out, 4 * strlen(text) + strlen(end) + 1);
	for (; *text; text++) {
		if (strchr("\\^$.|?*+()[]{}", *text))
			buf_addch(&out, '\\');
		buf_addch(&out, *text);
	}
	buf_addstr(&out, end);
	kept = arena_strdup(&im->a, out.data);
	buf_release(&out);
	return kept;
}

/* "^(.*?;)?(canary=always)(;.*)?$" and the like are left to the one who reads it. */
const struct import_audience *import_audience(struct import *im, const char *header,
                                              const struct json *match)
{
	struct import_audience *a = arena_alloc(&im->a, sizeof(*a));
	const char *prefix = json_str(match, "prefix");

	a->header = header;
	a->exact = json_str(match, "exact");
	a->regex = a->exact ? NULL : json_str(match, "regex");
	if (!a->exact && !a->regex && prefix)
		a->regex = quote_regex(im, prefix, ".*");
	return header && (a->exact || a->regex) ? a : NULL;
}

bool import_is_measured(const struct import_model *m)
{
	return m->policy.nmetrics || (!str_eq(m->preset, "custom") && !str_eq(m->preset, "v2"));
}

static bool is_bare(const struct import_step *s)
{
	return !s->hold_ms && !s->analysis_ms && !s->approval && !s->capacity && !s->audience &&
	       !s->mirror;
}

static void drop_step(struct import_model *m, unsigned i)
{
	memmove(&m->steps[i], &m->steps[i + 1], (--m->nsteps - i) * sizeof(*m->steps));
}

static unsigned driver_can(const struct import_model *m)
{
	const struct mdep as = {.traffic = m->traffic, .ingress = INGRESS_NGINX};

	return mdep_traffic_can(&as);
}

static void fit_step(struct import *im, const struct import_model *m, struct import_step *s,
                     const char *path)
{
	if (s->analysis_ms && !import_is_measured(m)) {
		import_note(
			im, m->source, path,
			"nothing measures these pods, so its analysis became approval: Required "
			"(the annotation serving.tidegate.io/promote)");
		s->analysis_ms = 0;
		s->approval = true;
	}
	if (s->capacity && m->traffic == TRAFFIC_NONE) {
		import_note(
			im, m->source, path,
			"without a traffic driver shares follow the pods, so the number of pods "
			"was left out: give spec.traffic");
		s->capacity = 0;
	}
	if (s->audience && !(driver_can(m) & TRAFFIC_CAN_HEADER)) {
		import_note(im, m->source, path,
		            "needs a driver that tells requests apart: give spec.traffic, then "
		            "steps[].audience");
		s->audience = NULL;
		s->naudience = 0;
	}
	if (s->mirror && !(driver_can(m) & TRAFFIC_CAN_MIRROR)) {
		import_note(
			im, m->source, path,
			"needs a driver that mirrors (httpRoute, grpcRoute, istio, traefik), then "
			"steps[].mirror");
		s->mirror = 0;
	}
}

/* A step that only says where the one before was, and the last 100 %, say nothing. */
void import_steps_fit(struct import *im, struct import_model *m, const char *path)
{
	for (unsigned i = 0; i < m->nsteps;) {
		fit_step(im, m, &m->steps[i], path);
		if (m->steps[i].weight < 0 && is_bare(&m->steps[i]))
			drop_step(m, i);
		else
			i++;
	}
	if (m->nsteps && m->steps[m->nsteps - 1].weight == 100 && is_bare(&m->steps[m->nsteps - 1]))
		m->nsteps--;
}
