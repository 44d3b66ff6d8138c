#!/usr/bin/env bash
# Builds the kernel and initramfs of the ZFS test machine, from Debian's packages alone (main and contrib): Debian's
# cloud kernel, OpenZFS's modules compiled from the source in zfs-dkms, busybox. About 15 minutes on two cores.
#
# usage: build.sh [FOLDER [SUITE]]     default: ${XDG_CACHE_HOME:-~/.cache}/dotscience-zfs-vm, and this Debian's own OpenZFS
#        SUITE is where another OpenZFS is taken from: bookworm-backports has that of Debian 13
#        leaves vmlinuz, initrd.gz and version in FOLDER
#
# Needs root on Debian: it installs QEMU, a compiler and kernel headers. The kernel is not installed, only unpacked.
set -euo pipefail
out=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/dotscience-zfs-vm}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { echo "[$(date +%T)] $*"; }

[ "$(id -u)" = 0 ] || { echo "build.sh has to be run as root: it installs packages" >&2; exit 1; }
. /etc/os-release
[ "${ID:-}" = debian ] || { echo "build.sh knows Debian only, and this is ${ID:-unknown}" >&2; exit 1; }

say "packages"
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -qq -o DPkg::Lock::Timeout=900)
"${apt[@]}" update
package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ { print $2; exit }')
kernel=${package#linux-image-}
"${apt[@]}" install -y --no-install-recommends qemu-system-x86 busybox-static cpio kmod gcc make libelf-dev \
    "linux-headers-$kernel" >/dev/null
# OpenZFS is in contrib, and may be of another suite; what the host itself installs from stays as it is
mkdir -p "$work"/apt/{lists,cache,etc}
cat > "$work/apt/etc/contrib.sources" <<S
Types: deb
URIs: http://deb.debian.org/debian
Suites: ${2:-$VERSION_CODENAME $VERSION_CODENAME-updates}
Components: contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
S
contrib=(apt-get -qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/apt/etc"
    -o Dir::State::Lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache" -o APT::Sandbox::User=)
"${contrib[@]}" update
cd "$work"
"${apt[@]}" download "$package"
"${contrib[@]}" download zfs-dkms
for file in *.deb; do dpkg -x "$file" unpacked; done
zfs=$(dpkg-deb --field zfs-dkms_*.deb Version)

say "OpenZFS $zfs for Linux $kernel: configure"
cd "$work"/unpacked/usr/src/zfs-*
./configure -q --disable-dependency-tracking --with-config=kernel \
    --with-linux="/usr/src/linux-headers-${kernel%-cloud-amd64}-common" \
    --with-linux-obj="/usr/src/linux-headers-$kernel" > "$work/configure.log" 2>&1 ||
    { tail -30 "$work/configure.log" >&2; exit 1; }
say "make"
make -s -j"$(nproc)" KCFLAGS=-g0 > "$work/make.log" 2>&1 || { tail -30 "$work/make.log" >&2; exit 1; }

say "initramfs"
root=$work/initramfs
modules=$root/lib/modules/$kernel
image=$work/unpacked/lib/modules/$kernel
mkdir -p "$root"/{bin,proc,sys,dev,new,lower,upper} "$modules/extra"
cp "$image"/modules.{builtin,builtin.modinfo,order} "$modules/" 2>/dev/null || true
(
    cd "$image"
    find kernel/drivers/virtio kernel/fs/fuse kernel/fs/overlayfs kernel/drivers/block/{virtio_blk,loop}.ko* \
        kernel/drivers/char/{virtio_console.ko*,hw_random} -name '*.ko*' 2>/dev/null | cpio -pdm --quiet "$modules"
)
find . -path ./build -prune -o -path '*/module/*' -name '*.ko' -exec cp {} "$modules/extra/" \;
strip --strip-debug "$modules"/extra/*.ko
depmod -b "$root" "$kernel"
cp "$(command -v busybox)" "$root/bin/busybox"
# The host's root, read-only under a tmpfs; what then runs is written by machine.py into the share
cat > "$root/init" <<'I'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc; $b mount -t sysfs sys /sys; $b mount -t devtmpfs dev /dev
for m in virtio_pci virtio_mmio virtio_blk virtiofs overlay loop; do $b modprobe $m 2>/dev/null; done
$b mount -t virtiofs host /lower -o ro || { $b echo "no virtiofs"; $b poweroff -f; }
$b mount -t tmpfs -o size=80% tmp /upper; $b mkdir -p /upper/u /upper/w
$b mount -t overlay overlay -o lowerdir=/lower,upperdir=/upper/u,workdir=/upper/w /new
$b mount --move /dev /new/dev; $b mount --move /proc /new/proc; $b mount --move /sys /new/sys
$b mkdir -p /new/dev/pts /new/dev/shm /new/vmshare
$b mount -t devpts devpts /new/dev/pts; $b mount -t tmpfs shm /new/dev/shm; $b mount -t tmpfs run /new/run
$b mount -t virtiofs share /new/vmshare
$b modprobe zfs || $b echo "no ZFS"
$b chmod 666 /new/dev/zfs
exec $b switch_root /new /bin/bash /vmshare/vm-main
I
chmod +x "$root/init"
mkdir -p "$out"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) > "$out/initrd.gz.new"
mv "$out/initrd.gz.new" "$out/initrd.gz"
cp "$work/unpacked/boot/vmlinuz-$kernel" "$out/vmlinuz"
echo "$kernel $zfs" > "$out/version"
say "ready: $out ($(cat "$out/version"))"
