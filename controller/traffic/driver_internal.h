/* What the drivers share. */
#ifndef TIDEGATE_TRAFFIC_DRIVER_INTERNAL_H
#define TIDEGATE_TRAFFIC_DRIVER_INTERNAL_H

#include "tidegate/base/json.h"
#include "tidegate/traffic/driver.h"

#define ROUTE_BODY_MAX ((size_t)2 << 20)

extern const struct traffic_driver httproute_driver, grpcroute_driver, istio_driver, ingress_driver,
	traefik_driver;

/* --- wishes (wish.c) --------------------------------------------------------------------- */
const char *wish_service(const struct traffic_wish *w, struct arena *a,
                         const struct mdep_weight *x);
/* The step names an audience, and there are cells of the target to send it to. */
bool wish_has_audience(const struct traffic_wish *w);
/* Percent to mirror, 0 = none; *service is the target's cell that gets it. */
int wish_mirror(const struct traffic_wish *w, struct arena *a, const char **service);
/* Weight of a cell for the audience, -1 = it is not the target's. */
int wish_audience_weight(const struct traffic_wish *w, const struct mdep_weight *x);
/* Sum of a revision's weights, 0..10000. */
int wish_share(const struct traffic_wish *w, const char *revision);
/* The condition as a pattern of a whole header value: of "Cookie" for a cookie. */
const char *wish_pattern(const struct mdep_header *h, struct arena *a);

/* --- JSON -------------------------------------------------------------------------------- */
/* Opens an object with apiVersion, kind and metadata (labels, owner) of ours, left open. */
void write_owned_head(struct json_writer *w, const struct mdep *m, const char *api_version,
                      const char *kind, const char *name);
/* Maps a Service's weight back to the cell that it belongs to. */
void observe_weight(const struct mdep *m, const char *service, int weight,
                    const struct rollout_cell *cells, unsigned ncells, struct arena *a,
                    struct rollout_traffic *out);
/* Of those that have been observed, the weight 0 included, the one that an audience is sent to. */
void observe_chosen(const struct mdep *m, const char *service, struct arena *a,
                    struct rollout_traffic *out);
/* The one that copies are sent to. */
void observe_copied(const struct mdep *m, const char *service, struct arena *a,
                    struct rollout_traffic *out);

/* --- lists of rules (rules.c) ------------------------------------------------------------ */
/* How one kind writes what all of them have: rules that match requests and send them somewhere. */
struct rules_form {
	const char *list;    /* member of spec that holds the rules */
	const char *matches; /* members of a rule */
	const char *backends;
	const char *mirrors;
	const char *template; /* the rule of a route of ours, before backends */
	unsigned max_rules;   /* 0 = no limit */
	/* weight -1: none is written */
	void (*write_backend)(struct json_writer *w, const char *key, const struct traffic_wish *t,
	                      const char *service, int weight);
	/* Service in the ModelDeployment's namespace, NULL for anything else. */
	const char *(*service_of)(const struct mdep *m, const struct json *backend,
	                          struct arena *a);
	/* 1 where the backend does not say. */
	int (*weight_of)(const struct json *backend);
	/* 0 where it does not say. */
	int (*port_of)(const struct json *backend);
	/* Writes the match (NULL: any request) with the audience added; false: it contradicts. */
	bool (*write_match)(struct json_writer *w, const struct json *match,
	                    const struct traffic_wish *t, struct arena *a);
	bool (*has_headers)(const struct json *match);
	void (*write_mirror)(struct json_writer *w, const struct traffic_wish *t,
	                     const char *service, int percent);
	const struct json *(*mirror_backend)(const struct json *mirror);
	/* False: the rule is not for us whatever it points at. NULL = never. */
	bool (*is_candidate)(const struct mdep *m, const struct json *rule);
	/* spec of a route of ours but for the rules. */
	void (*write_spec)(struct json_writer *w, const struct mdep *m);
};

int rules_edit(const struct rules_form *form, const struct object_kind *kind,
               const struct traffic_wish *w, const struct traffic_view *v, struct arena *a,
               struct traffic_edit *out, struct err *err);
/* Everything but in_force. */
void rules_observe(const struct rules_form *form, const struct object_kind *kind,
                   const struct mdep *m, const struct route *r, const struct rollout_cell *cells,
                   unsigned ncells, struct arena *a, struct rollout_traffic *out);
bool rules_name_port(const struct rules_form *form, const struct mdep *m, const struct route *r,
                     int port, struct arena *a);

#endif
