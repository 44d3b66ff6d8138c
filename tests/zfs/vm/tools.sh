#!/usr/bin/env bash
# Fetches what the guest of the ZFS test machine needs beside its kernel, without installing anything on the host:
# OpenZFS's commands and libraries and its Python binding from Debian (contrib), and pyzfs 0.2.3 from PyPI.
#
# usage: tools.sh FOLDER VERSION       VERSION as Debian has it, such as 2.1.11-1+deb12u1
#        leaves FOLDER/root (to be laid over the guest's root), FOLDER/openzfs and FOLDER/pyzfs (for PYTHONPATH)
set -euo pipefail
out=$1 version=$2
. /etc/os-release
[ "${ID:-}" = debian ] || { echo "tools.sh knows Debian only, and this is ${ID:-unknown}" >&2; exit 1; }
mkdir -p "$out"
work=$(mktemp -d "$out/new.XXXXXX")
trap 'rm -rf "$work"' EXIT

mkdir -p "$work"/apt/{lists,cache,etc} "$work"/{packages,unpacked,root/usr}
cat > "$work/apt/etc/contrib.sources" <<S
Types: deb
URIs: http://deb.debian.org/debian
Suites: $VERSION_CODENAME $VERSION_CODENAME-updates $VERSION_CODENAME-backports
Components: contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
S
apt=(apt-get -qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/apt/etc"
    -o Dir::State::Lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache" -o APT::Sandbox::User=)
"${apt[@]}" update
cd "$work/packages"
libraries=$("${apt[@]/apt-get/apt-cache}" depends "zfsutils-linux=$version" |
    awk '$1 == "Depends:" && $2 ~ /^lib(zfs|zpool|nvpair|uutil)/ { print $2 }')
"${apt[@]}" download "zfsutils-linux=$version" "python3-pyzfs=$version" $(printf "%s=$version " $libraries)
for file in *.deb; do dpkg -x "$file" "$work/unpacked"; done
# where /sbin and /lib are links, nothing can be laid over them
cp -r "$work/unpacked/usr/sbin" "$work/root/usr/" 2>/dev/null || mkdir "$work/root/usr/sbin"
mkdir -p "$work/root/usr/lib"
if [ -d "$work/unpacked/sbin" ]; then cp -r "$work/unpacked/sbin/." "$work/root/usr/sbin/"; fi
for lib in "$work"/unpacked/lib "$work"/unpacked/usr/lib; do
    for folder in "$lib"/*-linux-gnu; do
        if [ -d "$folder" ]; then cp -r "$folder" "$work/root/usr/lib/"; fi
    done
done
mkdir "$work/openzfs"
cp -r "$work"/unpacked/usr/lib/python3/dist-packages/* "$work/openzfs/"
python3 -m pip --disable-pip-version-check install -q --no-deps --root-user-action=ignore \
    --target "$work/pyzfs" pyzfs==0.2.3
for part in root openzfs pyzfs; do
    rm -rf "${out:?}/$part"
    mv "$work/$part" "$out/$part"
done
echo "$version" > "$out/version"
