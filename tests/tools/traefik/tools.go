//go:build tools

// Package traefik pins the gateway of the test bed and the Gateway API
// definitions that it serves.
package traefik

import (
	_ "github.com/traefik/traefik/v3/cmd/traefik"
	_ "sigs.k8s.io/gateway-api/apis/v1"
)
