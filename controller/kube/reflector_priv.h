/*
 * What the files of the reflector share.
 *
 * reflector.c         the state machine: which request comes next, and when
 * reflector_policy.c  what each class of error means, back-off, what is told about trouble
 * reflector_decode.c  from a body's bytes to changes of the store
 * reflector_url.c     request paths
 * reflector_newest.c  waits until the store is as new as the server
 * reflector_metric.c
 */
#ifndef TIDEGATE_KUBE_REFLECTOR_PRIV_H
#define TIDEGATE_KUBE_REFLECTOR_PRIV_H

#include "tidegate/base/arena.h"
#include "tidegate/base/list.h"
#include "tidegate/base/metric.h"
#include "tidegate/kube/frame.h"
#include "tidegate/kube/reflector.h"

#define REFLECTOR_PAGE 500

enum reflector_phase {
	RP_STOPPED,
	RP_WAIT,       /* nothing runs until the timer fires */
	RP_WATCH_LIST, /* the initial events of a WatchList are coming in */
	RP_LIST,
	RP_WATCH,
};
#define RP_COUNT (RP_WATCH + 1)

/* Where to go on after the end of a request. */
enum reflector_next {
	RN_SYNC,      /* list, by WatchList where possible, then watch */
	RN_FRESH,     /* the same from the most recent state (resourceVersion=""), at once */
	RN_LIST,      /* list page by page, at once: WatchList did not work this time */
	RN_LIST_ONLY, /* the same, and no WatchList for an hour */
	RN_WATCH,     /* watch again from the last resourceVersion */
};

struct reflector_metrics {
	struct metric_series *lists, *watches, *decode_errors, *age, *rv, *objects, *trouble;
};

struct reflector {
	struct kube_client *client;
	struct loop *loop;
	struct store *store;
	const struct object_kind *kind;
	char *resource;    /* "apps/v1/replicasets", for people */
	char *api_version; /* "apps/v1", as objects say it */
	char *base_path;   /* "/apis/apps/v1/namespaces/x/replicasets" */
	char *selectors;   /* "&labelSelector=...", "" when none */
	char *namespace;   /* "" = all */
	bool quorum_first_list, no_watch_list;
	const char *known_name; /* of the object whose versions alone are told; NULL = none */
	void (*on_version)(void *arg, const char *rv);
	void *on_version_arg;
	int stall_ms, watch_list_idle_ms, watch_list_total_ms;

	enum reflector_phase phase;
	enum reflector_next next; /* RP_WAIT: what the timer starts */
	struct timer wait;        /* RP_WAIT */
	struct kube_reach reach;  /* the server answers again: an end of waiting */
	int64_t reached_ms;       /* last time that it was */
	struct timer watchdog;    /* RP_WATCH_LIST: no progress; RP_WATCH: peace */
	struct kube_call *call;
	struct frame frame;
	bool framing;          /* frame is initialised */
	struct arena *arena;   /* the client's; one object at a time */
	struct err stream_err; /* why the body was refused, class ERR_NONE when it was not */
	int64_t started_ms;    /* of the request, or of the watch that a WatchList became */
	int64_t listed_ms;     /* when the last list was complete */
	int64_t last_byte_ms;
	bool progress; /* the watch brought something new */

	/* the list that is coming in */
	struct store_replace *replace;
	char *continue_token, *list_rv;
	unsigned pages;
	bool paginated; /* the server pages although asked for its cache: it has none */
	bool unpaged;   /* a continue token expired: everything in one answer */
	bool fresh;     /* list with resourceVersion="" */
	int64_t watch_list_off_until_ms;

	/* back-off and trouble, see reflector_policy.c */
	uint64_t random;
	int64_t backoff_base_ms, backoff_last_ms, backoff_delay_ms;
	unsigned backoff_step;
	unsigned failures;     /* in a row */
	uint32_t told_classes; /* one bit an error class: logged in this outage */
	enum err_class trouble_class;
	char *trouble;            /* NULL = none */
	int64_t trouble_since_ms; /* of the first failure in a row */

	struct reflector_metrics m;
	struct list link;
};

/* reflector_url.c; the caller frees */
char *reflector_base_path(const struct object_kind *k, const char *namespace);
char *reflector_selectors(const char *labels, const char *fields);
char *reflector_list_path(const struct reflector *r, const char *rv);
char *reflector_watch_path(const struct reflector *r, const char *rv, bool initial_events,
                           int timeout_s);

/* reflector_decode.c: frame_fn of both shapes; arg is the reflector */
int reflector_on_frame(void *arg, enum frame_part part, const char *json, size_t len,
                       struct err *err);

/* reflector.c */
/* A WatchList's end marker: the list is complete, the same stream goes on as the watch. */
void reflector_initial_events_end(struct reflector *r, const char *rv);
/* Something came that only a working watch or list sends. */
void reflector_alive(struct reflector *r);

/* reflector_policy.c */
enum reflector_next reflector_rule(enum reflector_phase phase, enum err_class class);
int64_t reflector_backoff(struct reflector *r, int retry_after_ms);
uint64_t reflector_random(struct reflector *r, uint64_t below);
/* Notes a failure and logs it when it is news. */
void reflector_failed(struct reflector *r, const struct err *err);
void reflector_recovered(struct reflector *r);

/* reflector_metric.c */
void reflector_metrics_init(struct reflector *r);
void reflector_metrics_release(struct reflector *r);
void reflector_count_relist(const struct reflector *r, const char *reason);

#endif
