#include "process.h"

#include <dirent.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tidegate/base/buf.h"
#include "tidegate/base/clock.h"
#include "tidegate/base/file.h"
#include "tidegate/base/metric.h"
#include "tidegate/base/str.h"

/* The n-th number of /proc/self/statm, in bytes. */
static double memory_bytes(unsigned n)
{
	cleanup_buf struct buf b;
	int64_t pages;
	char *at;

	buf_init(&b, 4096);
	if (file_read("/proc/self/statm", &b, NULL))
		return 0;
	for (at = b.data; n--; at += *at == ' ')
		at += strcspn(at, " ");
	at[strcspn(at, " \n")] = '\0';
	return str_to_i64(at, &pages) ? (double)pages * (double)sysconf(_SC_PAGESIZE) : 0;
}

static double virtual_bytes(void)
{
	return memory_bytes(0);
}

static double resident_bytes(void)
{
	return memory_bytes(1);
}

/* -1 without a limit, as Prometheus' own collector has it. */
static double max_virtual_bytes(void)
{
	struct rlimit r;

	return getrlimit(RLIMIT_AS, &r) || r.rlim_cur == RLIM_INFINITY ? -1 : (double)r.rlim_cur;
}

static double open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	double n = 0;

	if (!d)
		return 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n - 3; /* ".", ".." and the folder's own */
}

static double cpu_seconds(void)
{
	return (double)clock_cpu_ms() / 1000.0;
}

static double max_fds(void)
{
	struct rlimit r;

	return getrlimit(RLIMIT_NOFILE, &r) ? 0 : (double)r.rlim_cur;
}

static double start_seconds;

static double start_time(void)
{
	return start_seconds;
}

struct process_metric {
	struct metric_family family;
	double (*read)(void);
};

static void collect(struct metric_family *f)
{
	struct process_metric *m = (struct process_metric *)f;

	metric_set(metric_series(f), m->read());
}

static struct process_metric metrics[] = {
	{{.name = "process_resident_memory_bytes",
          .help = "Resident memory size in bytes",
          .type = METRIC_GAUGE,
          .collect = collect},
         resident_bytes},
	{{.name = "process_virtual_memory_bytes",
          .help = "Virtual memory size in bytes",
          .type = METRIC_GAUGE,
          .collect = collect},
         virtual_bytes},
	{{.name = "process_virtual_memory_max_bytes",
          .help = "Maximum amount of virtual memory available in bytes",
          .type = METRIC_GAUGE,
          .collect = collect},
         max_virtual_bytes},
	{{.name = "process_cpu_seconds_total",
          .help = "Total user and system CPU time spent in seconds",
          .type = METRIC_COUNTER,
          .collect = collect},
         cpu_seconds},
	{{.name = "process_open_fds",
          .help = "Number of open file descriptors",
          .type = METRIC_GAUGE,
          .collect = collect},
         open_fds},
	{{.name = "process_max_fds",
          .help = "Maximum number of open file descriptors",
          .type = METRIC_GAUGE,
          .collect = collect},
         max_fds},
	{{.name = "process_start_time_seconds",
          .help = "Start time of the process since unix epoch in seconds",
          .type = METRIC_GAUGE,
          .collect = collect},
         start_time},
};

void process_metrics_register(void)
{
	if (start_seconds > 0)
		return;
	start_seconds = (double)clock_wall_ms() / 1000.0;
	for (unsigned i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		metric_register(&metrics[i].family);
}
