#include "tidegate/api/preset.h"

#include "tidegate/base/alloc.h"
#include "tidegate/base/str.h"

#define LIST(...)                                                                                  \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

static const struct preset presets[] = {
	[RUNTIME_CUSTOM] = {.name = "custom", .runtime = RUNTIME_CUSTOM},

	/*
         * Its port opens when the model is AVAILABLE, so TCP tells start and life; only the
         * metadata path fails for a version that is not loaded. It ignores SIGTERM as PID 1 and
         * goes on answering until SIGKILL: the grace period is its drain. The latency unit is the
         * microsecond. The status label is OK or the name of a gRPC code.
         */
	[RUNTIME_TENSORFLOW_SERVING] =
		{
			.name = "tensorflow-serving",
			.runtime = RUNTIME_TENSORFLOW_SERVING,
			.image = "tensorflow/serving:2.20.0-gpu",
			.port = 8501,
			.metrics_path = "/monitoring/prometheus/metrics",
			.command = LIST("/usr/bin/tensorflow_model_server"),
			.args = LIST("--rest_api_port=$P", "--model_name=$N",
                                     "--model_base_path=/models/$N",
                                     "--file_system_poll_wait_seconds=0"),
			.config_text = "prometheus_config { enable: true path: "
				       "\"/monitoring/prometheus/metrics\" }\n",
			.config_flag = "--monitoring_config_file=",
			.ready_path = "/v1/models/$N/versions/$V/metadata",
			.model_path = "/v1/models/$N/versions/$V",
			.grace_seconds = 20,
			.pre_stop_seconds = 5,
			.requests_metric = ":tensorflow:serving:request_count",
			.error_label = "status",
			.ok_values = LIST("OK"),
			.latency_metric = ":tensorflow:serving:request_latency",
			.latency_unit = 1e-6,
		},

	/*
         * No longer maintained by its authors. Per-model state is asked on the management port
         * (8081), which a probe of the inference port cannot reach, and latency is a plain sum.
         */
	[RUNTIME_TORCHSERVE] =
		{
			.name = "torchserve",
			.runtime = RUNTIME_TORCHSERVE,
			.image = "pytorch/torchserve:0.12.0-gpu",
			.port = 8080,
			.metrics_port = 8082,
			.metrics_path = "/metrics",
			.command = LIST("torchserve"),
			/* Without --foreground the container outlives a dead server. */
			.args = LIST("--start", "--foreground", "--ncs", "--disable-token-auth",
                                     "--model-store", "/models", "--models", "$N=$N.mar"),
			.startup_path = "/ping",
			.ready_path = "/ping",
			.live_path = "/ping",
			.grace_seconds = 60,
			.pre_stop_seconds = 15,
			.requests_metric = "ts_inference_requests_total",
			.errors_metric = "Requests5XX",
		},

	/*
         * On SIGTERM it refuses at once and waits for what runs: hence the sleep before. A model
         * that is loaded later makes the server-wide path fail, so readiness asks for the model.
         */
	[RUNTIME_TRITON] =
		{
			.name = "triton",
			.runtime = RUNTIME_TRITON,
			.image = "nvcr.io/nvidia/tritonserver:26.07-py3",
			.port = 8000,
			.metrics_port = 8002,
			.metrics_path = "/metrics",
			.command = LIST("tritonserver"),
			.args = LIST("--model-repository=/models", "--model-control-mode=explicit",
                                     "--load-model=$N", "--strict-readiness=true",
                                     "--exit-timeout-secs=40", "--http-port=$P"),
			.startup_path = "/v2/health/ready",
			.ready_path = "/v2/models/$N/ready",
			.live_path = "/v2/health/live",
			.model_path = "/v2/models/$N/versions/$V/ready",
			.grace_seconds = 60,
			.pre_stop_seconds = 15,
			.requests_metric = "nv_inference_request_success",
			.errors_metric = "nv_inference_request_failure",
			.errors_apart = true,
		},

	/*
         * Its own counters know no failure; the HTTP layer's do, health checks included. The served
         * name is the same in every version, so there is no question that tells versions apart.
         */
	[RUNTIME_VLLM] =
		{
			.name = "vllm",
			.runtime = RUNTIME_VLLM,
			.image = "vllm/vllm-openai:v0.18.0",
			.port = 8000,
			.metrics_path = "/metrics",
			.command = LIST("vllm", "serve"),
			.args = LIST("/models/$N", "--served-model-name", "$N", "--host", "0.0.0.0",
                                     "--port", "$P", "--shutdown-timeout", "45"),
			.startup_path = "/health",
			.ready_path = "/v1/models",
			.live_path = "/health",
			.grace_seconds = 75,
			.pre_stop_seconds = 15,
			.requests_metric = "http_requests_total",
			.busy_metric = "vllm:num_requests_running",
			.error_label = "status",
			.ok_values = LIST("2xx", "3xx"),
			.latency_metric = "vllm:e2e_request_latency_seconds",
			.latency_unit = 1,
		},

	[RUNTIME_SGLANG] =
		{
			.name = "sglang",
			.runtime = RUNTIME_SGLANG,
			.port = 30000,
			.metrics_path = "/metrics",
			.command = LIST("python3", "-m", "sglang.launch_server"),
			.args = LIST("--model-path", "/models/$N", "--served-model-name", "$N",
                                     "--host", "0.0.0.0", "--port", "$P", "--enable-metrics"),
			.startup_path = "/health",
			.ready_path = "/health",
			.live_path = "/health",
			.grace_seconds = 75,
			.pre_stop_seconds = 15,
			.requests_metric = "sglang:num_requests_total",
			.busy_metric = "sglang:num_running_reqs",
			.errors_metric = "sglang:num_aborted_requests_total",
			.latency_metric = "sglang:e2e_request_latency_seconds",
			.latency_unit = 1,
		},

	/* Any server of the Open Inference Protocol; it says nothing about metrics or images. */
	[RUNTIME_V2] =
		{
			.name = "v2",
			.runtime = RUNTIME_V2,
			.startup_path = "/v2/models/$N/ready",
			.ready_path = "/v2/models/$N/ready",
			.live_path = "/v2/health/live",
			.model_path = "/v2/models/$N/versions/$V/ready",
			.grace_seconds = 45,
			.pre_stop_seconds = 15,
		},
};

const struct preset *preset_get(enum mdep_runtime r)
{
	return &presets[r];
}

const struct preset *preset_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(presets); i++)
		if (str_eq(presets[i].name, name))
			return &presets[i];
	return NULL;
}
