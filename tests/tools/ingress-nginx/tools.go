//go:build tools

// Package ingressnginx pins the ingress controller of the test bed, its nginx template and its Lua code.
package ingressnginx

import (
	_ "k8s.io/ingress-nginx/cmd/nginx"
)
