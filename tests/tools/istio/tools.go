//go:build tools

// Package istio pins the control plane of the test bed's mesh and the definitions of Istio's kinds.
package istio

import (
	_ "istio.io/istio/pilot/cmd/pilot-discovery"
)
