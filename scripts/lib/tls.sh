# tls.sh: the certificates of a private installation, made with openssl(1). Sourced by scripts/run.
# shellcheck shell=bash disable=SC2154,SC2034

# A CA of the state folder for TLS certificates: DIR/ca.pem, DIR/ca.key.
tls_ca() {
    [ -s "$1/ca.pem" ] && [ -s "$1/ca.key" ] && return 0
    (
        umask 077
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
            -subj "/CN=Drover demo TLS CA $(random_word 3)" \
            -addext basicConstraints=critical,CA:TRUE \
            -addext keyUsage=critical,keyCertSign,cRLSign \
            -keyout "$1/ca.key.new" -out "$1/ca.pem.new" 2>"$1/openssl.log"
    ) || die "openssl could not make the TLS CA; see $1/openssl.log"
    mv "$1/ca.key.new" "$1/ca.key"
    mv "$1/ca.pem.new" "$1/ca.pem"
}

# tls_certificate DIR HOST: DIR/server.pem (with chain), DIR/server.key for HOST and localhost. Made
# again when it names another host, another CA, or ends within 30 days.
tls_certificate() {
    local san="DNS:localhost,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1" days=397
    if [ "$2" != localhost ]; then
        if [[ $2 =~ ^[0-9.]+$ ]]; then san="IP:$2,$san"; else san="DNS:$2,$san"; fi
    fi
    if [ -s "$1/server.pem" ] && [ -s "$1/server.key" ] && [ "$(cat "$1/server.san" 2>/dev/null)" = "$san" ] &&
        openssl x509 -in "$1/server.pem" -noout -checkend 2592000 >/dev/null 2>&1 &&
        openssl verify -CAfile "$1/ca.pem" "$1/server.pem" >/dev/null 2>&1; then
        return 0
    fi
    (
        umask 077
        printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature,keyEncipherment\n' \
            "$san" >"$1/server.ext"
        # RSA: the oldest devices and clients know it.
        openssl req -new -newkey rsa:2048 -nodes -subj "/CN=$2" -keyout "$1/server.key.new" \
            -out "$1/server.csr" 2>"$1/openssl.log" &&
            openssl x509 -req -in "$1/server.csr" -CA "$1/ca.pem" -CAkey "$1/ca.key" \
                -set_serial "0x$(random_word 8)" -days $days -extfile "$1/server.ext" \
                -out "$1/server.pem.new" 2>>"$1/openssl.log" &&
            cat "$1/ca.pem" >>"$1/server.pem.new"
    ) || die "openssl could not make the TLS certificate; see $1/openssl.log"
    mv "$1/server.key.new" "$1/server.key"
    mv "$1/server.pem.new" "$1/server.pem"
    printf '%s\n' "$san" >"$1/server.san"
    rm -f "$1/server.csr" "$1/server.ext"
}
