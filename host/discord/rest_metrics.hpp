// Discord's REST API as seen from here, for Prometheus.
#pragma once
#include "discord/rest_client.hpp"
#include "metrics/metrics.hpp"

namespace trellis::host {

/// Hooks that count into trellis_discord_*. The metrics must outlive the client.
RestHooks rest_metrics(Metrics&);

}  // namespace trellis::host
