/* process_* metrics under the names that every Prometheus client library uses. */
#ifndef TIDEGATE_SERVE_PROCESS_H
#define TIDEGATE_SERVE_PROCESS_H

void process_metrics_register(void);

#endif
