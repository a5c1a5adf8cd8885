//go:build tools

// Package kwok pins the fake-node agent that gives the scale tests their nodes.
package kwok

import (
	_ "sigs.k8s.io/kwok/cmd/kwok"
)
