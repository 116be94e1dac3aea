# web.sh: a private lighttpd or Apache around the configuration files of scripts/etc. Sourced by
# scripts/run. Uses $top, $state, $run_dir,
# $web_log, $web, $spawn, WORDS.
# shellcheck shell=bash disable=SC2154,SC2034

# Makes $state/web afresh from the files that are installed with Drover.
web_prepare() {
    local f backend
    mkdir -p "$state/web" "$run_dir/empty" "$run_dir/public"
    chmod 0711 "$run_dir/public"
    [ "$spawn" = 0 ] || [ "$(id -u)" != 0 ] || chown www-data "$run_dir/public"
    WORDS[WEB_ETC]=$state/web
    if [ "$web" = lighttpd ]; then
        backend=sockets
        [ "$spawn" = 0 ] || backend=spawn
        for f in drover $backend; do render "$top/scripts/etc/lighttpd/$f.conf.in" "$state/web/$f.conf"; done
        cp "$state/web/$backend.conf" "$state/web/backend.conf"
        lighttpd_main >"$state/web/main.conf"
        lighttpd -tt -f "$state/web/main.conf" >"$state/log/web-start.log" 2>&1 || web_refused
    else
        backend=drover-proxy-fcgi
        [ "$spawn" = 0 ] || backend=drover-fcgid
        for f in drover limits assets $backend; do render "$top/scripts/etc/apache/$f.conf.in" "$state/web/$f.conf"; done
        cp "$state/web/$backend.conf" "$state/web/backend.conf"
        apache_main >"$state/web/main.conf"
        apache2 -t -f "$state/web/main.conf" >"$state/log/web-start.log" 2>&1 || web_refused
    fi
}

web_refused() {
    cat "$state/log/web-start.log" >&2
    die "$web refuses its configuration $state/web/main.conf"
}

lighttpd_main() {
    cat <<EOF
server.modules = ()
server.document-root = "$run_dir/empty"
server.errorlog = "$web_log/lighttpd.log"
server.pid-file = "$state/web/lighttpd.pid"
server.bind = "127.0.0.1"
server.port = $((port_base + 5))
server.max-fds = 8192
server.max-connections = 4096
server.max-keep-alive-requests = 1000000
EOF
    [ "$(id -u)" != 0 ] || printf 'server.username = "www-data"\nserver.groupname = "www-data"\n'
    printf 'include "%s/web/drover.conf"\n' "$state"
}

apache_main() {
    local m modules=/usr/lib/apache2/modules
    cat <<EOF
ServerRoot "$state/web"
ServerName localhost
PidFile "$state/web/apache.pid"
DefaultRuntimeDir "$run_dir"
ErrorLog "$web_log/apache.log"
LogLevel warn
LogFormat "%h %l %u %t \"%r\" %>s %O" combined
EOF
    for m in mpm_event authz_core env alias headers setenvif reqtimeout buffer socache_shmcb ssl proxy \
        proxy_fcgi fcgid; do
        say "LoadModule ${m}_module $modules/mod_$m.so"
    done
    cat <<EOF
SSLSessionCache "shmcb:$run_dir/ssl_scache(512000)"
FcgidIPCDir "$run_dir/fcgid"
FcgidProcessTableFile "$run_dir/fcgid_shm"
KeepAlive On
MaxKeepAliveRequests 0
Listen ${WORDS[DEVICE_LISTEN]}
Listen ${WORDS[DEVICE_HTTP_LISTEN]}
Listen ${WORDS[CONSOLE_LISTEN]}
EOF
    [ "$(id -u)" != 0 ] || printf 'User www-data\nGroup www-data\n'
    printf 'Include "%s/web/drover.conf"\n' "$state"
}

# What droverctl runs after it has written another CA bundle. Apache's first process keeps its rights
# and reads everything again. lighttpd that has given up root could not read the TLS key again, so
# that the supervisor starts it anew, after 5 s even if somebody slow still sends: lighttpd 1.4.69 would
# wait for that without listening. Otherwise USR1 reloads it and loses no connection.
web_reload_script() {
    local signal=USR1
    [ "$web" = apache ] || [ "$(id -u)" != 0 ] || signal=INT
    cat <<EOF
#!/bin/sh
# Has the $web of $state, if it runs, read its configuration and CA bundle again.
[ -s "$state/pid/web" ] || exit 0
read -r pid start <"$state/pid/web" && kill -$signal "\$pid" || exit
EOF
    [ $signal = USR1 ] || cat <<EOF
(
    sleep 5
    read -r now started <"$state/pid/web"
    [ "\$now \$started" != "\$pid \$start" ] || kill -TERM "\$pid"
) </dev/null >/dev/null 2>&1 &
EOF
}

web_command() {
    if [ "$web" = lighttpd ]; then
        WEB_COMMAND=(lighttpd -D -f "$state/web/main.conf")
    else
        WEB_COMMAND=(apache2 -DFOREGROUND -f "$state/web/main.conf")
    fi
}
