#include "driver_internal.h"

const struct traffic_driver *traffic_driver_of(const struct mdep *m)
{
	static const struct traffic_driver *const drivers[] = {
		[TRAFFIC_HTTPROUTE] = &httproute_driver, [TRAFFIC_GRPCROUTE] = &grpcroute_driver,
		[TRAFFIC_ISTIO] = &istio_driver,         [TRAFFIC_INGRESS] = &ingress_driver,
		[TRAFFIC_TRAEFIK] = &traefik_driver,
	};

	return drivers[m->traffic];
}
