#!/bin/sh
# nginx.  WEB_USER is who starts it: by default Debian's www-data, on port 8080; "root" stays root, on
# port 80; "stock" does as the package does, root that becomes www-data, which takes capabilities.
. "$(dirname "$0")/lib.sh"
bundle "$@"
uid=0 port=80 directive= capabilities=
case ${WEB_USER:-www-data} in
root) directive='user root;' ;;
stock)
	directive='user www-data;'
	capabilities='--cap CAP_SETUID --cap CAP_SETGID --cap CAP_CHOWN'
	;;
*) uid=33 port=8080 ;;
esac
cat >nginx.conf <<END
$directive
daemon off;
worker_processes 1;
pid /tmp/nginx.pid;
error_log /dev/stderr;
events {}
http {
	access_log /dev/stdout;
	client_body_temp_path /tmp/body;
	proxy_temp_path /tmp/proxy;
	fastcgi_temp_path /tmp/fastcgi;
	uwsgi_temp_path /tmp/uwsgi;
	scgi_temp_path /tmp/scgi;
	server {
		listen $port;
		location / {
			return 200 "hello from nginx\n";
		}
	}
}
END
chmod 644 nginx.conf
config --root "$(debian_rootfs)" --user "$uid" $capabilities --tmpfs /tmp \
	--file "$PWD/nginx.conf:/etc/nginx/nginx.conf" -- nginx -e /dev/stderr
