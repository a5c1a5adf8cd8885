# ingress: ingress-nginx, built from its module, over the nginx of the distribution, in the backbone:
# the data plane of canary Ingresses. It stands where Traefik would (BED_GATEWAY_URL). How often it
# reads the cluster is its own default, for that is what a release has to wait for.
#
# It looks for its files in /etc: it lives in a mount namespace with an /etc of its own. The template
# is its own but for what that nginx does not have: the Lua code for TCP and UDP (a stream without it
# takes their settings), HTTP/2, and folders for protocols that its own nginx is built without.

INGRESS_RUN=/etc/ingress-controller
INGRESS_STREAM_PORT=10247

ingress_start() {
	export BED_GATEWAY_URL=http://$BED_BACKBONE:$BED_GATEWAY_PORT
	say "starting ingress-nginx"
	ingress_objects | kubectl create --validate=false -f - >"$BED_DIR/log/ingress-objects.log"
	ingress_make_etc "$BED_DIR/ingress/etc"
	ingress_nginx >"$BED_DIR/ingress/nginx"
	chmod +x "$BED_DIR/ingress/nginx"
	# shellcheck disable=SC2016 # expanded in there
	program_start ingress-nginx env POD_NAME=ingress-nginx POD_NAMESPACE=ingress-nginx TMPDIR=$INGRESS_RUN NGINX_BINARY="$BED_DIR/ingress/nginx" \
		unshare --mount sh -c 'mount --bind "$0" /etc && exec "$@"' "$BED_DIR/ingress/etc" \
		"$BED_DIR/bin/ingress-nginx" --kubeconfig "$BED_DIR/loopback.kubeconfig" --configmap ingress-nginx/settings \
		--http-port "$BED_GATEWAY_PORT" --https-port 8443 --stream-port $INGRESS_STREAM_PORT \
		--publish-status-address "$BED_BACKBONE" --enable-metrics=false
	program_wait ingress-nginx 60 "nginx answered" ingress_answers
}

# Of a host that no Ingress names.
ingress_answers() {
	[ "$(curl -s -o /dev/null -w '%{http_code}' "$BED_GATEWAY_URL")" = 404 ]
}

# ingress_make_etc FOLDER: what it will see as /etc.
ingress_make_etc() {
	local etc=$1 nginx=$BED_DIR/bin/nginx-packages
	mkdir -p "$etc/nginx" "$etc"/ingress-controller/{nginx,ssl,auth,geoip,telemetry}
	cp /etc/passwd /etc/group "$etc/"
	echo "nameserver 127.0.0.1" >"$etc/resolv.conf"
	cp -R "$BED_DIR/bin/ingress-nginx-files/." "$nginx/etc/nginx/mime.types" "$nginx/etc/nginx/fastcgi_params" "$etc/nginx/"
	mkdir "$etc/nginx/lua/vendor"
	cp -R "$nginx/usr/share/lua/5.1/." "$BED_TREE/tests/bed/lua/." "$etc/nginx/lua/vendor/"
	sed -i "s,/tmp/nginx,$INGRESS_RUN/nginx,g" "$etc/nginx/nginx.conf" "$etc/nginx/template/nginx.tmpl"
	sed -i -e '/^stream {/,/^}/d' -e "s,^ *proxy_temp_path .*,&\n$(ingress_folders)," "$etc/nginx/template/nginx.tmpl"
	echo "stream { server { listen 127.0.0.1:$INGRESS_STREAM_PORT; return ''; } }" >>"$etc/nginx/template/nginx.tmpl"
}

ingress_folders() {
	printf '%s' "uwsgi_temp_path $INGRESS_RUN/nginx/uwsgi; scgi_temp_path $INGRESS_RUN/nginx/scgi;"
}

# The nginx that the controller starts: with the modules that its own is built with, and as the one
# user that the bed may have.
ingress_nginx() {
	local root
	root=$(realpath "$BED_DIR/bin/nginx-packages")
	cat <<-EOT
		#!/bin/sh
		LD_LIBRARY_PATH=$(ingress_libraries "$root")
		LUA_PATH='/etc/nginx/lua/?.lua;/etc/nginx/lua/vendor/?.lua;;'
		LUA_CPATH='$(dirname "$root"/usr/lib/*/lua/5.1/cjson.so)/?.so;;'
		export LD_LIBRARY_PATH LUA_PATH LUA_CPATH
		exec $root/usr/sbin/nginx -g 'user root;$(ingress_modules "$root")' "\$@"
	EOT
}

ingress_libraries() {
	find "$1" -name 'lib*.so.*' -printf '%h\n' | sort -u | paste -sd:
}

ingress_modules() {
	local module
	for module in ndk_http ngx_http_lua ngx_http_headers_more_filter ngx_stream; do
		printf ' load_module %s;' "$1/usr/lib/nginx/modules/${module}_module.so"
	done
}

# The pod only has to be there, with labels: the controller asks for itself.
ingress_objects() {
	cat <<-EOT
		apiVersion: v1
		kind: Namespace
		metadata: {name: ingress-nginx}
		---
		apiVersion: v1
		kind: ConfigMap
		metadata: {name: settings, namespace: ingress-nginx}
		data: {use-http2: "false", disable-access-log: "true", error-log-path: /dev/stderr, worker-processes: "2"}
		---
		apiVersion: v1
		kind: Pod
		metadata: {name: ingress-nginx, namespace: ingress-nginx, labels: {app: ingress-nginx}}
		spec: {containers: [{name: controller, image: controller}]}
		---
		apiVersion: networking.k8s.io/v1
		kind: IngressClass
		metadata: {name: nginx}
		spec: {controller: k8s.io/ingress-nginx}
	EOT
}
