#!/bin/sh
# Debian packages that some tests use. Services are not started.
# libpcap: scapy compiles capture filters with it, and a test compares them with the built-in programs.
# curl, wget, chromium: unmodified clients that nobody here wrote. tshark: another reader of the captures.
# php-cli, php-soap: an unmodified SOAP client, as many programs for CallManager use it.
# slapd, ldap-utils: OpenLDAP, which tests start themselves. samba...: an Active Directory domain controller, likewise.
# nginx-light: a web server that nobody here wrote, to be probed.
# chromium-driver: drives chromium through the administration pages.
set -u
packages="libpcap0.8 curl wget chromium tshark openssl php-cli php-soap slapd ldap-utils samba samba-ad-dc samba-ad-provision winbind chromium-driver nginx-light"
missing=""
for package in $packages; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
[ "$(id -u)" = 0 ] || { echo "not root: not installing$missing"; exit 0; }
export DEBIAN_FRONTEND=noninteractive
# Packages start their services unless this file says no; an administrator's own stays as it is, and ours goes again.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get -qq update && apt-get -qq install -y --no-install-recommends $missing >/dev/null
exit 0
