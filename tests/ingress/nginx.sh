#!/usr/bin/env bash
# The same requests that no release may lose, behind ingress-nginx and its canary annotations.
set -u
nginx_tree=$(cd "$(dirname "$0")/../.." && pwd -P)
export WORLD_TRAFFIC='{ingress: {name: web}}'
# It reads the cluster every 3.3 s, its workers a second later; a step is told two seconds after it was written.
export WORLD_LAG=3
export WORLD_OBJECTS='
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  ingressClassName: nginx
  rules:
  - host: ranker.shop.example
    http:
      paths:
      - path: /
        pathType: Prefix
        backend: {service: {name: ranker, port: {name: http}}}
'
exec bash "$nginx_tree/tests/bed/bed.sh" run --zones 3 --ingress-nginx -- bash "$nginx_tree/tests/e2e/lost_requests.sh" inside
