#!/usr/bin/env bash
# The first process of a node. It runs in process, mount and network namespaces of
# its own, so that nothing here changes the machine: mounts, addresses, routes and
# packet filter rules are the namespaces', and whoever kills this process ends every
# container with it. What is left on the machine is DIR and the control groups.
#
# usage: node.sh DIR   (DIR/node.env has the rest)
set -euo pipefail
dir=$1
# shellcheck source=/dev/null
. "$dir/node.env" # tools, outside, link, host_ip, node_ip, pods, services, cgroup

network() {
	# The machine's end of the cable is made from here, and goes when we go.
	outside() { nsenter --net="$outside" ip "$@"; }
	ip link set lo up
	ip link add uplink type veth peer name "$link" netns "$outside"
	ip address add "$node_ip/30" dev uplink
	ip link set uplink up
	outside address add "$host_ip/30" dev "$link"
	outside link set "$link" up
	outside route add "$pods" via "$node_ip"
	outside route add "$services" via "$node_ip"
	ip route add default via "$host_ip"
	echo 1 >/proc/sys/net/ipv4/ip_forward
}

mounts() {
	mount --make-rslave /
	mount --make-rshared /
	mount -t proc proc /proc
	# These programs write to fixed places. Their writes go to DIR.
	local place
	for place in /var/lib /var/log /run; do
		mkdir -p "$dir/over$place" "$dir/work$place"
		mount -t overlay overlay -o "lowerdir=$place,upperdir=$dir/over$place,workdir=$dir/work$place" "$place"
	done
	# The kubelet sets these for the whole machine. It finds them set.
	local setting
	for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
		kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
		mkdir -p "$dir/sys/${setting%/*}"
		echo "${setting#*=}" >"$dir/sys/${setting%=*}"
		mount --bind "$dir/sys/${setting%=*}" "/proc/sys/${setting%=*}"
	done
}

# groups puts this process, and so all that it starts, below a control group of ours
# in each hierarchy. Containers come out beside or below whoever starts them.
groups() {
	local group each
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		group=/sys/fs/cgroup/$cgroup
		mkdir -p "$group/init"
		echo 0 >"$group/init/cgroup.procs"
		for each in $(<"$group/cgroup.controllers"); do echo "+$each" >"$group/cgroup.subtree_control"; done
		return
	fi
	for each in /sys/fs/cgroup/*/; do
		group=$each$cgroup
		[ -e "${each}cgroup.procs" ] || continue
		mkdir -p "$group"
		if [ -e "$group/cpuset.cpus" ]; then
			# A group without either takes nobody.
			cat "${each}cpuset.cpus" >"$group/cpuset.cpus"
			cat "${each}cpuset.mems" >"$group/cpuset.mems"
		fi
		echo 0 >"$group/cgroup.procs"
	done
}

serve() {
	local name=$1
	shift
	"$@" >>"$dir/$name.log" 2>&1 &
}

network
mounts
groups
export PATH=$tools:/usr/sbin:/usr/bin:/sbin:/bin HOME=$dir
mkdir -p "$dir/registry"
serve registry crane registry serve --address "0.0.0.0:5000" --disk "$dir/registry"
serve containerd containerd --config "$dir/containerd.toml"
containerd=$!
# The kubelet gives up when nobody answers.
until [ -S /run/containerd/containerd.sock ]; do
	kill -0 "$containerd"
	sleep 0.05
done
serve kubelet kubelet --config="$dir/kubelet.yaml" --kubeconfig="$dir/kubelet.kubeconfig" --root-dir="$dir/kubelet" \
	--hostname-override="$node" --node-ip="$node_ip"
serve kube-proxy kube-proxy --kubeconfig="$dir/kube-proxy.kubeconfig" --hostname-override="$node" --proxy-mode=iptables \
	--cluster-cidr="$pods" --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0
# One that ends takes the node with it, and the bed says so.
code=0
wait -n || code=$?
echo "a server of the node ended: $code"
exit 1
