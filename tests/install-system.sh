#!/bin/sh
# Debian packages that some tests use. Services are not started.
# libpcap: scapy compiles capture filters with it, and a test compares them with the built-in programs.
# curl: an unmodified client that nobody here wrote. tshark: another reader of the captures.
set -u
packages="libpcap0.8 curl tshark"
missing=""
for package in $packages; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
[ "$(id -u)" = 0 ] || { echo "not root: not installing$missing"; exit 0; }
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update && apt-get -qq install -y --no-install-recommends $missing >/dev/null
exit 0
