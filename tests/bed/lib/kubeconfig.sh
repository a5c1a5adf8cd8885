# kubeconfig: certificates of the bed's own authority and the kubeconfig files
# that clients are given.

# pki_make: the authority, the API server's certificate, the service account key.
pki_make() {
	local d=$BED_DIR/pki
	mkdir -p "$d"
	openssl ecparam -name prime256v1 -genkey -noout -out "$d/ca.key"
	openssl req -x509 -new -key "$d/ca.key" -subj /CN=tidegate-bed -days 30 -out "$d/ca.crt"
	pki_issue apiserver /CN=kube-apiserver <<-EOT
		extendedKeyUsage = serverAuth
		subjectAltName = DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:$BED_BACKBONE,IP:10.96.0.1
	EOT
	openssl ecparam -name prime256v1 -genkey -noout -out "$d/sa.key"
}

# pki_issue NAME SUBJECT [DAYS]: pki/NAME.crt and .key; extensions on stdin.
pki_issue() {
	local d=$BED_DIR/pki
	cat >"$d/$1.ext"
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "$2" \
		-keyout "$d/$1.key" -out "$d/$1.csr" 2>/dev/null
	openssl x509 -req -in "$d/$1.csr" -CA "$d/ca.crt" -CAkey "$d/ca.key" -CAcreateserial \
		-days "${3:-30}" -extfile "$d/$1.ext" -out "$d/$1.crt" 2>/dev/null
}

# kubeconfig_write FILE SERVER CREDENTIALS: credentials are lines of YAML for
# the user's entry.
kubeconfig_write() {
	(
		umask 077
		cat >"$1" <<-EOT
			apiVersion: v1
			kind: Config
			current-context: bed
			clusters:
			- name: bed
			  cluster:
			    server: $2
			    certificate-authority-data: $(base64 -w0 <"$BED_DIR/pki/ca.crt")
			contexts:
			- name: bed
			  context: {cluster: bed, user: bed}
			users:
			- name: bed
			  user:
			    $3
		EOT
	)
}

kubeconfig_write_admin() {
	kubeconfig_write "$1" "$2" "token: $BED_TOKEN"
}

# kubeconfig_user NAME [GROUP...]: for a person with a client certificate and
# only the rights that RBAC gives that name and those groups. Prints the path.
kubeconfig_user() {
	local name=$1 subject="/CN=$1" group file=$BED_DIR/$1.kubeconfig
	shift
	for group in "$@"; do
		subject="/O=$group$subject"
	done
	pki_issue "user-$name" "$subject" <<<'extendedKeyUsage = clientAuth'
	kubeconfig_write "$file" "$BED_APISERVER_URL" \
		"{client-certificate-data: $(base64 -w0 <"$BED_DIR/pki/user-$name.crt"), client-key-data: $(base64 -w0 <"$BED_DIR/pki/user-$name.key")}"
	echo "$file"
}

# kubeconfig_serviceaccount NAMESPACE NAME: with a token of that account. Prints
# the path.
kubeconfig_serviceaccount() {
	local file=$BED_DIR/$1-$2.kubeconfig token
	token=$("$KUBECTL" create token -n "$1" "$2" --duration=24h)
	kubeconfig_write "$file" "$BED_APISERVER_URL" "token: $token"
	echo "$file"
}
